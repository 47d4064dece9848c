"""What a store keeps: messages. A line is a message too, see `line`. docs/protocol.md section 6 has the kinds."""

from collections import namedtuple

# channel: 0..127. kind: 0 of a plain message; of another one the bits that the protocol gives its type, and its data
# then begins with its id. time: UTC in ms: in the inbox, when it was
# received; in the outbox, when it expires; 0 if it has none, as lines. data: bytes.
Message = namedtuple("Message", ("channel", "kind", "time", "data"))

CHANNELS = 128  # 0..127; channel 0 has the lines
DROPPED = 8  # kind of a message that has expired: it is empty, and only keeps its number


_new = getattr(tuple, "__new__", None)  # of CPython: what Message(..) calls in turn


def line(data):
    """Returns the Message of a line: bytes without newline."""
    return _new(Message, (0, 0, 0, data)) if _new else Message(0, 0, 0, data)


def dropped(message):
    """Returns what remains of a message that has expired."""
    return Message(message.channel, DROPPED, 0, b"")
