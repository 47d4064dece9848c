"""The files of a durable store: their lock, and the check that they are still in place.

What a commit has written is in the database and in SQLite's `-wal` beside it.
SQLite tracks readers with its `-shm`. So all three must stay in their place,
under one name, for as long as the store is used. If a database had two names
(hard links), each name would have a `-wal` of its own.

The lock is on the database's inode. So it holds whatever name, symbolic link or
mount another server uses. SQLite has locks of another kind on the same file. A
process loses those when it closes any descriptor of that file. So our
descriptor is closed after SQLite's, and a file of this process is not opened
again.
"""

import os
import stat
import sys

from protocol.errors import StoreError
from server.core.store import StoreGone

try:
    import fcntl
except ImportError:  # Windows: a database that is open can be neither deleted nor replaced there
    fcntl = None

# On other systems flock conflicts with SQLite's locks, and would lock out SQLite itself.
_HAS_LOCKS = fcntl is not None and sys.platform == "linux"

_held = {}  # (device, inode) of each store of this process -> descriptor that has the lock


def _leave_to_parent():
    """Close the inherited locks in a forked child. It would otherwise hold them after the server's end."""
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


class StoreFiles:
    """The files of one store. Args: path: of the database, as the settings name it.

    `real` is the same path without symbolic links, for SQLite.
    """

    def __init__(self, path):
        self.path = path
        self.real = os.path.realpath(path)
        # A link that changes its target is another store, too. Not abspath: "link/.." is not the link's folder.
        self._named = os.path.join(os.getcwd(), path)
        self._lock = None  # key in _held
        self._known = {}  # path -> (device, inode)
        self._content = None  # of the database
        self._gone = None  # text of the first StoreGone: every later call raises it again

    def lock(self):
        """Lock the database, which must exist. Raises: StoreError; OSError."""
        found = os.stat(self.real)
        if not stat.S_ISREG(found.st_mode):  # to open a FIFO would wait for its writer
            raise StoreError(f"the store {self.path} is no file: give the server another store")
        if found.st_nlink > 1:
            raise StoreError(
                f"the store {self.path} has {found.st_nlink} names (hard links), and would be another store "
                f"under each: remove all but one (find them with: find FOLDER -samefile {self.real})"
            )
        if not _HAS_LOCKS:
            return
        if _identity(found) in _held:
            raise _in_use(self.path)
        descriptor = os.open(self.real, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise _in_use(self.path)
        except OSError as error:
            os.close(descriptor)
            raise StoreError(
                f"the store {self.path} cannot be locked ({error.strerror}), it is on a network perhaps: "
                "give the server one on a disk of this machine"
            )
        self._lock = _identity(os.fstat(descriptor))
        _held[self._lock] = descriptor

    def begin(self):
        """Record the files, which SQLite has opened. From now on they must not change. Raises: StoreGone."""
        beside = ("-wal", "-shm") if _HAS_LOCKS else ("-wal", "-shm", "-lock")  # the only lock that there is
        for path in (self._named, *(self.real + suffix for suffix in beside)):
            self._known[path] = _identity(_look(path))
        if self._lock not in (None, self._known[self._named]):
            raise _gone(self._named, "has been replaced")
        self.check(written=True)

    def check(self, written=False):
        """Check the files. Raises: StoreGone if one of them is not the same, or an earlier check found that.

        written: this process may have written into the database itself since the last check (a checkpoint).
        """
        if self._gone:
            raise StoreGone(self._gone)
        try:
            self._check(written)
        except StoreGone as error:
            self._gone = str(error)
            raise

    def _check(self, written):
        for path, identity in self._known.items():
            found = _look(path)
            if _identity(found) != identity:
                raise _gone(path, "has been replaced")
            if found.st_nlink > 1:
                raise _gone(path, "has got a second name (hard link)")
            if path == self._named:
                if not written and _content(found) != self._content:
                    raise _gone(path, "has been written by another program")
                self._content = _content(found)

    def unlock(self):
        """Release the lock. Call it when SQLite has closed the files."""
        descriptor = _held.pop(self._lock, None)
        if descriptor is not None:
            os.close(descriptor)
        self._lock = None


def _look(path):
    try:
        return os.stat(path)
    except FileNotFoundError:
        raise _gone(path, "has been deleted or moved away")
    except OSError as error:
        raise _gone(path, f"cannot be looked at ({error.strerror})")


def _identity(status):
    return status.st_dev, status.st_ino


def _content(status):
    """Returns a value that changes when another database is copied over this one. In WAL mode only checkpoints write
    into the database."""
    if os.name != "posix":
        return None  # the time is written down when the file is closed
    return status.st_size, status.st_mtime_ns


def _in_use(path):
    return StoreError(
        f"the store {path} is in use by another server, by another name perhaps: end that one, "
        "or give this one its own store"
    )


def _gone(path, what):
    return StoreGone(
        f"{path} {what} while the server used it: nothing is acknowledged any more; "
        "put it back together with its -wal and -shm, or a back-up in its place without them, "
        "and start the server again"
    )
