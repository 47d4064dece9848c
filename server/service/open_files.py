"""The number of open files that the server may need, against the limit of the system."""


class OpenFiles:
    """Args: limit: of the system, or None; needed: files at the start; tell: function (limit, needed), called once,
    when more may be needed than the limit allows."""

    def __init__(self, limit, needed, tell):
        self._limit = limit
        self._needed = 0
        self._tell = tell
        self.add(needed)

    def add(self, count):
        """So many more files are needed from now on; below 0: fewer."""
        self._needed += count
        if self._tell is not None and self._limit is not None and self._limit < self._needed:
            tell, self._tell = self._tell, None
            tell(limit=self._limit, needed=self._needed)
