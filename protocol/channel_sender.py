"""The sending half of a channel: a Sender whose records have channel and type, and whose messages may expire."""

from protocol.channel_records import (
    ANSWER,
    BRIEF_ANSWER,
    BRIEF_REQUEST,
    CHANNEL,
    DROPPED,
    EXPIRES,
    MAX_TIMED,
    REQUEST,
    TYPED,
    TYPED_CHARGE,
)
from protocol.frame import MORE, QOS0, RECORD_HEADER
from protocol.limits import MAX_LINE, MIN_FIRST, MIN_FRAGMENT, RECORD_CHARGE, SEND_BYTES, SEND_LINES
from protocol.lines import NUMBERS, diff30
from protocol.sender import Sender
from protocol.sequence import put16

_EMPTY = (b"", True, DROPPED, None)  # what is left of a message that has expired


def can_expire(entry):
    """True if this entry of a sender or receiver is one that EXPIRES."""
    return len(entry) > 2 and entry[-2] & EXPIRES != 0


def is_over(entry, now, ticks_diff):
    """True if it has expired."""
    return can_expire(entry) and (entry[-1] is None or ticks_diff(now, entry[-1]) >= 0)


def limit_of(ms):
    """Returns ms, 0..MAX_TTL_MS, as EXPIRES has it: rounded down, by less than 0.1 %."""
    power = 0
    while ms > 0x7FF:
        ms >>= 1
        power += 0x800
    return power | ms


