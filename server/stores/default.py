"""The store of those who name none: a file where there is SQLite, and RAM under MicroPython."""

from server.stores.memory import MemoryStore

FILE = "pb_link.db"  # in the current directory, where settings and keys are looked for as well

try:
    import atexit

    from server.stores.sqlite import SQLiteStore

    def default_store():
        """Raises: StoreError if the file cannot be had."""
        store = SQLiteStore(FILE)
        atexit.register(store.close)
        return store

except ImportError:
    default_store = MemoryStore
