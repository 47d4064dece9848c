"""The ledger: lines that the applications of a run wrote and read, compared with the promise (docs/simulator.md).

It knows nothing of how the link works. Lines are kept per life of the client. Lines that a life had not acknowledged
when it lost power are lost with its RAM. Lines whose acknowledgement was lost with it are read once more by the next
life: they are counted, but not as duplicates.
"""

from sim import checker


class Ledger:
    """The lines of one run. Args: world: for times; lines: number that each end writes in all."""

    def __init__(self, world, lines):
        self._world = world
        self.lines = lines
        self.lives = []  # of the client
        self.server_written = []
        self.server_read = []
        self.unfinished = []  # lines whose write had not returned when the server's process was killed
        self.last_read_s = 0.0
        self.seen_twice = 0  # lines that were read by two lives, one after the other
        self.finished = False  # every write of the server has returned
        self.on_change = None  # function()

    def new_life(self):
        self.lives.append(ClientLife())
        return self.lives[-1]

    @property
    def client_written(self):
        return [line for life in self.lives for line in life.written]

    @property
    def client_next(self):
        """Returns the number of the client's next line: its application keeps it beyond a loss of power."""
        return sum(len(life.written) for life in self.lives)

    def wrote(self, where, end, line):
        where.append(line)
        if self._world.tracer is not None:
            self._world.trace(end, f"> {line[:16]}")

    def has_read(self, where, end, line):
        where.append(line)
        self.last_read_s = self._world.now - self._world.begin_s
        if self._world.tracer is not None:
            self._world.trace(end, f"< {line[:16]}")
        if self.on_change is not None:
            self.on_change()

    def has_finished(self, writer):
        """Notes that all writes of the server (self), or of a ClientLife, have returned."""
        writer.finished = True
        if self.on_change is not None:
            self.on_change()

    @property
    def delivered(self):
        return len(self.server_read) + sum(len(life.read) for life in self.lives)

    def complete(self):
        """Returns True if every write has returned and all required lines may be delivered: `verdict` counts them."""
        if not (self.finished and self.lives and self.lives[-1].finished):
            return False
        last = next((line for line in reversed(self.server_written) if line not in self.unfinished), None)
        if last is not None and not any(last in life.read for life in reversed(self.lives)):
            return False
        required = [line for life in self.lives[:-1] for line in life.written[: life.acknowledged][-1:]]
        required += self.lives[-1].written[-1:]
        return not required or required[-1] in self.server_read

    def verdict(self):
        """Returns checker's counts (client to server, server to client), without what is excused."""
        there = checker.compare(self.client_written, self.server_read)
        there["lost"] -= self._gone_with_power()
        read = []
        self.seen_twice = 0
        for life in self.lives:
            repeated = _overlap(read, life.read)
            self.seen_twice += repeated
            read += life.read[repeated:]
        back = checker.compare(self.server_written, read)
        back["lost"] -= sum(line not in read for line in self.unfinished)
        return there, back

    def _gone_with_power(self):
        read = set(self.server_read)
        return sum(line not in read for life in self.lives[:-1] for line in life.written[life.acknowledged :])


def _overlap(before, after):
    """Returns how many lines at the beginning of `after` were in `before`, up to the end of either life, in order."""
    if not after or after[0] not in before:
        return 0
    again = before[len(before) - 1 - before[::-1].index(after[0]) :]
    count = min(len(again), len(after))
    return count if again[:count] == after[:count] else 0


class ClientLife:
    def __init__(self):
        self.written = []
        self.read = []
        self.finished = False  # every write has returned
        self.acknowledged = 0  # of the lines written: the last write that waited has returned
