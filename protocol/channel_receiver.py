"""The receiving half of a channel: a Receiver of messages, which are bytes and may have a type."""

from protocol.channel_records import CALL, EXPIRES, FIELD, KNOWN_TYPES, LIMIT, MAX_TTL_MS, TYPED_CHARGE
from protocol.frame import LENGTH
from protocol.lines import NUMBERS
from protocol.receiver import Receiver
from protocol.sequence import get16


def size_of_fields(kind):
    """Bytes in front of a message of this type."""
    return (LIMIT if kind & EXPIRES else 0) + (FIELD if kind & CALL else 0)


def left_in(data):
    """Returns the ms that a message that EXPIRES begins with."""
    left = get16(data, 0)
    return min((left & 0x7FF) << min(left >> 11, 18), MAX_TTL_MS)


class ChannelReceiver(Receiver):
    """`lines` has messages: bytes, or (bytes, type, deadline)."""

    # Until it is another: a board has a place in memory for each attribute that an object has of its own. None of these
    # is set where nothing may be allocated.
    duplicates = 0
    _known = 0
    _partial_unnumbered = 0
    kind = 0  # type of the message that has begun last
    _now = 0

    def __init__(self, max_bytes, max_line):  # instead of Receiver's, which sets more: a test compares
        self.max_bytes = max_bytes + TYPED_CHARGE
        self.max_line = max_line
        self.ack = self.next = 0
        self.lines = []
        self._charges = []
        self._held = self.seen = 0
        self._partial = None
        self._partial_charge = 0

    def _line_in(self, data, at, end):
        return bytes(data[at:end])

    def numbered(self):
        """Returns of each message that is not accepted whether it has a number."""
        return [charge > 0 for charge in self._charges]

    def take(self, header, kind, data, at, now):
        """Take one record. header: as that of a line, with the bytes of the payload. Returns None or a fault."""
        if self._partial is None:
            if kind & ~KNOWN_TYPES or (header & LENGTH) < size_of_fields(kind):
                return "a message of type %02x" % kind
            self.kind = kind
            self._now = now
        elif kind:
            return "a fragment with a type"
        if not kind:
            return self._record(header, data, at)
        self.seen = (self.seen + TYPED_CHARGE) & 0xFFFF
        kind = self._known
        header = self._record(header, data, at)
        if not kind and not header:  # it is kept
            self._held += TYPED_CHARGE
        return header

    def _keep(self, line, header, charge):
        kind = self.kind
        if kind:
            line = (line, kind, (self._now + left_in(line)) & NUMBERS if kind & EXPIRES else None)
            charge += TYPED_CHARGE
        Receiver._keep(self, line, header, charge)

    def _drop_partial(self):
        if self._partial is not None and self.kind:
            self._held -= TYPED_CHARGE
        Receiver._drop_partial(self)
