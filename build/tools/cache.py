"""The folder of downloads and built files: its place, its lock, how a binary enters and leaves it.

`.cache/` in the project, or PB_LINK_CACHE. Finished binaries carry a hash in their name and appear by an atomic
rename, so a reader needs no lock; whoever builds holds the lock.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

from build.tools.shell import BuildError, say

ROOT = Path(__file__).resolve().parents[2]

MAX_BINARIES_OF_A_KIND = 8  # about 0.5 MB each; switching between a few branches rebuilds nothing
MIN_AGE_TO_PRUNE_S = 3600  # a binary handed out a moment ago may not have been started yet

# make splits at spaces and gives $ # : % and quotes a meaning; only paths of these characters get through it.
_SAFE_PATH = re.compile(r"[A-Za-z0-9_@+,./-]+")


def is_safe_path(path):
    return _SAFE_PATH.fullmatch(str(path)) is not None


def cache_folder():
    """Returns the cache folder, created, with a path that make can digest.

    Raises: BuildError if PB_LINK_CACHE names a folder that make cannot use, or if there is none to be found.
    """
    named = os.environ.get("PB_LINK_CACHE")
    if named:
        folder = Path(named).expanduser().absolute()
        if not is_safe_path(folder):
            raise BuildError(f"PB_LINK_CACHE is {folder}: make cannot build there. Name a path without spaces.")
        return _created(folder)
    for folder in _default_folders():
        if is_safe_path(folder):
            return _created(folder)
    raise BuildError("Found no folder to build in whose path has no spaces. Name one in PB_LINK_CACHE.")


def _default_folders():
    yield ROOT / ".cache"
    name = "pb_link-" + hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / name
    yield Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"


def _created(folder):
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(f"{folder} cannot be made ({error.strerror}). Name another in PB_LINK_CACHE.") from None
    # Files found here are executed. So a folder that someone else made in a shared place is refused.
    if folder.stat().st_uid != os.getuid() or not os.access(folder, os.W_OK):
        raise BuildError(f"{folder} is not yours to write. Name another in PB_LINK_CACHE.")
    return folder


@contextlib.contextmanager
def locked(folder):
    """Hold the cache's lock, which one builder at a time has; the kernel frees it when a builder dies."""
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another build in {folder} ..")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def publish(built, binary):
    """Make a finished program appear under its final name, complete or not at all."""
    binary.parent.mkdir(exist_ok=True)
    partial = binary.with_name(f".{binary.name}.{os.getpid()}")
    try:
        shutil.copy2(built, partial)
        os.utime(partial)
        os.replace(partial, binary)
    finally:
        partial.unlink(missing_ok=True)


def touch(binary):
    """Note that the binary is in use, so that pruning spares it. Returns False if it is not there."""
    try:
        os.utime(binary)
    except FileNotFoundError:
        return False
    except PermissionError:
        pass  # a read-only cache is as good; it is not pruned either
    return os.access(binary, os.X_OK)


def prune(folder, prefix):
    """Remove the oldest binaries of one kind beyond MAX_BINARIES_OF_A_KIND, but no recent one."""
    by_age = sorted(folder.glob(prefix + "*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_age[MAX_BINARIES_OF_A_KIND:]:
        if time.time() - path.stat().st_mtime > MIN_AGE_TO_PRUNE_S:
            path.unlink(missing_ok=True)
