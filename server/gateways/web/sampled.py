"""What no event tells of a client: how fast its lines and bytes pass, and how many of its lines nobody has read.

All clients are looked at each SAMPLE_S, while somebody looks on.
"""

from collections import namedtuple

from protocol.errors import LinkError

SAMPLE_S = 5.0

# lines_per_s: both ways; bytes_per_s: of TCP, both ways, keepalives too. None: not known yet, or not by this server.
Sample = namedtuple("Sample", "lines_per_s bytes_per_s unread_lines")
UNKNOWN = Sample(None, None, None)


class Sampler:
    """Args: status: ClientStatus; store: see core/store.py; clock: function () that returns s of a steady clock."""

    def __init__(self, status, store, clock):
        self._status = status
        self._store = store
        self._clock = clock
        self._before = {}  # id -> what ClientStatus.passed returned at the last look
        self._at = None  # when that was

    def forget(self):
        """Nobody looks on: the next look begins anew. Returns {id: UNKNOWN} of those that were looked at last."""
        before, self._before, self._at = self._before, {}, None
        return dict.fromkeys(before, UNKNOWN)

    def look(self):
        """Returns {id: Sample} of all clients."""
        now, before = self._clock(), self._before
        took = now - self._at if self._at is not None and now > self._at else None
        self._before, self._at = {name: self._status.passed(name) for name in self._status.names()}, now
        return {name: self._sample(name, before.get(name), passed, took) for name, passed in self._before.items()}

    def _sample(self, name, before, passed, took):
        unread = self._unread(name)
        if took is None or before is None:
            return Sample(None, None, unread)
        # Rounded, so that a row that hardly differs is not sent again.
        return Sample(round((passed[0] - before[0]) / took, 1), round((passed[1] - before[1]) / took), unread)

    def _unread(self, name):
        try:
            return self._store.unread(name)[0]
        except LinkError:
            return None  # it has not come to this server, or is at another
