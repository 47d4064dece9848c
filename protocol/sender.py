"""The sending half of a session: lines that wait, and lines that were sent
and wait for their acknowledgement.

Numbered lines (qos 1) are kept until the peer has accepted them; `resume`
puts the unacknowledged ones back in front of the queue. A line of qos 0 is
forgotten as soon as it has been put into a frame, or when the connection ends.
Knows nothing of frames' headers, MACs or time.

`append` is the only method that keeps anything new, and either does it or
raises MemoryError. `disconnect` allocates nothing: it is how an end that has
run out of memory finds its way back.
"""

from protocol.frame import LENGTH, MORE, QOS0, RECORD_HEADER
from protocol.limits import MAX_LINE, MIN_FIRST, MIN_FRAGMENT, RECORD_CHARGE, SEND_BYTES, SEND_LINES
from protocol.lines import NUMBERS, diff30
from protocol.sequence import diff16, put16


class Sender:
    def __init__(self, max_lines=SEND_LINES, max_bytes=SEND_BYTES):
        self.max_lines = max_lines
        self.max_bytes = max_bytes
        self.max_line = MAX_LINE  # bytes of the longest line that the peer takes: a longer one is held
        self.base = 0  # number of the oldest line that is not acknowledged
        self.reached = 0  # number of the first line that no earlier connection can have carried whole
        self.acknowledged = 0  # lines acknowledged since this object was made, for waiters
        self.lines = []  # (bytes, numbered), oldest first: those sent, all numbered, from `base` on; and those not yet
        self._retained = 0  # how many of them have been sent
        self._held = 0  # bytes in them
        self._offset = 0  # bytes that have been sent of the first that has not
        self._numbered = 0  # numbered lines ever admitted
        self.sent = 0  # bytes charged on this connection, modulo 2**16
        self._credit = 0  # bytes that may still be sent on it
        self._room = 0  # bytes that the peer had room for when it told last
        self.asked = 0  # `sent` when an acknowledgement was asked for last
        self._unasked_lines = 0  # numbered lines sent since

    def start_at(self, number):
        """The oldest line that is not acknowledged has this number, and none from it on has been sent: for a fresh
        Sender, or one whose peer does not know any of its numbers."""
        self.base = self.reached = number

    def room_for(self, size):
        """True if a line of this many bytes can be admitted now."""
        lines = len(self.lines)
        return lines == 0 or (lines < self.max_lines and self._held + size <= self.max_bytes)

    def append(self, data, numbered):
        """Admit a line (bytes). Ask `room_for` first.

        Returns: how many numbered lines must have been acknowledged for this
        one to be (compare with `acknowledged`); 0 for a line of qos 0.
        """
        self.lines.append((data, numbered))
        self._held += len(data)
        if not numbered:
            return 0
        self._numbered += 1
        return self._numbered

    def number(self):
        """Number of the first numbered line that is not completely sent."""
        return (self.base + self._retained) & NUMBERS

    def longest_held(self):
        """Bytes of the longest line that has not been sent, and that the peer does not take; 0 if there is none."""
        longest = 0
        for i in range(self._retained, len(self.lines)):
            longest = max(longest, len(self.lines[i][0]))
        return longest if longest > self.max_line else 0

    def acknowledge(self, ack):
        """Forget the lines before the number with these low 16 bits. Returns None or a fault."""
        count = diff16(ack, self.base)
        if count < 0:
            return None  # an old acknowledgement, overtaken on the way
        if count > self._retained:
            return "acknowledgement of a line that was not sent"
        self._forget(count)
        self._retained -= count
        return None

    def _forget(self, count):
        """The oldest count lines, all numbered, are accepted."""
        self.base = (self.base + count) & NUMBERS
        self.acknowledged += count
        lines, held = self.lines, self._held
        while count:
            held -= len(lines.pop(0)[0])
            count -= 1
        self._held = held

    def grant(self, seen, room):
        """The peer has seen this many charged bytes and can take room more."""
        self._credit = room - ((self.sent - seen) & 0xFFFF)
        self._room = room

    def in_flight(self, seen):
        """Charged bytes sent that the peer has not seen."""
        return (self.sent - seen) & 0xFFFF

    def disconnect(self):
        """The connection is gone: what it carried may be lost."""
        if diff30(self.number(), self.reached) > 0:
            self.reached = self.number()
        self._credit = 0
        self._offset = 0
        self.sent = self.asked = self._unasked_lines = 0
        self._retained = 0
        lines = self.lines
        i = 0
        while i < len(lines):
            if lines[i][1]:
                i += 1
            else:
                self._held -= len(lines.pop(i)[0])

    def resume(self, ack, peer_next):
        """The peer, on a new connection, has accepted the lines before ack and
        received those before peer_next. Returns None, or a fault: it is not our lines that it knows.

        What it has received and not accepted is kept: it may still lose it. What it has lost of the acknowledged
        ones is gone: we begin at `base` in any case.
        """
        accepted = max(0, diff30(ack, self.base))
        received = max(0, diff30(peer_next, self.base))
        if not accepted <= received <= diff30(self.reached, self.base):
            return "resume at lines %d, %d, held from %d, sent to %d" % (ack, peer_next, self.base, self.reached)
        self._forget(accepted)
        self._retained = received - accepted
        return None

    def can_fill(self):
        """True if `fill` would write something into a frame with space."""
        lines, first = self.lines, self._retained
        if first == len(lines):
            return False
        size = len(lines[first][0])
        return size <= self.max_line and self._credit >= RECORD_CHARGE + min(size - self._offset, MIN_FRAGMENT)

    def fill(self, buf, at, end):
        """Write records into buf[at:end] as far as space and credit go. Returns the new at."""
        lines = self.lines
        while self._retained < len(lines):
            start = at
            at = self.put(buf, at, end)
            if at == start:
                break
        return at

    # These have less than 12 places for locals and for what they compute: see receiver.py.

    def put(self, buf, at, end):
        """Write one record. Returns the new at, or at if it cannot be."""
        data = self.lines[self._retained]
        if self._offset or not data[1]:
            return self._put_part(buf, at, end)
        data = data[0]
        n = len(data)
        if n > end - at - RECORD_HEADER or n > LENGTH or n + RECORD_CHARGE > self._credit or n > self.max_line:
            return self._put_part(buf, at, end)
        buf[at] = n >> 8
        buf[at + 1] = n & 0xFF
        at += RECORD_HEADER
        buf[at : at + n] = data
        at += n
        n += RECORD_CHARGE
        self.sent = (self.sent + n) & 0xFFFF
        self._credit -= n
        self._retained += 1
        self._unasked_lines += 1
        return at

    def _put_part(self, buf, at, end):
        """Write a record of any kind: as much of the line as there is space and credit for."""
        if not self.can_fill():
            return at
        data, numbered = self.lines[self._retained]
        left = len(data) - self._offset
        n = end - at - RECORD_HEADER
        n = min(n, left, self._credit - RECORD_CHARGE, LENGTH)
        if n < left and n < (MIN_FRAGMENT if self._offset else MIN_FIRST):
            return at
        end = n if numbered else n | QOS0
        put16(buf, at, end | MORE if n < left else end)
        at += RECORD_HEADER
        end = self._offset + n
        data = memoryview(data)[self._offset : end]
        buf[at : at + n] = data
        self.sent = (self.sent + n + RECORD_CHARGE) & 0xFFFF
        self._credit -= n + RECORD_CHARGE
        self._offset = end
        if n == left:
            self._finish_line(end, numbered)
        return at + n

    def _finish_line(self, size, numbered):
        self._offset = 0
        if numbered:
            self._retained += 1
            self._unasked_lines += 1
        else:
            self.lines.pop(self._retained)
            self._held -= size

    def asks(self):
        """Should the frame that was just filled have its acknowledgement soon? Once for each `fill`.

        Yes if nothing follows it at once, or half of the window, or of the peer's room, is used since the last one.
        """
        if (
            2 * self._unasked_lines < self.max_lines
            and 2 * ((self.sent - self.asked) & 0xFFFF) < min(self.max_bytes, self._room)
            and self.can_fill()
        ):
            return False
        self.asked = self.sent
        self._unasked_lines = 0
        return True
