"""One channel of a session, at one end: a sender and a receiver of messages, and what the two ends have told each other
of them. `channels.py` has a session's channels together, `channel_records.py` what a record has.

A message is bytes. One that is of a type is (bytes, type, deadline), with what is in front of the message in the bytes.
"""

from struct import pack_into, unpack_from

from protocol.channel_receiver import ChannelReceiver, size_of_fields
from protocol.channel_records import (
    CHANNEL,
    CREDIT,
    DROPPED,
    ENTRY,
    ENTRY_BYTES,
    EXPIRED_BITS,
    EXPIRES,
    FIELD,
    FRESH,
    OPEN,
    TYPED,
)
from protocol.channel_sender import ChannelSender, is_over
from protocol.limits import ROOM_UNIT
from protocol.lines import NUMBERS, diff30
from protocol.sequence import put16

NONE = -1  # instead of a number: none is known
_LATE = (b"", EXPIRES, None)  # message of a receiver that will not be handed over


class Channel(ChannelSender):
    """One channel. Args: number: 1..127; ticks_diff, max_bytes, max_line: see Session; fresh: see the attribute.

    What is sent on it is its own, as a ChannelSender; what has been received is the `receiver`'s.
    """

    def __init__(self, number, ticks_diff, max_bytes, max_line, fresh):
        ChannelSender.__init__(self, number, ticks_diff)
        self.receiver = ChannelReceiver(max_bytes, max_line)
        self.due = True  # we have not said on this connection where we are
        self.fresh = fresh  # the peer's next message has the number of its base, which it has not told yet
        self.former = NONE  # number expected from the peer before this one
        self.former_expired = 0  # and `expired` of its messages
        self.expired = 0  # of the last messages accepted: see CREDIT
        self._peer_seen = 0
        self.told = None  # (ack, seen, room) as the peer has been told last
        self.received = self.receiver.lines  # messages that have been received and not accepted, oldest first
        self.user = None  # the application's object for it

    # For adapters

    def unacknowledged(self):
        """How many messages are held until they are acknowledged, or sent without qos."""
        return len(self.lines)

    # For Channels

    def become(self, back):
        """The peer is another one, with other numbers. back: it is the one before this one. Allocates nothing."""
        number = NONE if self.fresh else self.receiver.next
        expired = self.expired
        self.fresh = not back or self.former == NONE
        self.receiver.start_at(0 if self.fresh else self.former)
        self.expired = 0 if self.fresh else self.former_expired
        self.former = number
        self.former_expired = expired

    def disconnect(self):
        """The connection has ended. Allocates nothing."""
        ChannelSender.disconnect(self)
        self.receiver.disconnect()
        self.due = True
        self._peer_seen = 0
        self.told = None

    def unseen(self):
        """Charged bytes sent that the peer has not seen."""
        return self.in_flight(self._peer_seen)

    def front(self, now):
        """The oldest message that was received and not accepted, or None. Those that have expired are passed over."""
        lines = self.receiver.lines
        while lines:
            message = lines[0]
            if isinstance(message, tuple) and (message[1] & DROPPED or is_over(message, now, self._diff)):
                self.accept(not message[1] & DROPPED)
            else:
                return message
        return None

    def expire_received(self, now):
        """Drop what is late at the front of what was received, and empty what is late behind it."""
        self.front(now)
        received = self.received
        for i in range(1, len(received)):
            message = received[i]
            if isinstance(message, tuple) and message[2] is not None and is_over(message, now, self._diff):
                received[i] = _LATE

    def front_data(self):
        """The bytes of the message that `front` has returned, without what is in front of it."""
        message = self.received[0]
        return message if isinstance(message, bytes) else message[0][size_of_fields(message[1]) :]

    def accept(self, expired=False):
        """The oldest message is stored or handed over, or has expired. Allocates nothing."""
        before = self.receiver.ack
        self.receiver.accept(1)
        if self.receiver.ack != before:
            self.expired = (self.expired & EXPIRED_BITS >> 1) << 1 | (1 if expired else 0)

    def state(self):
        """(ack, seen, room) to be told."""
        receiver = self.receiver
        return receiver.ack & 0xFFFF, receiver.seen, receiver.room()

    def credit_into(self, buf, at):
        """Write a CREDIT record. Returns its end."""
        self.told = told = self.state()
        put16(buf, at, CHANNEL | (7 + (FIELD if self.expired else 0)))
        buf[at + 2] = self.number | TYPED
        buf[at + 3] = CREDIT
        pack_into(">HHB", buf, at + 4, *told)
        at += 9
        if self.expired:
            pack_into(">I", buf, at, self.expired)
            at += FIELD
        return at

    def entry_into(self, buf, at, known=True):
        """Write the number and the entry. known: what we know of the peer's messages is valid. Returns the end."""
        self.due = False
        self.told = self.state()
        receiver = self.receiver
        buf[at] = self.number
        known = (0, receiver.ack, receiver.next) if known and not self.fresh else (FRESH, 0, 0)
        pack_into(
            ENTRY, buf, at + 1, known[0], self.base, known[1], known[2], receiver.room(), self.expired
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
        if self.in_flight(seen) > self.unseen():
            return "the peer has seen more than was sent"
        self._peer_seen = seen
        fault = self.acknowledge(ack, expired)
        if not fault:
            self.grant(seen, room * ROOM_UNIT)
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
            fault = self.resume(ack & NUMBERS, following & NUMBERS, expired)
            if fault:
                return fault
        self.grant(0, room * ROOM_UNIT)
        self.ready = True
        return None
