"""Room for connections that have not proved who they are, shared so that whoever takes most of it is hurt first."""


class Places:
    """Args: count: of places. What takes one has an `address`."""

    def __init__(self, count):
        self._count = count
        self._taken = []  # oldest first

    def take(self, newcomer):
        """Returns what has to go for it, or None: the oldest of the address that has most places.

        So one address keeps nobody else out, whatever it sends; and many
        together have to fill all places within the time that a handshake
        takes, again and again.
        """
        leaving = self._greediest() if len(self._taken) >= self._count else None
        if leaving is not None:
            self._taken.remove(leaving)
        self._taken.append(newcomer)
        return leaving

    def leave(self, one):
        if one in self._taken:
            self._taken.remove(one)

    def __len__(self):
        return len(self._taken)

    def _greediest(self):
        counts = {}
        for one in self._taken:
            counts[one.address] = counts.get(one.address, 0) + 1
        most = max(counts.values())
        for one in self._taken:
            if counts[one.address] == most:
                return one
