"""Places for connections that have not authenticated yet.

When places run out, the address that holds the most is the first to lose one.
"""

from collections import OrderedDict

from primitives.timeout import Timeout


class Admission:
    """A bounded number of places for newcomers. A newcomer is an object that has an `address`.

    Args: count: number of places; grace_ms: for how long a place is protected against some newcomers, see `enter`.
    """

    def __init__(self, count, grace_ms):
        self._count = count
        self._grace_ms = grace_ms
        self._taken = OrderedDict()  # newcomer -> Timeout of its grace, the oldest first

    def enter(self, newcomer):
        """Give the newcomer a place. Returns which object loses its place: None, another one, or the newcomer itself.

        If all places are taken, the oldest of the address that has most of them is removed. If the newcomer's own
        address has as many, the newcomer gets the place only if the grace of that one is over. So one address cannot
        keep the others out, whatever it sends. If very many connect at once, in an attack or after a power cut, those
        that have a place can finish, and the others try again.
        """
        leaving = self._leaving(newcomer) if len(self._taken) >= self._count else None
        if leaving is not newcomer:
            self.leave(leaving)
            self._taken[newcomer] = Timeout(self._grace_ms)
        return leaving

    def leave(self, one):
        """Free the place of this object, if it has one."""
        self._taken.pop(one, None)

    def __len__(self):
        return len(self._taken)

    def _leaving(self, newcomer):
        counts = {}
        for one in self._taken:
            counts[one.address] = counts.get(one.address, 0) + 1
        most = max(counts.values())
        oldest = [one for one in self._taken if counts[one.address] == most][0]
        poorer = counts.get(newcomer.address, 0) + 1 < most
        return oldest if poorer or self._taken[oldest].expired() else newcomer
