"""The receiving half of a session: order, de-duplication, reassembly, room.

A complete line, which is text without a newline, waits in `lines` until the adapter has handed it over or
stored it and calls `accept`: only that moves `ack`, the number that allows
the peer to forget. Knows nothing of frames' headers, MACs or time.
"""

from protocol.frame import LENGTH, MORE, QOS0, RECORD_HEADER, record_fault
from protocol.limits import MAX_LINE, RECEIVE_BYTES, RECORD_CHARGE, ROOM_UNIT
from protocol.lines import diff16, line_fault
from protocol.serial import get16

MAX_ROOM = 255  # units in the header's byte


class Receiver:
    def __init__(self, max_bytes=RECEIVE_BYTES, max_line=MAX_LINE):
        """max_bytes must hold the longest line in its fragments, or it never arrives."""
        self.max_bytes = max_bytes
        self.max_line = max_line
        self.ack = 0  # every line before this number is accepted
        self.next = 0  # number of the next line that is not completely received
        self.duplicates = 0  # records dropped because their line had been received
        self.lines = []  # complete lines (bytes), oldest first, not yet accepted
        self._kinds = []  # for each of them: True if it is numbered
        self._charges = []  # and what it is charged
        self._held = 0  # bytes charged for all that is held
        self.seen = 0  # bytes charged on this connection, modulo 2**16
        self._partial = None  # bytearray of a line whose end has not come
        self._partial_charge = 0
        self._partial_kind = 0

    @property
    def room(self):
        """Free space in units of ROOM_UNIT bytes, 0..255."""
        free = (self.max_bytes - self._held) // ROOM_UNIT
        return max(0, min(free, MAX_ROOM))

    def disconnect(self):
        """The connection is gone; a line that was cut off will come again."""
        self._drop_partial()
        self.seen = 0

    def start_at(self, number):
        """The peer begins a new life, or has lost its memory of this one: its
        next line is number. Lines still held stay, and acknowledge nothing
        when they are accepted.
        """
        self._kinds = [False] * len(self._kinds)
        self.ack = self.next = number

    def ack_after(self, count):
        """What `ack` will be when the oldest count lines are accepted."""
        return (self.ack + sum(self._kinds[:count])) & 0xFFFF

    def accept(self, count=1):
        """The oldest count lines are handed over or stored: acknowledge them."""
        for _ in range(count):
            self.lines.pop(0)
            self._held -= self._charges.pop(0)
            if self._kinds.pop(0):
                self.ack = (self.ack + 1) & 0xFFFF

    def take(self, number, body):
        """Take the records of one frame, whose first numbered line is number.

        body: memoryview of the records. Returns None or a fault; then nothing
        more of the connection may be used.
        """
        if diff16(number, self.next) > 0:
            return "gap: line %d came when %d was next" % (number, self.next)
        at = 0
        while at < len(body):
            if at + RECORD_HEADER > len(body):
                return "record cut off"
            header = get16(body, at)
            at += RECORD_HEADER
            n = header & LENGTH
            fault = record_fault(header)
            if fault or at + n > len(body):
                return fault or "record cut off"
            fault = self._record(number, header, body[at : at + n])
            if fault:
                return fault
            at += n
            if not header & (MORE | QOS0):
                number = (number + 1) & 0xFFFF
        return None

    def _record(self, number, header, payload):
        charge = len(payload) + RECORD_CHARGE
        self.seen = (self.seen + charge) & 0xFFFF
        if number != self.next:  # only smaller: the numbers of a frame have no gaps
            self.duplicates += 1
            return None
        self._held += charge
        if self._held > self.max_bytes:
            self._held -= charge
            return "more data than there was room for"
        kind = header & QOS0
        if self._partial is None:
            if not header & MORE and len(payload) <= self.max_line:
                return self._complete(bytes(payload), kind, charge)
            self._partial = bytearray()
            self._partial_kind = kind
        elif self._partial_kind != kind:
            self._held -= charge
            return "fragments of two lines are mixed"
        self._partial.extend(payload)
        self._partial_charge += charge
        if len(self._partial) > self.max_line:
            return "line longer than %d bytes" % self.max_line
        if not header & MORE:
            data, charge = bytes(self._partial), self._partial_charge
            self._partial = None
            self._partial_charge = 0
            return self._complete(data, kind, charge)
        return None

    def _complete(self, data, kind, charge):
        fault = line_fault(data)
        if fault:  # here, before anybody stores it: it would be met again by each reader
            self._held -= charge
            return fault
        self.lines.append(data)
        self._kinds.append(not kind)
        if not kind:
            self.next = (self.next + 1) & 0xFFFF
        self._charges.append(charge)
        return None

    def _drop_partial(self):
        self._partial = None
        self._held -= self._partial_charge
        self._partial_charge = 0
