"""`pb-link restore FILE`: puts a back-up in the place of the store, whole or not at all.

What SQLite keeps beside a store, `-wal` and `-shm`, belongs to that store alone: a `-wal` that is left beside a file
put in its place is taken for this one's, and spoils it. So:

1. The back-up is copied to `-restore`, examined there, and brought to the disk.
2. `-restore` becomes `-restoring`: from here on the restore is done. Whoever opens the store next, this process or,
   if it dies, the next one, finishes it first.
3. The old store becomes `.replaced`, with its `-wal`; `-shm` goes; `-restoring` becomes the store.
"""

import contextlib
import os
import sqlite3
import urllib.parse

from protocol.errors import StoreError

_MAGIC = b"SQLite format 3\0"


def restore(backup, path):
    """Replace the store `path`, which no server may have open, by the store in the file `backup`.

    Returns: name of the file that the old store is now in, or None if there was none. Raises: StoreError; nothing has
    been changed then.
    """
    from server.stores.sqlite_file import SQLiteFile  # which finishes what was begun here

    path = os.path.realpath(path)
    if not os.path.isfile(backup):
        raise StoreError(f"there is no file {backup}")
    lock = SQLiteFile.lock_only(path)
    try:
        finish(path)
        if os.path.exists(path) and os.path.samefile(backup, path):
            raise StoreError(f"{backup} is the store itself: name a back-up of it")
        new = path + "-restore"
        _remove(new, new + "-journal")
        try:
            _copy(backup, new)
        except (sqlite3.Error, OSError) as error:
            _remove(new, new + "-journal")
            raise StoreError(f"{backup} cannot be restored: {error}")
        except StoreError:
            _remove(new)
            raise
        before = _settle(path)
        os.replace(new, path + "-restoring")
        sync_folder(path)
        finish(path)
        return before
    finally:
        lock.close()


def finish(path):
    """Finish a restore that was begun, if there is one. The caller has the store's lock."""
    if not os.path.exists(path + "-restoring"):
        return
    if os.path.exists(path):
        _remove(path + ".replaced-wal")
        os.replace(path, path + ".replaced")
    with contextlib.suppress(FileNotFoundError):
        os.replace(path + "-wal", path + ".replaced-wal")
    _remove(path + "-shm", path + "-journal")
    os.replace(path + "-restoring", path)
    sync_folder(path)


def _copy(backup, new):
    """A consistent copy, also of a store that is in use; of its `-wal` too, if it has one."""
    from server.stores.sqlite_file import make_private

    make_private(new)
    with contextlib.closing(_open_to_read(backup)) as source, contextlib.closing(sqlite3.connect(new)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        _examine(backup, copy)
    with open(new, "rb") as file:
        os.fsync(file.fileno())


def _open_to_read(backup):
    """Without a `-wal` nobody writes it, and nothing is to be made beside it."""
    how = "mode=ro" if os.path.exists(backup + "-wal") else "immutable=1"
    return sqlite3.connect(f"file:{urllib.parse.quote(os.path.abspath(backup))}?{how}", uri=True)


def _examine(backup, database):
    from server.stores.sqlite_file import APPLICATION_ID, SCHEMA_VERSION

    if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StoreError(f"{backup} is no store of pb_link")
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise StoreError(f"{backup} is of a newer pb_link (format {version}): upgrade this one")
    found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreError(f"{backup} is damaged ({found.splitlines()[-1]}): take another back-up")


def _settle(path):
    """Have SQLite put the old store's `-wal` into it, if it can: it may be damaged, which is why one restores."""
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:  # SQLite would remove the `-wal`
            return path + ".replaced"
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path + ".replaced"


def _remove(*names):
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def sync_folder(path):
    """The name of a new file is as safe as what is in it."""
    if os.name == "posix":
        folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
