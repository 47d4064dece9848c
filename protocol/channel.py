"""One channel of a session, at one end: a Sender and a Receiver whose records carry the channel's number, and what the
two ends have told each other of it. `channels.py` has a session's channels together.

    A record of a channel, behind the two bytes of its header (`frame.py`):
    0   1   bit 7: TYPED; bits 6..0: the channel, 1..127
    1   1   with TYPED: the type; else the type is 0, a plain message
    ..      the payload

    Types of messages, and what is in front of the message in the payload:
    01      EXPIRES: 4 bytes, ms for which it may still wait
    02      REQUEST: 4 bytes, its id
    04      ANSWER: 4 bytes, the id of the request
    06      FAILURE: the same; the text says why there is no answer
    08      DROPPED: the message has expired. It is empty, and keeps its number.

    Types that are no messages:
    80      CREDIT    0  2  ack: every message before this one is accepted
                      2  2  seen: bytes charged for the records received on this connection
                      4  1  room: bytes that I can take beyond `seen`, in units of 64
                      5  4  expired: bit i: message ack - 1 - i was not accepted in time. Absent if 0
    81      OPEN      an entry, see ENTRY

A message is bytes. One that is of a type is (bytes, type, deadline), with what is in front of the message in the bytes.
"""

from struct import pack_into, unpack_from

from protocol.frame import CHANNEL, MORE, QOS0, RECORD_HEADER
from protocol.limits import MIN_FIRST, MIN_FRAGMENT, RECORD_CHARGE, ROOM_UNIT
from protocol.lines import NUMBERS, diff30
from protocol.receiver import Receiver
from protocol.sender import Sender
from protocol.sequence import put16

TYPED = 0x80  # of the channel's byte
LAST = 127  # the highest channel

EXPIRES = 0x01
REQUEST = 0x02
ANSWER = 0x04
FAILURE = 0x06
CALL = 0x06  # bits of the three
DROPPED = 0x08
CONTROL = 0x80  # this bit: it is no message
CREDIT = 0x80
OPEN = 0x81

_KNOWN = EXPIRES | CALL | DROPPED
_FIELD = 4  # bytes of each thing in front of a message

# flags, base, ack, next, room, expired: as in RESUME and CREDIT.
ENTRY = ">BIIIBI"
ENTRY_BYTES = 18
# Flag of an entry: I know of no message of yours, and ack and next are not valid: begin with your base.
FRESH = 0x01

# Messages of a channel while one of them can expire: `expired` has a bit for each that may have been accepted.
MAX_TIMED = 30
_EXPIRED = 0x3FFFFFFF


def size_of_fields(kind):
    """Bytes in front of a message of this type."""
    return (_FIELD if kind & EXPIRES else 0) + (_FIELD if kind & CALL else 0)


def _bytes_in(data, at, end):
    return bytes(data[at:end])


