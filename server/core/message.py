"""What a store keeps: messages. A line is a message too, see `line`. docs/protocol.md section 6 has the kinds."""

from collections import namedtuple

# channel: 0..127. kind: 0 of a plain message; of another one the bits that the protocol gives its type, and its data
# then begins with its id. expires: UTC in ms, or 0 if it never does. data: bytes.
Message = namedtuple("Message", ("channel", "kind", "expires", "data"))

CHANNELS = 128  # 0..127; channel 0 has the lines
DROPPED = 8  # kind of a message that has expired: it is empty, and only keeps its number


def line(data):
    """Returns the Message of a line: bytes without newline."""
    return Message(0, 0, 0, data)


def dropped(message):
    """Returns what remains of a message that has expired."""
    return Message(message.channel, DROPPED, 0, b"")
