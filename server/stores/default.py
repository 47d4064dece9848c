"""The default store: a file where there is SQLite, and RAM under MicroPython."""

from server.stores.memory import MemoryStore

FILE = "pb_link.db"  # in the current directory, where settings and keys are looked for as well

try:
    import atexit

    from server.stores.sqlite import SQLiteStore

    def default_store():
        """Returns the default store. Raises: StoreError if the file cannot be used."""
        store = SQLiteStore(FILE)
        atexit.register(store.close)
        return store

except ImportError:
    default_store = MemoryStore
