"""What the applications of a run wrote and read, and nothing of how the link works. sim/checker.py judges it.

Lines are kept per life of the client: what a life had not delivered when it lost power goes with its RAM, and lines
to it that it may have read but not acknowledged may be seen by the next life, one line at most (the promise table).
"""


class Ledger:
    """Lines written and read, in order, with the time of the last one read."""

    def __init__(self, world):
        self._world = world
        self.written = {"client": [], "server": []}
        self.read = {"client": [], "server": []}
        self.last_read = {"client": None, "server": None}
        self.on_read = None  # function()

    def wrote(self, end, line):
        self.written[end].append(line)
        self._world.trace(end, f"> {line[:24]}")

    def has_read(self, end, line):
        self.read[end].append(line)
        self.last_read[end] = self._world.now
        self._world.trace(end, f"< {line[:24]}")
        if self.on_read is not None:
            self.on_read()

    @property
    def delivered(self):
        return len(self.read["client"]) + len(self.read["server"])
