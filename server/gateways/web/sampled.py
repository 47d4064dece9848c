"""What no event tells of a client: how fast its lines and bytes pass, and how many of its lines nobody has read.

All clients are looked at each SAMPLE_S, while somebody looks on: some at a time, since thousands would hold the loop.
"""

from collections import namedtuple

from protocol.errors import LinkError

SAMPLE_S = 5.0
SLICE = 200  # clients that are looked at at once: 1 ms, and 4 for the first ones of 10,000
PAUSE_S = 0.01  # between two slices

# lines_per_s: both ways; bytes_per_s: of TCP, both ways, keepalives too. None: not known yet, or not by this server.
Sample = namedtuple("Sample", "lines_per_s bytes_per_s unread_lines")
UNKNOWN = Sample(None, None, None)


class Sampler:
    """Args: status: ClientStatus; store: see core/store.py; clock: function () that returns s of a steady clock."""

    def __init__(self, status, store, clock):
        self._status = status
        self._store = store
        self._clock = clock
        self._before = {}  # id -> (s of the clock, what ClientStatus.passed returned) at the last look

    def forget(self):
        """Nobody looks on: the next look begins anew. Returns {id: UNKNOWN} of those that were looked at last."""
        before, self._before = self._before, {}
        return dict.fromkeys(before, UNKNOWN)

    def look(self):
        """Yields {id: Sample} of SLICE clients at a time, until all have been looked at."""
        names = self._status.names()
        self._before = {name: self._before[name] for name in names if name in self._before}
        for first in range(0, len(names), SLICE):
            now = self._clock()
            here = [name for name in names[first : first + SLICE] if self._status.knows(name)]
            yield {name: self._sample(name, now) for name in here}

    def _sample(self, name, now):
        unread, passed = self._unread(name), self._status.passed(name)
        before_at, before = self._before.get(name, (now, None))
        self._before[name] = now, passed
        took = now - before_at
        if took <= 0:
            return Sample(None, None, unread)
        # Rounded, so that a row that hardly differs is not sent again.
        return Sample(round((passed[0] - before[0]) / took, 1), round((passed[1] - before[1]) / took), unread)

    def _unread(self, name):
        try:
            return self._store.unread(name)[0]
        except LinkError:
            return None  # it has not come to this server, or is at another
