"""Files that only their owner can read: keys of clients, users of the web page."""

import os
import tempfile

from server.file_owner import keep_owner, make_private

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt


def lock(file):
    """Lock an open file for this process, until it is closed: it waits for others. Raises: OSError, in Windows after
    10 s."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)
    else:
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)


def open_lock(path):
    """Returns the open lock file of a file, which is made if there is none. Raises: OSError."""
    make_private(path + ".lock", like=path)
    return open(os.open(path + ".lock", os.O_RDWR | os.O_CREAT, 0o600))


def write_private(path, text):
    """Replace the file as a whole, or not at all. Only its owner can read it, who stays the same. If the path is
    a symbolic link, that stays, and the file that it names is replaced. Raises: OSError."""
    path = os.path.realpath(path)
    handle, name = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".pb_link-")  # readable by its owner alone
    try:
        with open(handle, "w", encoding="utf-8") as file:
            keep_owner(handle, path)
            file.write(text)
            file.flush()
            os.fsync(handle)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
