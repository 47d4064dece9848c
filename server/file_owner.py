"""Whose a file is that a command makes. `sudo pb-link keys add` works on files of the server's user, who must be able
to read what it leaves there. So what root makes belongs to the owner of the file that it replaces, or of its folder.
SQLite does the same with its `-wal`, `-shm` and journal."""

import contextlib
import os


def keep_owner(handle, path):
    """Give an open file, which was made by this process, the owner of the file `path`; if there is none, of its folder.
    It is for root; the files of other users are theirs anyway."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    try:
        found = os.stat(path)
    except FileNotFoundError:
        found = os.stat(os.path.dirname(os.path.abspath(path)))
    with contextlib.suppress(OSError):  # a root that may not, in a container or on NFS: as before, and doctor tells it
        os.fchown(handle, found.st_uid, found.st_gid)


def make_private(path, like=None):
    """Create the file if there is none, readable by its owner alone. like: path of the file whose owner it gets.
    Returns True if there was none."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    try:
        keep_owner(handle, like or os.path.dirname(os.path.abspath(path)))
    finally:
        os.close(handle)
    return True
