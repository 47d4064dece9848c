"""The receiving half of a session: order, de-duplication, reassembly, room.

A complete line, which is text without a newline, waits in `lines` until the adapter has handed it over or
stored it and calls `accept`: only that moves `ack`, the number that allows
the peer to forget. Knows nothing of frames' headers, MACs or time.

`take_records` may raise MemoryError: what it had not taken is as if it had not come,
once `disconnect` has been called. `accept`, `disconnect` and `start_at`
allocate nothing.
"""

from protocol import const
from protocol.frame import LENGTH, MORE, QOS0, RECORD_HEADER, RESERVED
from protocol.limits import MAX_LINE, RECEIVE_BYTES, RECORD_CHARGE, ROOM_UNIT
from protocol.lines import NUMBERS, text_in
from protocol.sequence import diff16

MAX_ROOM = 255  # units in the header's byte

_NO_TEXT = const("a line that is not UTF-8, or has a newline in it")


class Receiver:
    def __init__(self, max_bytes=RECEIVE_BYTES, max_line=MAX_LINE, line_in=text_in):
        """max_bytes must hold the longest line in its fragments, or it never arrives: see `receive_space.py`.

        line_in: function (memoryview, at, end) -> the line in it as `lines` is to have it, None if it is not UTF-8, or
        has a newline in it.
        """
        self._line_in = line_in
        self.max_bytes = max_bytes
        self.max_line = max_line
        self.ack = 0  # every line before this number is accepted
        self.next = 0  # number of the next line that is not completely received
        self.duplicates = 0  # records dropped because their line had been received
        self.lines = []  # complete lines as `line_in` gives them, oldest first, not yet accepted
        self._charges = []  # for each of them what it is charged: negative if it is not numbered
        self._held = 0  # bytes charged for all that is held
        self.seen = 0  # bytes charged on this connection, modulo 2**16
        self._partial = None  # bytearray of a line whose end has not come
        self._partial_charge = 0
        self._partial_unnumbered = 0  # QOS0 if its line has no number
        self._known = 0  # lines that are still to come in the frame and had been received

    def room(self):
        """Free space in units of ROOM_UNIT bytes, 0..255."""
        free = (self.max_bytes - self._held) // ROOM_UNIT
        return max(0, min(free, MAX_ROOM))

    def disconnect(self):
        """The connection is gone; a line that was cut off will come again."""
        if len(self._charges) > len(self.lines):  # there was no memory for the line
            self._charges.pop()
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
        lines, charges = self.lines, self._charges
        for _ in range(count):
            lines.pop(0)
            charge = charges.pop(0)
            if charge > 0:
                self._held -= charge
                self.ack = (self.ack + 1) & NUMBERS
            else:
                self._held += charge

    def take_records(self, number, data, at=0, end=None):
        """Take the records of one frame, whose first numbered line has these low 16 bits of its number.

        data: memoryview with the records in data[at:end]; `line_in` may need one byte more, behind them. Returns None
        or a fault; then nothing more of the connection may be used.
        """
        number = -diff16(number, self.next)  # how many of the frame's lines had been received
        if number < 0:
            return "gap: line %d came when %d was next" % (self.next - number, self.next)
        self._known = number
        if end is None:
            end = len(data)
        while at < end:
            at += RECORD_HEADER
            if at > end:
                return "record cut off"
            header = data[at - 2] << 8 | data[at - 1]
            if at + (header & LENGTH) > end:
                return "record cut off"
            number = self._record(header, data, at)
            if number:
                return number
            at += header & LENGTH
        return None

    # MicroPython takes memory from the heap for each call of a function with more than 11 places, for its locals and
    # for what it computes: to look for it takes longer than to call one function more. All that is called for a frame
    # or a line has less.

    def _record(self, header, data, at):
        """Returns None or a fault."""
        if header & RESERVED:
            return "record header %04x" % header
        end = at + (header & LENGTH)
        self.seen = (self.seen + end - at + RECORD_CHARGE) & 0xFFFF
        if self._known:
            self.duplicates += 1
            if not header & (MORE | QOS0):
                self._known -= 1
            return None
        if self._held + end - at + RECORD_CHARGE > self.max_bytes:
            return "more data than there was room for"
        if header & MORE or self._partial is not None:
            return self._fragment(header, data[at:end])
        if end - at > self.max_line:
            return self._too_long()
        data = self._line_in(data, at, end)
        if data is None:
            return _NO_TEXT
        self._keep(data, header, end - at + RECORD_CHARGE)
        self._held += end - at + RECORD_CHARGE
        return None

    def _keep(self, line, header, charge):
        header &= QOS0
        self._charges.append(-charge if header else charge)
        self.lines.append(line)
        if not header:
            self.next = (self.next + 1) & NUMBERS

    def _fragment(self, header, payload):
        if self._partial is None:
            if len(payload) > self.max_line:
                return self._too_long()
            self._partial = bytearray(payload)
            self._partial_unnumbered = header & QOS0
        elif self._partial_unnumbered != header & QOS0:
            return "fragments of two lines are mixed"
        elif len(self._partial) + len(payload) > self.max_line:
            return self._too_long()
        else:
            self._partial.extend(payload)
        self._partial_charge += len(payload) + RECORD_CHARGE
        self._held += len(payload) + RECORD_CHARGE
        return None if header & MORE else self._join(header)

    def _join(self, header):
        partial = self._partial
        partial.append(0)
        line = self._line_in(memoryview(partial), 0, len(partial) - 1)
        if line is None:
            return _NO_TEXT
        self._keep(line, header, self._partial_charge)
        self._partial = None
        self._partial_charge = 0
        return None

    def _too_long(self):
        return "line longer than %d bytes" % self.max_line

    def _drop_partial(self):
        self._held -= self._partial_charge
        self._partial = None
        self._partial_charge = 0
