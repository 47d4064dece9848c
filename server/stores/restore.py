"""`pb-link restore FILE`: replaces the store by a back-up, completely or not at all.

SQLite's files beside a store, `-wal` and `-shm`, belong to that store alone. If the store is replaced and its `-wal`
stays, SQLite applies the `-wal` to the new file and corrupts it. So:

1. The back-up is copied to `-restore`, examined there, and synced to the disk. So is the name that the old store gets,
   in `-restoring-kept`: `.replaced`, or `.replaced-2` and so on if there is one of an earlier restore.
2. `-restore` becomes `-restoring`. From here on the restore is done. The next process that opens the store finishes it
   first: this process or, if it dies, a later one.
3. The old store gets that name, with its `-wal`; `-shm` goes; `-restoring` becomes the store; `-restoring-kept` goes.

Step 3 can be repeated, wherever it was cut off: it is the note that says where the `-wal` of a store goes that has its
new name already.
"""

import contextlib
import itertools
import os
import sqlite3
import urllib.parse

from protocol.errors import StoreError
from server.file_owner import make_private

_MAGIC = b"SQLite format 3\0"
_BESIDE = ("-wal", "-shm", "-journal")  # SQLite's files of a database
_NOTE = "-restoring-kept"


def restore(backup, path):
    """Replace the store `path`, which no server may have open, by the store in the file `backup`.

    Returns: name of the file that now holds the old store, or None if there was none. Raises: StoreError; then nothing
    has been changed.
    """
    from server.stores.sqlite_file import SQLiteFile  # imported here, because it imports `finish` from this module

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
            _copy(backup, new, path)
            _settle(path)
            kept = _note_name(path)
        except (sqlite3.Error, OSError) as error:
            _remove(new, new + "-journal", path + _NOTE)
            raise StoreError(f"{backup} cannot be restored: {error}")
        except StoreError:
            _remove(new)
            raise
        there = os.path.exists(path)
        os.replace(new, path + "-restoring")
        sync_folder(path)
        finish(path)
        return kept if there else None
    finally:
        lock.close()


def finish(path):
    """Complete a restore that has been committed, if there is one. The caller holds the store's lock."""
    if not os.path.exists(path + "-restoring"):
        return
    kept = _noted_name(path)
    if os.path.exists(path):
        os.replace(path, kept)
    with contextlib.suppress(FileNotFoundError):
        os.replace(path + "-wal", kept + "-wal")
    _remove(path + "-shm", path + "-journal")
    os.replace(path + "-restoring", path)
    sync_folder(path)
    _remove(path + _NOTE)  # one that stays is of no use, and the next restore writes it anew


def _note_name(path):
    """Choose the name that the old store gets, which no file has, and write it down. Returns it."""
    ends = itertools.chain([".replaced"], (f".replaced-{number}" for number in itertools.count(2)))
    end = next(end for end in ends if not any(os.path.lexists(path + end + more) for more in ("", *_BESIDE)))
    make_private(path + _NOTE, like=path)
    with open(path + _NOTE, "w", encoding="ascii") as file:
        file.write(end)
        file.flush()
        os.fsync(file.fileno())
    return path + end


def _noted_name(path):
    try:
        with open(path + _NOTE, encoding="ascii") as file:
            return path + file.read()
    except FileNotFoundError:  # begun by an earlier version, which had one name and wrote none down
        return _note_name(path) if os.path.exists(path) else path + ".replaced"


def _copy(backup, new, path):
    """Make a consistent copy, including the contents of its `-wal`, for the store `path`. The back-up may be in use."""
    make_private(new, like=path)
    with contextlib.closing(open_to_read(backup)) as source, contextlib.closing(sqlite3.connect(new)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        _examine(backup, copy)
    with open(new, "rb") as file:
        os.fsync(file.fileno())


def open_to_read(path):
    """Open a store read-only. Without a `-wal` it has no writer, and no file may be created beside it."""
    how = "mode=ro" if os.path.exists(path + "-wal") else "immutable=1"
    name = urllib.parse.quote(os.path.abspath(path).replace(os.sep, "/"))
    return sqlite3.connect(f"file:{name}?{how}", uri=True)


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
    """Have SQLite merge the old store's `-wal` into it, if possible. The old store may be damaged."""
    if not os.path.exists(path):
        return
    with open(path, "rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:  # no database: SQLite would remove the `-wal`
            return
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _remove(*names):
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def sync_folder(path):
    """Sync the folder of a file, so that a new file's name is as safe as its contents."""
    if os.name == "posix":
        folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
