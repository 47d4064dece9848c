"""Room for connections that have not proved who they are, shared so that whoever takes most of it is hurt first."""

from primitives.timeout import Timeout


class Places:
    """Args: count: of places; grace_ms: for which one is its owner's own. What takes one has an `address`."""

    def __init__(self, count, grace_ms):
        self._count = count
        self._grace_ms = grace_ms
        self._taken = []  # (who, Timeout of its grace), the oldest first

    def take(self, newcomer):
        """Returns who has to go: None, or the newcomer itself, or the oldest of the address that has most places.

        A newcomer whose address has as many gets the place of one whose grace
        is over, or none. So one address keeps nobody else out, whatever it
        sends; and where very many come at once, be it in anger or after a
        power cut, those who have a place can finish, and the others come again.
        """
        leaving = self._leaving(newcomer) if len(self._taken) >= self._count else None
        if leaving is not newcomer:
            self.leave(leaving)
            self._taken.append((newcomer, Timeout(self._grace_ms)))
        return leaving

    def leave(self, one):
        self._taken = [entry for entry in self._taken if entry[0] is not one]

    def __len__(self):
        return len(self._taken)

    def _leaving(self, newcomer):
        counts = {}
        for one, _ in self._taken:
            counts[one.address] = counts.get(one.address, 0) + 1
        most = max(counts.values())
        oldest, grace = [entry for entry in self._taken if counts[entry[0].address] == most][0]
        richer = counts.get(newcomer.address, 0) + 1 < most
        return oldest if richer or grace.expired() else newcomer
