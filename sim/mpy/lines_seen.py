"""The lines of one client as they cross its TCP connections, counted both ways: what a run has really moved.

Session frames are authenticated, not encrypted, so whoever stands between bridge and server can read them. Neither the
client nor the server is asked. `docs/protocol.md` sections 3 and 4 have the bytes.

    LinesSeen.connection() -> a Crossing: `to_server(bytes)` and `to_client(bytes)` for all that passes, in its order

Pure: no clock, no I/O. It does not check MACs: the network of the simulator has nobody else in it.
"""

from protocol import frame
from protocol.channel_records import CHANNEL, NOTICE
from protocol.framing import MIN_BODY, PREAMBLE, PREFIX
from protocol.handshake import EPOCH_AT, NONCE_AT
from protocol.limits import MAC_BYTES, MAX_LINE
from protocol.lines import NUMBERS, diff30
from protocol.receiver import Receiver
from protocol.sequence import diff16, get16

TO_SERVER, TO_CLIENT = "client -> server", "server -> client"
WAYS = (TO_SERVER, TO_CLIENT)
# Of the longest line in its smallest fragments, and of as many lines as fit a frame: what it holds is taken at once.
HELD_BYTES = 1 << 20
_WITH_RECORDS = (frame.DATA, frame.DATA_MORE, frame.PROBE, NOTICE)


class LineReceiver(Receiver):
    """Takes lines, and no records of channels. `unnumbered`: lines without a number that have come."""

    unnumbered = 0

    def _record(self, header, data, at):
        if header & CHANNEL:
            return None
        self.unnumbered += not self._known and header & (frame.QOS0 | frame.MORE) == frame.QOS0
        return Receiver._record(self, header, data, at)


class Direction:
    """The lines of one direction.

    `lines`: distinct lines that have crossed; `acknowledged`: of them, those whose acknowledgement has crossed back;
    `begun`: how often the numbers began anew.
    """

    def __init__(self):
        self.lines = self.acknowledged = self.begun = 0
        self._epoch = None
        self._into = LineReceiver(HELD_BYTES, MAX_LINE)
        self.base = 0  # the number up to which all is acknowledged

    @property
    def again(self):
        """Returns how many records of lines came once more, after an outage."""
        return self._into.duplicates

    @property
    def unnumbered(self):
        """Returns how many of the lines had qos=False: none of them is acknowledged, or sent again."""
        return self._into.unnumbered

    @property
    def next(self):
        """Returns the number of the first line that has not crossed."""
        return self._into.next

    @property
    def waiting(self):
        """Returns how many lines have crossed whose acknowledgement has not."""
        return max(0, diff30(self.next, self.base))

    def become(self, epoch):
        """Its sender has said which life of it speaks. Returns True if it is another one than before."""
        other = epoch != self._epoch
        self._epoch = epoch
        return other

    def disconnect(self):
        """The connection has ended: a line that was cut off comes again."""
        self._into.disconnect()

    def start_at(self, number):
        """The next line has this number, whatever came before."""
        self._into.start_at(number)
        self.base = number
        self.begun += 1

    def acknowledge(self, count):
        """As many lines more are acknowledged; what was already, or cannot be, counts for nothing."""
        count = min(count, self.waiting)
        if count > 0:
            self.acknowledged += count
            self.base = (self.base + count) & NUMBERS

    def take(self, number, data, at, end):
        """Takes the records in data[at:end] (bytearray, with a byte behind them). Returns a list of the lines that are
        complete and new, or None if they are not understood."""
        if self._into.take_records(number, memoryview(data), at, end):
            return None
        arrived = self._into.lines[:]
        self._into.accept(len(arrived))
        self.lines += len(arrived)
        return arrived


class LinesSeen:
    """One client's lines. Args: on_line(way, text without its newline), on_frame(way, frame without its prefix), or
    None. `ways`: way -> Direction; `faults`: connections that could not be understood."""

    def __init__(self, on_line=None, on_frame=None):
        self.ways = {way: Direction() for way in WAYS}
        self.faults = 0
        self.on_line = on_line
        self.on_frame = on_frame

    def connection(self):
        """Returns the Crossing of a new connection."""
        return Crossing(self)

    @property
    def delivered(self):
        """Returns how many lines were acknowledged, of both ways."""
        return sum(direction.acknowledged for direction in self.ways.values())


class Crossing:
    """One connection. Made by LinesSeen."""

    def __init__(self, seen):
        self._seen = seen
        self._buffers = {TO_SERVER: bytearray(), TO_CLIENT: bytearray()}
        self._preamble = len(PREAMBLE)
        self._fresh = set()  # ways whose sender has another life than on the connection before
        self._broken = False
        for direction in seen.ways.values():
            direction.disconnect()

    def to_server(self, data):
        """Takes bytes that pass on from the bridge to the server."""
        self._feed(TO_SERVER, data)

    def to_client(self, data):
        self._feed(TO_CLIENT, data)

    def _feed(self, way, data):
        if self._broken:
            return
        buffer = self._buffers[way]
        buffer += data
        if way == TO_SERVER and self._preamble:
            if len(buffer) < self._preamble:
                return
            if buffer[: self._preamble] != PREAMBLE:
                self._break()
                return
            del buffer[: self._preamble]
            self._preamble = 0
        while len(buffer) >= PREFIX and not self._broken:
            size = PREFIX + get16(buffer, 0)
            if len(buffer) < size:
                return
            body = buffer[PREFIX:size]
            del buffer[:size]
            if body:
                self._frame(way, body)

    def _break(self):
        self._broken = True
        self._seen.faults += 1

    def _frame(self, way, body):
        if self._seen.on_frame is not None:
            self._seen.on_frame(way, body)
        kind, end = body[0], len(body) - MAC_BYTES
        if len(body) < MIN_BODY:
            self._break()
        elif kind in (frame.HELLO, frame.WELCOME) and len(body) >= NONCE_AT:
            if self._seen.ways[way].become(body[EPOCH_AT:NONCE_AT]):
                self._fresh.add(way)
        elif kind == frame.RESUME and frame.is_resume(body, end):
            self._resume(way, frame.Resume(body[:end]))
        elif kind in _WITH_RECORDS and end >= frame.DATA_HEADER:
            self._data(way, body, end)

    def _resume(self, way, resume):
        """The sender tells where its lines begin, and how far it knows those of the other end."""
        own, other = self._seen.ways[way], self._seen.ways[_back(way)]
        if way in self._fresh or resume.parted or diff30(resume.base, own.next) > 0:
            own.start_at(resume.base)
        if resume.remembered and _back(way) not in self._fresh:
            other.acknowledge(diff30(resume.ack, other.base))

    def _data(self, way, body, end):
        own, other = self._seen.ways[way], self._seen.ways[_back(way)]
        other.acknowledge(diff16(get16(body, 3), other.base & 0xFFFF))
        arrived = own.take(get16(body, 1), body, frame.DATA_HEADER, end)
        if arrived is None:
            self._break()
            return
        if self._seen.on_line is not None:
            for line in arrived:
                self._seen.on_line(way, line.rstrip("\n"))


def _back(way):
    return TO_CLIENT if way == TO_SERVER else TO_SERVER
