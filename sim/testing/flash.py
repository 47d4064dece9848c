"""The flash of a virtual Pyboard: a folder of the computer, and `open` and `os` as a board has them, for one life.

A client's program sees nothing else of the computer's files: `/` and `/flash` are this folder, and `..` ends there.
"""

import errno
import os
import posixpath
from collections import namedtuple
from pathlib import Path

UName = namedtuple("UName", "sysname nodename release version machine")
UNAME = UName("pyboard", "pyboard", "1.25.0", "virtual_link", "virtual Pyboard")
MOUNT = "/flash"  # where a Pyboard has it: /flash/main.py is main.py
FOLDER, FILE = 0x4000, 0x8000  # what ilistdir and stat say of them


class Flash:
    """Args: folder: Path of an existing folder. The current directory is the flash's root, as after each reset."""

    def __init__(self, folder):
        self._folder = folder
        self._current = "/"

    def open(self, file, mode="r", *args, **options):
        """What `open` is to the program."""
        if "b" not in mode:
            options.setdefault("encoding", "utf-8")
        return open(self._in_flash(file), mode, *args, **options)

    def os_names(self):
        """Returns {name: function} of what the module `os` has, but for urandom."""
        return {
            "chdir": self._chdir, "getcwd": lambda: self._current, "ilistdir": self._ilistdir,
            "listdir": lambda path="": [entry[0] for entry in self._ilistdir(path)],
            "mkdir": lambda path: os.mkdir(self._in_flash(path)), "remove": self._remove, "unlink": self._remove,
            "rename": lambda old, new: os.replace(self._in_flash(old), self._in_flash(new)), "rmdir": self._rmdir,
            "stat": self._stat, "sync": lambda: None, "uname": lambda: UNAME,
        }  # fmt: skip

    def _absolute(self, path):
        """Returns the path from the root of the flash on: "/" or "/name/name"."""
        path = str(path).replace(os.sep, "/")
        if path == MOUNT or path.startswith(MOUNT + "/"):
            path = path[len(MOUNT) :] or "/"
        return "/" + posixpath.normpath(posixpath.join(self._current, path)).lstrip("/")

    def _in_flash(self, path):
        """Returns the Path of the computer's file that a path of the program's is."""
        return Path(f"{self._folder}{self._absolute(path)}")  # not joined by `/`, which "C:" would leave on Windows

    def _chdir(self, path):
        if not self._in_flash(path).is_dir():
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        self._current = self._absolute(path)

    def _ilistdir(self, path=""):
        for found in sorted(self._in_flash(path).iterdir()):
            mode, size = self._mode_and_size(found)
            yield found.name, mode, 0, size

    def _remove(self, path):
        os.remove(self._in_flash(path))

    def _rmdir(self, path):
        if self._absolute(path) == "/":
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        os.rmdir(self._in_flash(path))

    def _stat(self, path):
        """As MicroPython has it: a tuple of mode, five zeros, size and three times. The times are 0, so that a run is
        the same again."""
        mode, size = self._mode_and_size(self._in_flash(path))
        return (mode, 0, 0, 0, 0, 0, size, 0, 0, 0)

    @staticmethod
    def _mode_and_size(path):
        size = path.stat().st_size
        return (FOLDER, 0) if path.is_dir() else (FILE, size)
