"""The channels of a session beside its lines: what they put into its frames, and what they take out of them.

Each channel has messages, numbers and room of its own (`channel.py`). What they have in common with the lines is the
connection: frames, the delay of acknowledgements, and the watch over a peer that is silent. On each connection both
ends say first where a channel is: the client lists its channels behind its RESUME, and the server lists the same ones
behind its own; the client sends OPEN for one that its application opens later, and the server answers it. Until then
nothing goes on that channel. docs/protocol.md section 6.

An adapter uses a channel as it uses the session: its `append`, `room_for` and `front`, and `accept` here.
"""

from struct import unpack_from

from protocol.channel import Channel
from protocol.channel_records import (
    ANSWER,
    BRIEF,
    BRIEF_REQUEST,
    CALL,
    CONTROL,
    CREDIT,
    ENTRY,
    ENTRY_BYTES,
    EXPIRES,
    LAST,
    LATE_CREDIT,
    LIST,
    LIST_END,
    LIST_ENTRY,
    LIST_HEADER,
    NOTICE,
    OPEN,
    REQUEST,
    TYPED,
)
from protocol.frame import DATA_HEADER, DATA_MORE, LENGTH, MORE, QOS0
from protocol.framing import PREFIX
from protocol.limits import ACK_LATE_MS, MAC_BYTES, MIN_FRAGMENT, RECORD_CHARGE, ROOM_UNIT

# The longest control record: OPEN.
_CONTROL_BYTES = 2 + 2 + ENTRY_BYTES
# With less room than this, in units, the peer cannot send a fragment.
_LITTLE = (RECORD_CHARGE + MIN_FRAGMENT + ROOM_UNIT - 1) // ROOM_UNIT
# Room that has grown by this share of the whole is worth a frame of its own.
_SHARE = 4


