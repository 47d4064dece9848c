"""Detects two boards that run with one id: copies of one settings file, say. Each proves the key, and replaces the
connection of the other one, without end.

A client has one epoch from its start to its end. One that restarts has a new epoch, and the old one never comes back;
one that reconnects after an outage comes with the same epoch, and no other one was there in between. So an epoch that
comes back after another one shows that two clients run.
"""

from server.core.clock import monotonic_ms

EPOCHS = 8  # that are remembered: so many boards with one id are still recognised
# Without such a return for this long it has ended, and is reported again when it comes back.
ENDED_MS = 600000


class Rivals:
    """The clients that have proved one id."""

    def __init__(self, clock=monotonic_ms):
        self._clock = clock
        self._met = []  # (epoch, address of its newest connection), the newest last
        self._returned = None  # when an epoch came back last

    def met_elsewhere(self, epoch):
        """Another server on the same store has had a client of this epoch since. One that is known here may have been
        there too, so that proves nothing."""
        if all(entry[0] != epoch for entry in self._met):
            self.met(epoch, "another server")

    def met(self, epoch, peer):
        """A client of this epoch has proved the id. Returns the address of the other client if there are two, and if
        that is to be reported now, else None."""
        met = self._met
        other = met[-1] if met else None
        known = [entry for entry in met if entry[0] == epoch]
        for entry in known:
            met.remove(entry)
        met.append((epoch, peer))
        del met[:-EPOCHS]
        if not known or other[0] == epoch:
            return None
        now, before = self._clock(), self._returned
        self._returned = now
        return None if before is not None and 0 <= now - before < ENDED_MS else other[1]