class ChannelSender(Sender):
    """Args: channel: its number; ticks_diff: see Session.

    An entry of `lines` is (bytes, numbered) or (bytes, numbered, type, deadline).
    """

    def __init__(self, channel, ticks_diff):
        Sender.__init__(self)
        self._channel = channel
        self._diff = ticks_diff
        self.now = 0  # for what expires: to be set before `fill`
        self.timed = 0  # entries that can expire
        self.dropped = 0  # messages that have expired, at either end
        self.waiting = {}  # count of `append` -> True once that message has expired: only of those somebody waits for

    def room_for(self, size, timed=False):
        """True if a message of so many bytes can be admitted now. timed: one that can expire."""
        return Sender.room_for(self, size) and (not (timed or self.timed) or len(self.lines) < MAX_TIMED)

    def append(self, data, numbered, kind=0, deadline=None):
        """Admit a message. deadline: ticks, of one that EXPIRES: the field is set when it is sent.

        Returns: as Sender.append.
        """
        count = Sender.append(self, data, numbered)
        if kind:
            self.lines[-1] = (data, numbered, kind, deadline)
            if deadline is not None:
                self.timed += 1
        return count

    def expire(self):
        """Drop what has not been accepted in time, and has not been sent on this connection.

        Returns: list of the numbers of those that had one.
        """
        found = []
        at = self._retained + (1 if self._offset else 0)
        while self.timed and at < len(self.lines):
            entry = self.lines[at]
            if not _is_over(entry, self.now, self._diff):
                at += 1
            elif entry[1]:
                self._held -= len(entry[0])
                self.lines[at] = (b"", True, DROPPED, None)
                self.timed -= 1
                count = self._numbered - self._numbered_from(at) + 1
                self._told_expired(count)
                found.append((self.base + count - self.acknowledged - 1) & NUMBERS)
                at += 1
            else:
                self._held -= len(entry[0])
                self.lines.pop(at)
                self.timed -= 1
                self.dropped += 1
        return found

    def _numbered_from(self, at):
        count = 0
        for i in range(at, len(self.lines)):
            if self.lines[i][1]:
                count += 1
        return count

    def _told_expired(self, count):
        self.dropped += 1
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
            if len(self.lines[i]) > 2 and self.lines[i][3] is not None:
                self.timed -= 1
        Sender._forget(self, count)

    def disconnect(self):
        lines = self.lines
        for i in range(len(lines)):
            if not lines[i][1] and len(lines[i]) > 2 and lines[i][3] is not None:
                self.timed -= 1
        Sender.disconnect(self)

    def put(self, buf, at, end):
        """Write one record. Returns the new at, or at if it cannot be."""
        if not self.can_fill():
            return at
        entry = self.lines[self._retained]
        typed = len(entry) > 2 and not self._offset
        first = at + RECORD_HEADER + (2 if typed else 1)
        left = len(entry[0]) - self._offset
        n = min(left, end - first, self._credit - RECORD_CHARGE)
        if n < left and n < (MIN_FRAGMENT if self._offset else MIN_FIRST):
            return at
        header = n + first - at - RECORD_HEADER | CHANNEL
        if not entry[1]:
            header |= QOS0
        put16(buf, at, header | MORE if n < left else header)
        buf[at + RECORD_HEADER] = self._channel | TYPED if typed else self._channel
        end = self._offset + n
        buf[first : first + n] = memoryview(entry[0])[self._offset : end]
        if typed:
            buf[first - 1] = entry[2]
            if entry[3] is not None:
                pack_into(">I", buf, first, max(0, self._diff(entry[3], self.now)))
        self.sent = (self.sent + n + RECORD_CHARGE) & 0xFFFF
        self._credit -= n + RECORD_CHARGE
        self._offset = end
        if n == left:
            if not entry[1] and len(entry) > 2 and entry[3] is not None:
                self.timed -= 1
            self._finish_line(end, entry[1])
        return first + n


class ChannelReceiver(Receiver):
    """`lines` has messages: bytes, or (bytes, type, deadline)."""

    def number_after(self, count):
        """Number of the message that follows the oldest count ones."""
        numbered = 0
        for i in range(count):
            if self._charges[i] > 0:
                numbered += 1
        return (self.ack + numbered) & NUMBERS

    def __init__(self, max_bytes, max_line):
        Receiver.__init__(self, max_bytes, max_line, _bytes_in)
        self._kind = 0  # type of the message that has begun
        self._now = 0

    def take(self, header, kind, data, at, now):
        """Take one record. header: as that of a line, with the bytes of the payload. Returns None or a fault."""
        if self._partial is None:
            if kind & ~_KNOWN or (header & 0x7FF) < size_of_fields(kind):
                return "a message of type %02x" % kind
            self._kind = kind
            self._now = now
        elif kind:
            return "a fragment with a type"
        return self._record(header, data, at)

    def _keep(self, line, header, charge):
        kind = self._kind
        if kind:
            left = unpack_from(">I", line, 0)[0] if kind & EXPIRES else None
            line = (line, kind, None if left is None else (self._now + min(left, MAX_TTL_MS)) & NUMBERS)
        Receiver._keep(self, line, header, charge)


