"""Two PostgreSQL, one the synchronous standby of the other, and what whoever manages such a pair does: a failover.

All calls wait for other programs: from a loop call them in a thread.
"""

import asyncio
import atexit
import itertools
import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import asyncpg

from tests.patience import until
from tests.server.postgres import Postgres, memory_folder

# Small, since several may run on one machine.
SETTINGS = {
    "shared_buffers": "16MB", "max_connections": 40, "autovacuum": "off", "wal_level": "replica", "hot_standby": "on",
    "max_wal_senders": 4, "min_wal_size": "32MB", "max_wal_size": "96MB", "wal_keep_size": "32MB",
    "max_worker_processes": 2, "wal_receiver_status_interval": "1s", "wal_retrieve_retry_interval": "200ms",
}  # fmt: skip
DISK_MB = 320  # of each server's file system, if it has one of its own


class Pair:
    """`primary` is written, and `standby` follows it. Commits wait for the standby: see `synchronous`.

    Args: disks: give each server a small file system of its own, which a test can fill; only root can. settings: for
    postgresql.conf."""

    def __init__(self, disks=False, **settings):
        self.disks = [Disk() for _ in range(2)] if disks else [None, None]
        folders = [disk and disk.folder for disk in self.disks]
        settings = {**SETTINGS, **settings}
        first = Postgres(folder=folders[0], **settings)
        self.servers = (first, Postgres(copy_of=first, folder=folders[1], **settings))
        self._first = 0  # which of them is written
        self.synchronous(True)

    @property
    def primary(self):
        return self.servers[self._first]

    @property
    def standby(self):
        return self.servers[1 - self._first]

    @property
    def disk(self):
        """The primary's."""
        return self.disks[self._first]

    def synchronous(self, wanted):
        """Have commits wait for the standby, or not. Returns when that is so."""
        self.primary.configure(synchronous_standby_names="'*'" if wanted else "''")
        self.primary.reload()
        until(lambda: self._synchronous() == wanted, "the standby")

    def promote(self):
        """Have the standby take the place of the primary, in whatever state that is. Its commits wait for nobody until
        `follow`: of two servers, one that is left could do nothing otherwise."""
        self.standby.configure(synchronous_standby_names="''")
        self.standby.promote()
        self._first = 1 - self._first

    def follow(self):
        """Have the former primary, whatever it has, begin anew as a standby. Returns when commits wait for it."""
        self.standby.make(copy_of=self.primary)
        self.synchronous(True)

    def ask(self, statement, *args):
        """Returns the value that a statement gives at the primary."""

        async def main():
            connection = await asyncpg.connect(self.primary.url)
            try:
                return await connection.fetchval(statement, *args)
            finally:
                await connection.close()

        return asyncio.run(main())

    def _synchronous(self):
        """Whether commits wait for a standby that is there."""
        found = self.ask("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
        return bool(found) and self.ask("SHOW synchronous_standby_names") != ""

    def remove(self):
        for server in self.servers:
            server.remove()
        for disk in self.disks:
            if disk is not None:
                disk.remove()


class Disk:
    """A file system of DISK_MB, in memory, that can be filled. Raises: OSError: this user may not make one."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="pb_link_disk_", dir=memory_folder())
        try:
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "pb_link", self.folder],
                check=True, capture_output=True,
            )  # fmt: skip
        except (OSError, subprocess.CalledProcessError) as error:
            os.rmdir(self.folder)
            raise OSError(1, f"no file system can be made: {error}")
        self._filler = Path(self.folder, "filler")
        atexit.register(self.remove)

    @staticmethod
    def possible():
        """Whether this user may make one."""
        try:
            Disk().remove()
        except OSError:
            return False
        return True

    def fill(self):
        """Leave no room."""
        with open(self._filler, "wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with suppress(OSError):
                    for _ in itertools.count():
                        file.write(bytes(size))

    def empty(self):
        """Give the room back."""
        self._filler.unlink(missing_ok=True)

    def remove(self):
        if os.path.ismount(self.folder):
            subprocess.run(["umount", "-l", self.folder], check=False)
        with suppress(OSError):
            os.rmdir(self.folder)