class ChannelSender(Sender):
    """Args: number: of the channel; ticks_diff: see Session.

    An entry of `lines` is (bytes, numbered) or (bytes, numbered, type, deadline). The deadline of one that EXPIRES is
    ticks, or None once it has passed: ticks wrap, and must not be compared for ever.
    """

    # The same for each. A board has a place in memory for each attribute that an object has of its own.
    max_lines = SEND_LINES
    max_bytes = SEND_BYTES
    waiting = ()  # {count of `append`: True once that message has expired}, only of those somebody waits for

    def __init__(self, number, ticks_diff):  # instead of Sender's, which sets more: a test compares
        self.max_line = MAX_LINE
        self.lines = []
        self.base = self.reached = self.acknowledged = 0
        self._retained = self._held = self._offset = self._numbered = 0
        self.sent = self.asked = self._unasked_lines = 0
        self._credit = self._room = 0
        self.number = number
        self._diff = ticks_diff
        self.now = 0  # for what expires: to be set before `fill`
        self.ready = False  # both have said on this connection where they are: messages may go
        self.timed = 0  # entries that can expire

    def room_for(self, size, timed=False):
        """True if a message of so many bytes can be admitted now. timed: one that can expire."""
        return Sender.room_for(self, size) and (not (timed or self.timed) or len(self.lines) < MAX_TIMED)

    def append(self, data, numbered, kind=0, deadline=None, watched=False):
        """Admit a message. deadline: ticks, of one that EXPIRES: the field is set when it is sent. watched: note in
        `waiting` whether it has expired.

        Returns: as Sender.append.
        """
        entry = (data, numbered, kind, deadline) if kind else None
        if watched:
            if not self.waiting:
                self.waiting = {}
            self.waiting[self._numbered + 1] = False
        try:
            count = Sender.append(self, data, numbered)
        except MemoryError:
            self.forget_expiry(self._numbered + 1)
            raise
        if kind:
            self.lines[-1] = entry
        if kind & EXPIRES:
            self.timed += 1
        return count

    def has_expired(self, count):
        """True if that message was not accepted in time; None if nobody waits for it."""
        return self.waiting[count] if count in self.waiting else None

    def forget_expiry(self, count):
        """Nobody waits for it any longer."""
        if count in self.waiting:
            self.waiting.pop(count)

    def expire(self, now):
        """Drop what has not been accepted in time.

        What the peer has is kept, and marked as late: only the peer knows whether it has accepted it. So is what it may
        have from an earlier connection, if somebody waits to know.
        Returns: the numbers of those that were dropped and had one.
        """
        self.now = now
        if not self.timed:
            return ()
        found = []
        sent = self._retained + (1 if self._offset else 0)
        unsure = sent if self.ready else diff30(self.reached, self.base)
        at = 0
        while self.timed and at < len(self.lines):
            entry = self.lines[at]
            if not is_over(entry, self.now, self._diff):
                at += 1
            elif at < sent or at < unsure and self._count_of(at) in self.waiting:
                if entry[3] is not None:
                    self.lines[at] = (entry[0], entry[1], entry[2], None)
                at += 1
            elif entry[1]:
                count = self._count_of(at)
                found.append((self.base + count - self.acknowledged - 1) & NUMBERS)
                self.lines[at] = _EMPTY  # nothing from here on allocates
                self._held -= len(entry[0])
                self.timed -= 1
                self._told_expired(count)
                at += 1
            else:
                self._held -= len(entry[0])
                self.lines.pop(at)
                self.timed -= 1
        return found

    def _count_of(self, at):
        """What `append` has returned for this entry, which has a number."""
        count = self._numbered + 1
        for i in range(at, len(self.lines)):
            if self.lines[i][1]:
                count -= 1
        return count

    def _told_expired(self, count):
        if count in self.waiting:
            self.waiting[count] = True

    def acknowledge(self, ack, expired=0):
        """As Sender.acknowledge. expired: as CREDIT has it."""
        before = self.acknowledged
        fault = Sender.acknowledge(self, ack)
        self._note_expired(before, expired)
        return fault

    def resume(self, ack, peer_next, expired=0):
        before = self.acknowledged
        fault = Sender.resume(self, ack, peer_next)
        self._note_expired(before, expired)
        return fault

    def _note_expired(self, before, expired):
        count = self.acknowledged
        while expired and count > before:
            if expired & 1:
                self._told_expired(count)
            expired >>= 1
            count -= 1

    def _forget(self, count):
        for i in range(count):
            if can_expire(self.lines[i]):
                self.timed -= 1
        Sender._forget(self, count)

    def disconnect(self):  # instead of Sender's, whose `number` is a method
        number = (self.base + self._retained) & NUMBERS
        if diff30(number, self.reached) > 0:
            self.reached = number
        self.sent = self.asked = self._unasked_lines = 0
        self._credit = self._offset = self._retained = 0
        self.ready = False
        lines = self.lines
        at = 0
        while at < len(lines):
            if lines[at][1]:
                at += 1
                continue
            if can_expire(lines[at]):
                self.timed -= 1
            self._held -= len(lines.pop(at)[0])

    def can_fill(self):
        if self._retained == len(self.lines):
            return False
        entry = self.lines[self._retained]
        left = len(entry[0]) - self._offset
        return len(entry[0]) <= self.max_line and self._credit >= self._charge(entry) + min(left, MIN_FRAGMENT)

    def _charge(self, entry):
        """What its next record is charged beyond its payload."""
        return RECORD_CHARGE + TYPED_CHARGE if len(entry) > 2 and not self._offset else RECORD_CHARGE

    def put(self, buf, at, end):
        """Write one record. Returns the new at, or at if it cannot be."""
        if not self.can_fill():
            return at
        entry = self.lines[self._retained]
        charge = self._charge(entry)
        end -= at + (RECORD_HEADER + 2 if charge > RECORD_CHARGE else RECORD_HEADER + 1)
        n = len(entry[0]) - self._offset
        end = min(n, end, self._credit - charge)
        if end < n and end < (MIN_FRAGMENT if self._offset else MIN_FIRST):
            return at
        at = self._head(buf, at, entry, end, MORE if end < n else 0)
        self._copy(buf, at, entry, end)
        self.sent = (self.sent + end + charge) & 0xFFFF
        self._credit -= end + charge
        self._offset += end
        if end == n:
            if not entry[1] and can_expire(entry):
                self.timed -= 1
            self._finish_line(self._offset, entry[1])
        return at + end

    def _head(self, buf, at, entry, size, header):
        """Write what is in front of the payload. Returns its end."""
        header |= CHANNEL if entry[1] else CHANNEL | QOS0
        kind = entry[2] if len(entry) > 2 and not self._offset else 0
        if kind == REQUEST | EXPIRES:
            header |= BRIEF_REQUEST
            kind = 0
        elif kind == ANSWER:
            header |= BRIEF_ANSWER
            kind = 0
        if not kind:
            put16(buf, at, header | (size + 1))
            buf[at + RECORD_HEADER] = self.number
            return at + RECORD_HEADER + 1
        put16(buf, at, header | (size + 2))
        buf[at + RECORD_HEADER] = self.number | TYPED
        buf[at + RECORD_HEADER + 1] = kind
        return at + RECORD_HEADER + 2

    def _copy(self, buf, at, entry, size):
        buf[at : at + size] = memoryview(entry[0])[self._offset : self._offset + size]
        if not self._offset and can_expire(entry):
            put16(buf, at, 0 if entry[3] is None else limit_of(max(0, self._diff(entry[3], self.now))))
