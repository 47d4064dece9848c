"""What a store keeps: messages. A line is a message too, see `line`. docs/protocol.md section 6 has the kinds."""

from collections import namedtuple

from protocol.strict_json import BadJSON, decode_json

# channel: 0..127. kind: 0 of a plain message; of another one the bits that the protocol gives its type, and its data
# then begins with its id. time: UTC in ms: in the inbox, when it was received, and of a request that expires, when it
# does; in the outbox, when it expires; 0 if it has none, as lines. data: bytes.
Message = namedtuple("Message", ("channel", "kind", "time", "data"))

# A message of a channel as the application gets it. data: bytes; channel: 1..127; number: counts for ever over all that
# the client sends, and identifies a message that is returned again; received_at: UTC in ms.
Received = namedtuple("Received", ("data", "channel", "number", "received_at"))

CHANNELS = 128  # 0..127; channel 0 has the lines
DROPPED = 8  # kind of a message that has expired: it is empty, and only keeps its number
UNNUMBERED = 32  # bit of the kind of a message in the mail (others.py) that is sent at most once
BEGUN = 16  # bit of the kind of a request in the inbox: its handler has begun, and must not run again


_new = getattr(tuple, "__new__", None)  # of CPython: what Message(..) calls in turn


def line(data):
    """Returns the Message of a line: bytes without newline."""
    return _new(Message, (0, 0, 0, data)) if _new else Message(0, 0, 0, data)


def dropped(message):
    """Returns what remains of a message that has expired."""
    return Message(message.channel, DROPPED, 0, b"")


def received(number, message):
    """Returns the Received of a Message in the inbox."""
    return Received(message.data, message.channel, number, message.time)


def decoded(number, message):
    """Returns (what a Message in the inbox stands for as JSON, None), or (None, BadJSON)."""
    try:
        return decode_json(message.data), None
    except BadJSON as error:
        return None, error
