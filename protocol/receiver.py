"""The receiving half of a session: order, de-duplication, reassembly, room.

A complete line, which is text without a newline, waits in `lines` until the adapter has handed it over or
stored it and calls `accept`: only that moves `ack`, the number that allows
the peer to forget. Knows nothing of frames' headers, MACs or time.

`take_records` may raise MemoryError: what it had not taken is as if it had not come,
once `disconnect` has been called. `accept`, `disconnect` and `start_at`
allocate nothing.
"""

from protocol.frame import LENGTH, MORE, QOS0, RECORD_HEADER, RESERVED
from protocol.limits import MAX_LINE, RECEIVE_BYTES, RECORD_CHARGE, ROOM_UNIT
from protocol.lines import NUMBERS, diff30, line_fault
from protocol.sequence import diff16, get16

MAX_ROOM = 255  # units in the header's byte


class Receiver:
    def __init__(self, max_bytes=RECEIVE_BYTES, max_line=MAX_LINE):
        """max_bytes must hold the longest line in its fragments, or it never arrives: see `receive_space.py`."""
        self.max_bytes = max_bytes
        self.max_line = max_line
        self.ack = 0  # every line before this number is accepted
        self.next = 0  # number of the next line that is not completely received
        self.duplicates = 0  # records dropped because their line had been received
        self.lines = []  # complete lines (bytes), oldest first, not yet accepted
        self._charges = []  # for each of them what it is charged: negative if it is not numbered
        self._held = 0  # bytes charged for all that is held
        self.seen = 0  # bytes charged on this connection, modulo 2**16
        self._partial = None  # bytearray of a line whose end has not come
        self._partial_charge = 0
        self._partial_unnumbered = 0  # QOS0 if its line has no number

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
        """The peer begins a new epoch, or has lost lines that it had acknowledged: its
        next line is number. Lines still held stay, and acknowledge nothing
        when they are accepted.
        """
        for i in range(len(self._charges)):
            self._charges[i] = -abs(self._charges[i])
        self.ack = self.next = number

    def accept(self, count=1):
        """The oldest count lines are handed over or stored: acknowledge them."""
        for _ in range(count):
            self.lines.pop(0)
            charge = self._charges.pop(0)
            self._held -= abs(charge)
            if charge > 0:
                self.ack = (self.ack + 1) & NUMBERS

    def take_records(self, number, body):
        """Take the records of one frame, whose first numbered line has these low 16 bits of its number.

        body: memoryview of the records. Returns None or a fault; then nothing
        more of the connection may be used.
        """
        number = (self.next + diff16(number, self.next)) & NUMBERS  # no local more: see `_record`
        if diff30(number, self.next) > 0:
            return "gap: line %d came when %d was next" % (number, self.next)
        at = 0
        while at < len(body):
            if at + RECORD_HEADER > len(body):
                return "record cut off"
            header = get16(body, at)
            at += RECORD_HEADER
            n = header & LENGTH
            if header & RESERVED:
                return "record header %04x" % header
            if at + n > len(body):
                return "record cut off"
            fault = self._record(number, header, body[at : at + n])
            if fault:
                return fault
            at += n
            if not header & (MORE | QOS0):
                number = (number + 1) & NUMBERS
        return None

    def _record(self, number, header, payload):
        charge = len(payload) + RECORD_CHARGE
        self.seen = (self.seen + charge) & 0xFFFF
        if number != self.next:  # only smaller: the numbers of a frame have no gaps
            self.duplicates += 1
            return None
        if self._held + charge > self.max_bytes:
            return "more data than there was room for"
        if self._partial is None:  # no local for `unnumbered`: one more, and MicroPython takes the frame from the heap
            if not header & MORE and len(payload) <= self.max_line:
                fault = self._complete(bytes(payload), header & QOS0, charge)
                if not fault:
                    self._held += charge
                return fault
            self._partial = bytearray()
            self._partial_unnumbered = header & QOS0
        elif self._partial_unnumbered != header & QOS0:
            return "fragments of two lines are mixed"
        if len(self._partial) + len(payload) > self.max_line:
            return "line longer than %d bytes" % self.max_line
        self._partial.extend(payload)
        self._partial_charge += charge
        self._held += charge
        if not header & MORE:
            fault = self._complete(bytes(self._partial), header & QOS0, self._partial_charge)
            if fault:
                self._drop_partial()
            self._partial = None
            self._partial_charge = 0
            return fault
        return None

    def _complete(self, data, unnumbered, charge):
        """Returns None or a fault; then the line is not taken."""
        fault = line_fault(data)
        if not fault:  # else nobody is to store it: it would be met again by each reader
            self._charges.append(-charge if unnumbered else charge)
            self._keep(data)
            if not unnumbered:
                self.next = (self.next + 1) & NUMBERS
        return fault

    def _keep(self, data):  # apart: with this in it the frame of _complete would be too big for MicroPython's stack
        try:
            self.lines.append(data)
        except MemoryError:
            self._charges.pop()
            raise

    def _drop_partial(self):
        self._partial = None
        self._held -= self._partial_charge
        self._partial_charge = 0
