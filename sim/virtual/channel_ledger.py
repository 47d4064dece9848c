"""The ledger of one channel: the promise for messages of which some may expire, in each direction.

Both ends note each message that is written, with its time limit if it has one, and what `send` said of it: accepted, or
Expired. Like the lines' ledger, this one knows nothing of how the link works. What the promise says, and is checked:

- Messages are read in the order in which they were written, each once, unaltered, on their own channel.
- One without a limit is read, unless a life of the client that has ended wrote it and had not been told that it was
  accepted; or the process of the server that wrote it was killed before `send` returned.
- One with a limit is read, or has expired. If `send` said accepted, it is read; if it said Expired, it is not, and the
  limit had passed. If nobody was told, because `send` did not wait or its program was killed, both may be.
- What a life of the client had read when it ended, and had not acknowledged, is read again by the next one, from some
  message on in one piece, or has expired meanwhile: then the server's `send` says Expired, although the life that has
  ended had read it. What the server's process was told to be accepted is not read again by a later life, if this
  process went on: one that is killed may not have stored it.
"""

from collections import namedtuple

from sim import checker
from sim.virtual.ledger import Ledger

ACCEPTED, EXPIRED = "accepted", "Expired"
# A clock of whole milliseconds at either end of a limit.
CLOCK_S = 0.002

# What `send` said. at: world's time; lives, processes: of client and server that had begun.
Report = namedtuple("Report", "said at lives processes")
Limit = namedtuple("Limit", "ttl_ms at")


class ChannelLedger(Ledger):
    """The messages of one channel. Args: world: for times; lines: number of messages that each end writes."""

    def __init__(self, world, lines):
        super().__init__(world, lines)
        self.processes = 0  # of the server
        self.limits = {}  # message -> Limit, of those that have one
        self.reports = {}  # message -> Report, of those whose `send` waited and has returned

    def limited(self, message, ttl_ms):
        """A message that is about to be sent has a limit."""
        self.limits[message] = Limit(ttl_ms, self._world.now)

    def reported(self, message, said):
        """`send` of this message waited, and has returned."""
        self.reports[message] = Report(said, self._world.now, len(self.lives), self.processes)
        if said == EXPIRED and self._world.tracer is not None:
            self._world.trace("ledger", f"{message[:16]} has expired")
        if self.on_change is not None:
            self.on_change()

    @property
    def expired(self):
        """Returns how many messages were reported as Expired."""
        return sum(report.said == EXPIRED for report in self.reports.values())

    @property
    def delivered(self):
        return super().delivered + self.expired

    def _said(self, message):
        report = self.reports.get(message)
        return None if report is None else report.said

    def _may_expire(self, message):
        """True if the promise does not require that it is read."""
        return message in self.limits and self._said(message) != ACCEPTED

    def may_be_lost(self, message):
        """True if the server's message need not be read."""
        return message in self.unfinished or self._may_expire(message)

    def _may_go(self, life, index):
        """True if this message of a life of the client need not be read."""
        lost = life is not self.lives[-1] and index >= life.acknowledged
        return lost or self._may_expire(life.written[index])

    def complete(self):
        """Returns True if every write has returned and all required messages may be delivered: `verdict` counts."""
        if not (self.finished and self.lives and self.lives[-1].finished):
            return False
        last = next((one for one in reversed(self.server_written) if not self.may_be_lost(one)), None)
        if last is not None and not any(last in life.read for life in reversed(self.lives)):
            return False
        for life in self.lives:
            required = [one for index, one in enumerate(life.written) if not self._may_go(life, index)]
            if required and required[-1] not in self.server_read:
                return False
        return True

    def verdict(self):
        """Returns checker's counts (client to server, server to client), without what is excused. `untrue`: messages of
        which `send` said what is not so."""
        return self._verdict_there(), self._verdict_back()

    def _verdict_there(self):
        counts = checker.compare(self.client_written, self.server_read)
        read = set(self.server_read)
        written = [(life, index, one) for life in self.lives for index, one in enumerate(life.written)]
        counts["lost"] = sum(one not in read and not self._may_go(life, index) for life, index, one in written)
        counts["untrue"] = sum(
            self._said(one) == EXPIRED and (one in read or self._is_early(one)) for _, _, one in written
        )
        return counts

    def _verdict_back(self):
        counts = checker.compare(self.server_written, ())
        readings = _Readings(self, counts)
        for number, life in enumerate(self.lives):
            readings.of_life(number, life.read)
        read = readings.last_life
        missing = {one for one in self.server_written if one not in read and not self.may_be_lost(one)}
        counts["delivered"] = len(read)
        counts["lost"] = len(missing | readings.passed_over)
        counts["untrue"] = 0
        for one, report in self.reports.items():
            if report.said == EXPIRED and one in readings.place:
                # A life that has read it was still there: it would have acknowledged it.
                counts["untrue"] += self._is_early(one) or report.lives <= read.get(one, -1) + 1
        self.seen_twice = readings.repeated
        return counts

    def _is_early(self, message):
        """True if it was reported as Expired before its limit had passed."""
        limit = self.limits.get(message)
        return limit is None or self.reports[message].at < limit.at + limit.ttl_ms / 1000 - CLOCK_S

    def is_final(self, message, life):
        """True if the server had been told, before this life (its number) began, that the message was accepted."""
        report = self.reports.get(message)
        if report is None or report.said != ACCEPTED:
            return False
        return report.lives <= life and report.processes == self.processes


class _Readings:
    """What the lives of the client have read, one after the other. Args: counts: `corrupted` and so on are added."""

    def __init__(self, ledger, counts):
        self.place = {one: index for index, one in enumerate(ledger.server_written)}
        self.last_life = {}  # message -> number of the last life that has read it
        self.passed_over = set()  # messages that were not read between others, and cannot have expired
        self.repeated = 0
        self._ledger = ledger
        self._counts = counts
        self._reached = -1  # place of the last one that was read

    def of_life(self, number, read):
        last = None  # place of the one before, in this life
        seen = set()
        for one in read:
            at = self.place.get(one)
            if at is None:
                self._counts["corrupted"] += 1
            elif one in seen or one in self.last_life and self._ledger.is_final(one, number):
                self._counts["duplicated"] += 1
            elif last is not None and at < last:
                self._counts["reordered"] += 1
                self.passed_over.discard(one)
            else:
                self._in_order(at, last)
                last = at
            if at is not None:
                self.repeated += one in self.last_life and one not in seen
                seen.add(one)
                self.last_life[one] = number

    def _in_order(self, at, last):
        before = min(self._reached, at - 1) if last is None else last
        for one in self._ledger.server_written[before + 1 : at]:
            if not self._ledger.may_be_lost(one):
                self.passed_over.add(one)
        self._reached = max(self._reached, at)
