"""A PostgreSQL of the tests' own: made in a temporary folder, reached by a Unix socket, and gone with the process.

`server()` returns the one that all tests of a process share; `schema()` gives each test tables of its own.
"""

import atexit
import glob
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import unittest

from build.tools import debian
from build.tools.shell import MissingTool

_MEMORY = "/dev/shm"  # what is written need not outlive the machine
_USER = "postgres"  # PostgreSQL refuses to run as root
_COUNT = itertools.count()


def program(name):
    """Returns the path of one of PostgreSQL's programs, or None."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4]))
    return found[-1] if found else shutil.which(name)


class Postgres:
    """A server that runs. Args: settings: {name: value} for postgresql.conf."""

    def __init__(self, **settings):
        self.folder = tempfile.mkdtemp(prefix="pb_link_pg_", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)
        self._data = self.folder + "/data"
        self._as = {}
        if os.getuid() == 0:
            account = pwd.getpwnam(_USER)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self._as = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self._run("initdb", "-D", self._data, "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync")
        settings = {"listen_addresses": "''", "unix_socket_directories": f"'{self.folder}'", **settings}
        with open(self._data + "/postgresql.conf", "a", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())
        atexit.register(self.remove)
        self.start()

    @property
    def url(self):
        """The address of its database."""
        return f"postgresql://{_USER}@/postgres?host={self.folder}"

    def start(self):
        """Start it, and wait until it answers."""
        self._run("pg_ctl", "-D", self._data, "-l", self.folder + "/log", "-w", "-t", "120", "start")

    def stop(self, how="fast"):
        """End it: "fast", "smart", or "immediate" as if it had crashed."""
        self._run("pg_ctl", "-D", self._data, "-w", "-t", "120", "-m", how, "stop")

    def remove(self):
        """End it, and remove all that it has."""
        if os.path.exists(self.folder):
            subprocess.run(
                [program("pg_ctl"), "-D", self._data, "-w", "-m", "immediate", "stop"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **self._as,
            )  # fmt: skip
            shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, name, *args):
        # pg_ctl's server keeps the pipes open: a file takes what is said.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run([program(name), *args], stdout=said, stderr=said, cwd="/", **self._as)
            if done.returncode:
                said.seek(0)
                raise RuntimeError(f"{name} has failed: {said.read().decode(errors='replace')}")


_SHARED = []


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


def new_schema():
    """Returns a name for a schema that nobody else uses."""
    return f"test_{os.getpid()}_{next(_COUNT)}"
