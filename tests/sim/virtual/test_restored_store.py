"""The whole link when the server's store is replaced by an older copy in the middle of the traffic, at many moments.

The application's own record of what it has read is restored with the store. What the client had had acknowledged since
the copy is gone, and so are the server's lines since then that had not been delivered. Nothing else is.
"""

import random
import re
import sqlite3
from collections import Counter

import pytest

from sim.virtual.apps import Pace
from sim.virtual.run import VirtualRun
from tests.sample import all_or

LINES = 90
SAID = re.compile(r"does not know of (\d+) lines .* nor of (\d+) that it has got")


class RestoredRun(VirtualRun):
    """Args: copy_at, restore_at: after so many lines, both ways together, the store is copied, and replaced by it."""

    def __init__(self, copy_at, restore_at, again, **options):
        self._chance = random.Random(f"{options['seed']} {copy_at} {restore_at}")
        self._due = [(copy_at, self._copy), (restore_at, self._restore)]
        if again:
            self._due.append((restore_at + 8, self._restore))
        self.saved = None
        self.seen = 0  # lines read; some of them twice, by an application that was set back
        self.gone_up, self.gone_down = set(), set()
        self.told = []
        self.client_told = 0
        super().__init__(lines=LINES, **options)

    @property
    def _file(self):
        return self._disk._folder.name + "/store.db"

    def _lines(self, file, table):
        with sqlite3.connect(file) as database:
            found = [bytes(line).decode() for (line,) in database.execute(f"SELECT line FROM {table} ORDER BY number")]
        database.close()
        return found

    def _ledger_changed(self):
        super()._ledger_changed()
        self.seen += 1
        while self._due and self.seen >= self._due[0][0]:
            self.world.after(self._chance.uniform(0, 0.1), self._due.pop(0)[1])

    def _copy(self):
        overwrite(self._file, self._file + "-copy")
        self.saved = list(self.ledger.server_read), self.job._next_number

    def _restore(self):
        if self.saved is None:  # the copy is to come yet
            self.world.after(0.2, self._restore)
            return
        self.link.kill_server()
        ledger, copy = self.ledger, self._file + "-copy"
        received = {*ledger.server_read, *self._lines(self._file, "inbox")}
        self.gone_up |= received - {*self.saved[0], *self._lines(copy, "inbox")}
        read = {line for life in ledger.lives for line in life.read}
        self.gone_down |= set(ledger.server_written) - read - set(self._lines(copy, "outbox"))
        overwrite(copy, self._file)
        ledger.server_read[:], self.job._next_number = list(self.saved[0]), self.saved[1]
        self._last_fault = self.world.now
        self.world.after(self._chance.uniform(0.1, 3.0), self.faults.back, self.link.server, self.link.start_server)

    def _printed(self, board, line):
        found = SAID.search(line)
        if found:
            self.told.append((int(found[1]), int(found[2])))
        self.client_told += "the server's store is an older one" in line
        super()._printed(board, line)


def overwrite(source, target):
    one, other = sqlite3.connect(source), sqlite3.connect(target)
    one.backup(other)
    one.close()
    other.close()


def twice(lines):
    return [line for line, count in Counter(lines).items() if count > 1]


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("copy_at", [1, 5, 20, 45])
@pytest.mark.parametrize("after", [1, 4, 15, 30])
def test_nothing_is_lost_but_what_came_since_the_copy_and_nothing_comes_twice(copy_at, after, again):
    for seed in all_or([(copy_at + after + again) % 2], range(2)):
        pace = Pace(random.Random(seed).choice((1, 10, 1000)), 0.01, 0.01)
        run = RestoredRun(copy_at, copy_at + after, again, seed=seed, pace=pace)
        run.run()
        assert run.failure is None, run.failure
        ledger = run.ledger
        read = [line for life in ledger.lives for line in life.read]
        lost = set(ledger.client_written) - set(ledger.server_read)
        assert lost <= run.gone_up
        assert set(ledger.server_written) - set(read) <= run.gone_down
        assert (twice(read), twice(ledger.server_read)) == ([], [])
        assert ledger.server_read == sorted(ledger.server_read, key=ledger.client_written.index)
        assert read == sorted(read, key=ledger.server_written.index)
        if not again:
            assert sum(lines for lines, _ in run.told) == len(lost), "what is gone is counted and said"
        assert len(run.told) <= 1 + again and run.client_told <= 1 + again
        assert run.client_told or not run.told
