"""The server's disk in virtual time: the durable store on a file that outlives the server's process.

Each transaction reaches the disk at some moment during its time. The server is told at the end of that time. So a
process that is killed has written all of its last transaction or nothing of it, and may not have been told.
Unrealistic: nothing is ever half written (SQLite's own tests cover that), and what is written is safe at once.
"""

import os
import random
import tempfile
from pathlib import Path

from server.stores.sqlite import SQLiteStore

# Written data need not outlive the machine, and a file in memory takes no time to sync.
_FOLDERS = ("/dev/shm",)
SYNC_S = 0.005


class Disk:
    """The disk of one server. Args: board: the server's; seed: for the moments of its transactions."""

    def __init__(self, board, seed):
        self._board = board
        self._random = random.Random(f"{seed} disk")
        memory = [folder for folder in _FOLDERS if os.access(folder, os.W_OK)]
        self._folder = tempfile.TemporaryDirectory(prefix="pb_link-", dir=memory[0] if memory else None)

    def open_store(self, *limits, **more):
        """Opens the store as a new process of the server does. Args: SQLiteStore's, but for path and disk_thread."""
        file = Path(self._folder.name) / "store.db"
        thread = _VirtualDiskThread(self._board.loop, self._random)
        store = SQLiteStore(file, *limits, disk_thread=thread, **more)
        self._board.at_death(store._database.close)  # a process that is killed writes nothing more
        return store

    def remove(self):
        self._folder.cleanup()


class _VirtualDiskThread:
    """A replacement for the thread of server/stores/disk_thread.py. It works in the loop, at the times of a thread."""

    def __init__(self, loop, chance):
        self._loop = loop
        self._random = chance
        self._busy_until = 0.0
        self._to_do = []  # functions that have not been called, in order

    def start(self, function, done):
        begin = max(self._loop.time(), self._busy_until)
        self._busy_until = begin + SYNC_S
        outcome = []

        def run():
            if not outcome:
                self._to_do.remove(run)
                try:
                    outcome.extend((function(), None))
                except Exception as error:  # for `done`
                    outcome.extend((None, error))

        self._to_do.append(run)
        self._loop.call_at(begin + SYNC_S * self._random.random(), run)
        self._loop.call_at(self._busy_until, lambda: done(*outcome))

    def orphaned(self):
        return False

    def join(self):
        for run in self._to_do[:]:
            run()

    def close(self):
        self.join()