class Channels:
    """Args: session: the Session; ticks_diff, max_bytes, max_line: see Session, for each channel.
    answers: the class of its channels if this is the server's end: it opens no channel, but answers. Else None."""

    def __init__(self, session, ticks_diff, max_bytes, max_line, answers=None):
        self.used = []  # of Channel, in the order in which they were opened
        self.now = 0  # of the last frame
        self._session = session
        self._new = (ticks_diff, max_bytes, max_line)
        self._answers = answers
        self._turn = 0  # whose turn it is: 0 for the lines
        self.listing = None  # those that the list behind our RESUME is still to have; None if there is no more of it
        self._known = False
        self._credit_since = None  # time since which a CREDIT has waited, or None
        self._told_until = 0  # place in `used` of the next one that is to be told: the last frame had no space for it

    def get(self, number):
        """Returns the Channel with this number, or None."""
        for channel in self.used:
            if channel.number == number:
                return channel
        return None

    def open(self, number, start=1):
        """Returns the Channel. It is new if there was none. start: the lowest number taken. Raises: ValueError."""
        if not (isinstance(number, int) and start <= number <= LAST):
            raise ValueError("a channel must be a number from %d to %d" % (start, LAST))
        channel = self.get(number)
        if channel is None:
            channel = (self._answers or Channel)(number, *self._new, not self._answers)
            self.used.append(channel)
        return channel

    # Connections

    def begin_list(self, known):
        """RESUME is to be written. Returns True if a list follows. known: it is the peer whose messages we know."""
        if not self._answers:
            self._known = known
            self.listing = self.used[:] or None
        return self.listing is not None

    def disconnect(self):
        """The connection has ended. Allocates nothing."""
        self._turn = 0
        self.listing = self._credit_since = None
        for channel in self.used:
            channel.disconnect()

    def become(self, back):
        """The peer is another one, with other numbers. back: it is the one before this one."""
        for channel in self.used:
            channel.become(back)
            if self._answers:
                channel.fresh = False

    def list_into(self, buf, at, end):
        """Write the next frame of the list behind RESUME, without prefix and MAC. Returns its end."""
        start = at + PREFIX
        at = start + LIST_HEADER
        end -= MAC_BYTES
        listing = self.listing
        while listing and at + LIST_ENTRY <= end:
            at = listing.pop(0).entry_into(buf, at, self._known)
        buf[start] = LIST
        buf[start + 1] = 0 if listing else LIST_END
        if not listing:
            self.listing = None
        return at

    # Receiving

    def take_list(self, heard, data, end):
        """Take a frame of the list behind the peer's RESUME, heard. Returns False if it is none."""
        if heard is None or heard.channels is None or end < LIST_HEADER or (end - LIST_HEADER) % LIST_ENTRY:
            return False
        for at in range(LIST_HEADER, end, LIST_ENTRY):
            number = data[at]
            if not 0 < number <= LAST or number in heard.channels:
                return False
            heard.channels[number] = unpack_from(ENTRY, data, at + 1)
        return data[1] <= LIST_END

    def take_entries(self, attached, new):
        """The peer has listed channels. attached: the Attachment, just opened. Returns None or a fault."""
        entries = attached.heard.channels
        self.now = attached.progress
        self._known = True
        for number in entries:
            fault = self.take_entry(number, entries[number], new)
            if fault:
                return fault
        if self._answers:
            self.listing = [self.get(number) for number in entries]
        return None

    def take(self, header, data, at):
        """Take one record, behind the two bytes of its header. Returns None or a fault."""
        size = (header & LENGTH) - 1
        if header & BRIEF == BRIEF:
            return "record header %04x" % header
        if size < 0:
            return "record cut off"
        number = data[at]
        at += 1
        kind = 0
        if header & BRIEF:
            if number & TYPED:
                return "a record with two types"
            kind = REQUEST | EXPIRES if header & BRIEF_REQUEST else ANSWER
        elif number & TYPED:
            size -= 1
            if size < 0:
                return "record cut off"
            kind = data[at]
            at += 1
        channel = self.get(number & LAST)
        if kind & CONTROL:
            return self._control(channel, number & LAST, kind, data, at, size)
        if channel is None or not channel.ready:
            return "a message on channel %d, which is not open" % (number & LAST)
        return channel.receiver.take(header & (MORE | QOS0) | size, kind, data, at, self.now)

    def _control(self, channel, number, kind, data, at, size):
        if kind == CREDIT and channel is not None:
            before = channel.unseen()
            fault = channel.take_credit(data, at, size)
            if channel.unseen() != before:
                self._session.moved(self.now)
            return fault
        if kind == OPEN and size == ENTRY_BYTES and number:
            return self.take_entry(number, unpack_from(ENTRY, data, at), False)
        return "control record %02x on channel %d" % (kind, number)

    def take_entry(self, number, entry, new):
        """The peer has said where a channel is. Returns None or a fault."""
        channel = self.get(number)
        if channel is None:
            if not self._answers:
                return "OPEN of channel %d, which nobody has opened" % number
            channel = self.open(number)
        if channel.ready:
            return "a second OPEN of channel %d" % number
        channel.max_line = self._session.peer_max_line
        fault = channel.take_entry(entry, new)
        if fault:
            self._session.met_impostor()
        elif self._answers:
            self._session.due(self.now)
        else:
            self.tell(channel, self.now)  # what was accepted since our entry went out
        return fault

    # Handing over

    def accept(self, channel, now):
        """The oldest message of the channel is stored or handed over: acknowledge it. Allocates nothing."""
        channel.accept()
        self.tell(channel, now)

    def tell(self, channel, now):
        """Something of the channel may have been accepted."""
        if not channel.ready or channel.told is None:
            return
        ack, _, room = channel.told
        grown = channel.receiver.room() - room
        if room < _LITTLE:
            worth = grown > 0
        else:
            worth = grown * _SHARE * ROOM_UNIT >= channel.receiver.max_bytes
        if worth or channel.receiver.ack & 0xFFFF != ack:
            self._session.due(now, room < _LITTLE)

    # Sending

    def can_send(self):
        """True if there is a message or an OPEN that can go now."""
        for channel in self.used:
            if channel.ready and channel.can_fill() or channel.due and self._may_open(channel):
                return True
        return False

    def _may_open(self, channel):
        return channel.ready or not self._answers

    def _has_news(self, channel):
        """True if there is something to tell of the channel: OPEN or CREDIT."""
        return self._may_open(channel) if channel.due else channel.ready and channel.told != channel.state()

    def unseen(self):
        """True if there is something on its way that the peer has not seen."""
        for channel in self.used:
            if channel.unseen():
                return True
        return False

    def waiting(self):
        """True if something waits for the peer: messages, or an OPEN for its answer."""
        for channel in self.used:
            if channel.lines if channel.ready else not channel.due:
                return True
        return False

    def fill(self, lines, buf, at, now, space):
        """Write records into a DATA frame, those of the lines as well, and its kind. Returns the new at.

        lines: their Sender; at: where the records begin; space: bytes for them.
        """
        end = at + space
        first = self._fill_control(buf, at, end, now)
        last = self._fill_messages(lines, buf, first, end, now)
        if last == first:
            if last > at:
                buf[at - DATA_HEADER] = NOTICE
        elif not self._asks(lines):
            buf[at - DATA_HEADER] = DATA_MORE
        return last

    def _fill_messages(self, lines, buf, at, end, now):
        """One record of each that has one, in turn, as long as there is space."""
        used = self.used
        idle = 0  # so many in a row had nothing that fits
        while idle <= len(used):
            sender = lines if self._turn == 0 else self._sender_of(used[self._turn - 1], now)
            before = at
            if sender is not None and sender.can_fill():
                at = sender.put(buf, at, end)
            idle = 0 if at > before else idle + 1
            self._turn = (self._turn + 1) % (len(used) + 1)
        return at

    def _sender_of(self, channel, now):
        channel.now = now
        return channel if channel.ready and not channel.due else None

    def _asks(self, lines):
        """Should the frame that was filled have its acknowledgement soon? As Sender.asks."""
        asks = True
        for channel in self.used:
            if channel.ready and channel.can_fill():
                asks = False
        if lines.can_fill():
            asks = False
        if lines.sent != lines.asked and lines.asks():
            asks = True
        for channel in self.used:
            if channel.sent != channel.asked and channel.asks():
                asks = True
        return asks

    def _fill_control(self, buf, at, end, now):
        """What there is no space for makes another frame due, which begins with it: the peer may wait for it."""
        used, first = self.used, self._told_until
        since, self._credit_since = self._credit_since, None
        for i in range(len(used)):
            channel = used[(first + i) % len(used)]
            if not self._has_news(channel):
                continue
            if not channel.due and self._may_wait(channel, since, now):
                self._credit_since = now if since is None else since
                self._session.due(now, False)
                continue
            if at + _CONTROL_BYTES > end:
                self._told_until = (first + i) % len(used)
                self._session.due(now)
                break
            at = channel.open_into(buf, at) if channel.due else channel.credit_into(buf, at)
        return at

    def _may_wait(self, channel, since, now):
        """True if the CREDIT of what was accepted can follow later: that an answer goes, or was taken, says as much.

        A client that starts anew gets again what it had not acknowledged, so it does not wait with that of requests.
        """
        return (
            (since is None or self._new[0](now, since) < ACK_LATE_MS)
            and channel.receiver.kind & (CALL if self._answers else ANSWER)
            and channel.can_fill()
            and (channel.receiver.seen - channel.told[1]) & 0xFFFF < LATE_CREDIT < channel.told[2] * ROOM_UNIT // 2
        )

    def tick(self, now):
        """Drop what is late, and tell so. To be called several times a second. Returns True if there was something."""
        found = False
        for channel in self.used:
            if channel.expire(now):
                found = True
            channel.expire_received(now)
            self.tell(channel, now)
        return found
