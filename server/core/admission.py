"""Room for connections that have not proved who they are.

It is shared so that the address which takes most of it is the first to lose some.
"""

from primitives.timeout import Timeout


class Admission:
    """A bounded number of places for newcomers, objects that have an `address`.

    Args: count: of places; grace_ms: for how long a place is its owner's own.
    """

    def __init__(self, count, grace_ms):
        self._count = count
        self._grace_ms = grace_ms
        self._taken = []  # (who, Timeout of its grace), the oldest first

    def enter(self, newcomer):
        """Give the newcomer a place. Returns who has to go for it: None, or another one, or the newcomer itself.

        If all places are taken, the oldest of the address that has most of them has to go. If the newcomer's own
        address has as many, it gets the place only if the grace of that one is over. So one address keeps nobody else
        out, whatever it sends. Where very many come at once, in an attack or after a power cut, those who have a place
        can finish, and the others come again.
        """
        leaving = self._leaving(newcomer) if len(self._taken) >= self._count else None
        if leaving is not newcomer:
            self.leave(leaving)
            self._taken.append((newcomer, Timeout(self._grace_ms)))
        return leaving

    def leave(self, one):
        """Give back the place that this one has, if it has one."""
        self._taken = [entry for entry in self._taken if entry[0] is not one]

    def __len__(self):
        return len(self._taken)

    def _leaving(self, newcomer):
        counts = {}
        for one, _ in self._taken:
            counts[one.address] = counts.get(one.address, 0) + 1
        most = max(counts.values())
        oldest, grace = [entry for entry in self._taken if counts[entry[0].address] == most][0]
        poorer = counts.get(newcomer.address, 0) + 1 < most
        return oldest if poorer or grace.expired() else newcomer