# The longest wait that ticks can measure, less a day.
MAX_TTL_MS = 450000000


def _is_over(entry, now, ticks_diff):
    """True if this entry of a sender or receiver could expire, and has."""
    return len(entry) > 2 and entry[-1] is not None and ticks_diff(now, entry[-1]) >= 0


class Channel:
    """One channel. Args: number: 1..127; ticks_diff, max_bytes, max_line: see Session; fresh: see the attribute."""

    def __init__(self, number, ticks_diff, max_bytes, max_line, fresh):
        self.number = number
        self.sender = ChannelSender(number, ticks_diff)
        self.receiver = ChannelReceiver(max_bytes, max_line)
        self.ready = False  # both have said on this connection where they are: messages may go
        self.due = True  # we have not said so yet
        self.fresh = fresh  # the peer's next message has the number of its base, which it has not told yet
        self.former = 0  # number expected from the peer before this one
        self.expired = 0  # of the last messages accepted: see CREDIT
        self.expirations = 0  # messages of the peer that were not accepted in time
        self.peer_seen = 0
        self.told = None  # (ack, seen, room) as the peer has been told last
        self.received = self.receiver.lines  # messages that have been received and not accepted, oldest first
        self._diff = ticks_diff

    # For adapters

    def room_for(self, size, timed=False):
        """See ChannelSender."""
        return self.sender.room_for(size, timed)

    def append(self, data, numbered, kind=0, deadline=None):
        """See ChannelSender."""
        return self.sender.append(data, numbered, kind, deadline)

    def acknowledged(self):
        """How many messages the peer has accepted, or let expire: compare with what `append` returned."""
        return self.sender.acknowledged

    def await_expiry(self, count):
        """Note that somebody waits for the message with this count of `append`: see `has_expired`."""
        self.sender.waiting[count] = False

    def has_expired(self, count):
        """True if that message was not accepted in time."""
        return self.sender.waiting.get(count)

    def forget_expiry(self, count):
        """Nobody waits for it any longer."""
        self.sender.waiting.pop(count, None)

    def timed(self):
        """How many messages to be sent can expire."""
        return self.sender.timed

    def expire(self, now):
        """Drop the messages to be sent that are late. Returns the numbers of those that had one."""
        sender = self.sender
        sender.now = now
        return sender.expire() if sender.timed else ()

    def base(self):
        """Number of our oldest message that is not acknowledged."""
        return self.sender.base

    def unacknowledged(self):
        """How many messages are held until they are acknowledged, or sent without qos."""
        return len(self.sender.lines)

    def in_time(self, now):
        """Returns [(bytes, type)] of the messages that may be stored or handed over, the oldest ones: up to the first
        that is late. Those at the front that are late are accepted as such. The bytes have no time left in front."""
        found = []
        self.front(now)
        for message in self.received:
            if isinstance(message, tuple):
                data, kind, deadline = message
                if kind & DROPPED or _is_over(message, now, self._diff):
                    break
                message = (data, kind) if deadline is None else (data[_FIELD:], kind & CALL)
            else:
                message = (message, 0)
            found.append(message)
        return found

    def number_after(self, count):
        """Number of the peer's message that follows the oldest count ones that were received."""
        return self.receiver.number_after(count)

    def ack(self):
        """Number of the peer's oldest message that is not accepted."""
        return self.receiver.ack

    def expected(self):
        """Number of the peer's next message that is not completely received."""
        return self.receiver.next

    # For Channels

    def detach(self):
        """The connection has ended. Allocates nothing."""
        self.sender.disconnect()
        self.receiver.disconnect()
        self.ready = False
        self.due = True
        self.peer_seen = 0
        self.told = None

    def front(self, now):
        """The oldest message that was received and not accepted, or None. Those that have expired are passed over."""
        lines = self.receiver.lines
        while lines:
            message = lines[0]
            if isinstance(message, tuple) and (message[1] & DROPPED or _is_over(message, now, self._diff)):
                if not message[1] & DROPPED:
                    self.expirations += 1
                self.accept(not message[1] & DROPPED)
            else:
                return message
        return None

    def accept(self, expired=False):
        """The oldest message is stored or handed over, or has expired. Allocates nothing."""
        before = self.receiver.ack
        self.receiver.accept(1)
        if self.receiver.ack != before:
            self.expired = (self.expired << 1 | (1 if expired else 0)) & _EXPIRED

    def restore(self, expected, base, messages):
        """Go on with what a store has: the number expected from the peer, and the messages [(bytes, numbered, ..)] that
        it has not acknowledged, of which the oldest has the number base. For a fresh channel."""
        self.receiver.start_at(expected)
        sender = self.sender
        sender.start_at(base)
        for message in messages:
            sender.append(*message)
        sender.reached = self.end

    @property
    def end(self):
        """Number of the next message to be admitted."""
        return (self.sender.base + len(self.sender.lines)) & NUMBERS

    def state(self):
        """(ack, seen, room) to be told."""
        receiver = self.receiver
        return receiver.ack & 0xFFFF, receiver.seen, receiver.room()

    def credit_into(self, buf, at):
        """Write a CREDIT record. Returns its end."""
        self.told = told = self.state()
        put16(buf, at, CHANNEL | (7 + (_FIELD if self.expired else 0)))
        buf[at + 2] = self.number | TYPED
        buf[at + 3] = CREDIT
        pack_into(">HHB", buf, at + 4, *told)
        at += 9
        if self.expired:
            pack_into(">I", buf, at, self.expired)
            at += _FIELD
        return at

    def entry_into(self, buf, at, known=True):
        """Write the number and the entry. known: what we know of the peer's messages is valid. Returns the end."""
        self.due = False
        self.told = self.state()
        receiver = self.receiver
        buf[at] = self.number
        known = (0, receiver.ack, receiver.next) if known and not self.fresh else (FRESH, 0, 0)
        pack_into(
            ENTRY, buf, at + 1, known[0], self.sender.base, known[1], known[2], receiver.room(), self.expired
        )
        return at + 1 + ENTRY_BYTES

    def open_into(self, buf, at):
        """Write an OPEN record. Returns its end."""
        put16(buf, at, CHANNEL | (ENTRY_BYTES + 2))
        end = self.entry_into(buf, at + 3)
        buf[at + 2] = self.number | TYPED
        buf[at + 3] = OPEN
        return end

    def take_credit(self, data, at, size):
        """The payload of a CREDIT. Returns None or a fault."""
        if size not in (5, 9) or not self.ready:
            return "CREDIT of %d bytes on channel %d" % (size, self.number)
        ack, seen, room = unpack_from(">HHB", data, at)
        expired = unpack_from(">I", data, at + 5)[0] if size == 9 else 0
        sender = self.sender
        if sender.in_flight(seen) > sender.in_flight(self.peer_seen):
            return "the peer has seen more than was sent"
        self.peer_seen = seen
        fault = sender.acknowledge(ack, expired)
        if not fault:
            sender.grant(seen, room * ROOM_UNIT)
        return fault

    def take_entry(self, entry, new):
        """The peer's entry on this connection. new: its messages have other numbers than those of before.

        Returns None or a fault.
        """
        flags, base, ack, following, room, expired = entry
        base &= NUMBERS
        if new or self.fresh or diff30(base, self.receiver.next) > 0:
            self.receiver.start_at(base)
            self.expired = 0
        self.fresh = False
        if not flags & FRESH:
            fault = self.sender.resume(ack & NUMBERS, following & NUMBERS, expired)
            if fault:
                return fault
        self.sender.grant(0, room * ROOM_UNIT)
        self.ready = True
        return None
