"""A PostgreSQL of the tests' own: made in a temporary folder, reached by a Unix socket, and gone with the process.

`server()` returns the one that all tests of a process share, `databases(n)` more databases in it; `new_schema()` gives
each test tables of its own.
"""

import atexit
import glob
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import unittest
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg

from build.tools import debian
from build.tools.shell import MissingTool
from tests.patience import until

_MEMORY = "/dev/shm"  # what is written need not outlive the machine
_USER = "postgres"  # PostgreSQL refuses to run as root
_COUNT = itertools.count()
_NEW = ("-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync")  # options of initdb
_FILES = []  # the folder of a server's files as initdb makes them, once there is one


def memory_folder():
    """Returns the folder of a file system in memory, or None."""
    return _MEMORY if os.access(_MEMORY, os.W_OK) else None


def program(name):
    """Returns the path of one of PostgreSQL's programs, or None."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4]))
    return found[-1] if found else shutil.which(name)


def _new_folder():
    return tempfile.mkdtemp(prefix="pb_link_pg_", dir=memory_folder())


def _account(folder):
    """Returns as whom PostgreSQL's programs run, for `subprocess`; to them the folder then belongs."""
    if os.getuid() != 0:
        return {}
    account = pwd.getpwnam(_USER)
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


class Postgres:
    """A server that runs. Args: copy_of: Postgres that it follows as a standby, or None; folder: an empty one, or None;
    settings: {name: value} for postgresql.conf."""

    def __init__(self, copy_of=None, folder=None, **settings):
        self.folder = folder or _new_folder()
        self._settings = settings
        self._data = self.folder + "/data"
        self._as = _account(self.folder)
        atexit.register(self.remove)
        self.make(copy_of)

    @property
    def url(self):
        """The address of its database."""
        return self.url_of("postgres")

    def url_of(self, database):
        """The address of another database of it."""
        return f"postgresql://{_USER}@/{database}?host={self.folder}"

    def create(self, database):
        """Make another database."""
        self._run("createdb", "-h", self.folder, "-U", _USER, database)

    def make(self, copy_of=None):
        """Make its files anew, and start it."""
        self.kill()
        shutil.rmtree(self._data, ignore_errors=True)
        if copy_of is None:
            self._begin()
        else:
            self._copy(copy_of.url)
        self.configure(listen_addresses="''", unix_socket_directories=f"'{self.folder}'")
        self.configure(**self._settings)
        self.start()

    def promote(self):
        """Have a standby take the place of the server that it follows. Returns when it can be written."""
        self._run("pg_ctl", "-D", self._data, "-w", "-t", "120", "promote")

    def configure(self, **settings):
        """Add settings, which a start or `reload` heeds. The last one of a name counts."""
        with open(self._data + "/postgresql.conf", "a", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())

    def reload(self):
        """Heed the settings that need no start."""
        self._run("pg_ctl", "-D", self._data, "reload")

    def start(self):
        """Start it, and wait until it answers."""
        self._run("pg_ctl", "-D", self._data, "-l", self.folder + "/log", "-w", "-t", "120", "start")

    def stop(self, how="fast"):
        """End it: "fast", "smart", or "immediate" as if it had crashed."""
        self._run("pg_ctl", "-D", self._data, "-w", "-t", "120", "-m", how, "stop")

    def signal(self, number):
        """Send a signal to all of its processes: SIGKILL, SIGSTOP, SIGCONT."""
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self):
        """Kill all of its processes at once. Returns when they are gone."""
        pids = self._processes()
        self.signal(signal.SIGKILL)
        until(lambda: not any(map(_lives, pids)), "the end of PostgreSQL")
        for name in ("data/postmaster.pid", ".s.PGSQL.5432.lock"):  # a start would take a zombie for another server
            Path(self.folder, name).unlink(missing_ok=True)

    def remove(self):
        """End it, and remove all that it has."""
        if os.path.exists(self.folder):
            self.signal(signal.SIGCONT)
            subprocess.run(
                [program("pg_ctl"), "-D", self._data, "-w", "-m", "immediate", "stop"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **self._as,
            )  # fmt: skip
            shutil.rmtree(self.folder, ignore_errors=True)

    def _processes(self):
        """Returns the process ids, that of the first one first."""
        try:
            first = int(Path(self._data, "postmaster.pid").read_text().split()[0])
        except (OSError, IndexError):
            return []
        if f"-D\0{self._data}\0" not in _command(first):
            return []  # it was killed, and another program has the number
        return [first] + [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if _parent(pid) == first]

    def _begin(self):
        """Make the files of a new server: a copy of what `initdb` has made once, which takes most of a second."""
        if not _FILES:
            folder = _new_folder()
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            _account(folder)
            self._run("initdb", "-D", folder + "/data", "-U", _USER, *_NEW)
            _FILES.append(folder + "/data")
        self._run("cp", "-R", _FILES[0], self._data)

    def _copy(self, source):
        """Take the files of a server that runs. Args: source: its address."""
        self._run("pg_basebackup", "-D", self._data, "-d", source, "-X", "stream", "-c", "fast", "-R", "--no-sync")

    def _run(self, name, *args):
        # pg_ctl's server keeps the pipes open: a file takes what is said.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run([program(name), *args], stdout=said, stderr=said, cwd="/", **self._as)
            if done.returncode:
                said.seek(0)
                raise RuntimeError(f"{name} has failed: {said.read().decode(errors='replace')}{self.log[-2000:]}")

    @property
    def log(self):
        """What it has said."""
        path = Path(self.folder, "log")
        return path.read_text(errors="replace") if path.exists() else ""


def _read(pid, name):
    try:
        return Path("/proc", str(pid), name).read_text(errors="replace")
    except OSError:
        return ""


def _command(pid):
    return _read(pid, "cmdline")


def _status(pid):
    """Returns (state, parent) of a process, ("Z", "0") of one that has ended."""
    return (_read(pid, "stat").rpartition(")")[2].split() + ["Z", "0"])[:2]


def _parent(pid):
    return int(_status(pid)[1])


def _lives(pid):
    return _status(pid)[0] != "Z"


_SHARED = []
_DATABASES = []  # addresses of databases of the shared server


def server():
    """Returns the Postgres of this process. Its disk is not synced: tests that kill it make their own.

    Raises: unittest.SkipTest: there is none; in CI MissingTool."""
    if not _SHARED:
        needed()
        _SHARED.append(Postgres(fsync="off", full_page_writes="off", autovacuum="off"))
    return _SHARED[0]


def needed():
    """Have PostgreSQL installed. Raises: as `server`."""
    if program("initdb"):
        return
    try:
        debian.install(["postgresql"], "The store in PostgreSQL")
    except MissingTool as error:
        if debian.in_ci():
            raise
        raise unittest.SkipTest(str(error))


@asynccontextmanager
async def connect(url):
    """A connection of asyncpg, which ends with the block."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def databases(count):
    """Returns the addresses of so many databases of `server()`, the same in each call."""
    one = server()
    while len(_DATABASES) < count:
        name = f"shard_{len(_DATABASES)}"
        one.create(name)
        _DATABASES.append(one.url_of(name))
    return _DATABASES[:count]


def new_schema():
    """Returns a name for a schema that nobody else uses."""
    return f"test_{os.getpid()}_{next(_COUNT)}"
