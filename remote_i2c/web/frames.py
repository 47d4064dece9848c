"""The bytes of Web I2C's own protocol: each WebSocket message is one frame. Pure; the door's side of it.

Numbers are big-endian. docs/remote-i2c.md has the tables and recorded examples; web_i2c.js is the other side.
"""

from struct import Struct

from remote_i2c.errors import PLACES
from remote_i2c.web.calls import NAMES, Request

VERSION = 1
SUBPROTOCOL = "pb-link.web-i2c.1"

# To the door.
HELLO = 0x01
WRITE, READ, WRITE_READ, PROBE = 0x10, 0x11, 0x12, 0x13
# From the door.
WELCOME = 0x81
DONE, FAILED = 0x90, 0x91

# Of what the door is told, and tells.
MAX_TOKEN = 256
MAX_NAME = 64
MAX_TEXT = 400

_CALL = Struct(">BIHB")  # kind, id, port, address
_SIZE = Struct(">H")
_ANSWER = Struct(">BI")  # kind, id
_WELCOME = Struct(">BBHB")  # kind, version, calls in flight, ports
_PORT = Struct(">HHB")  # number, bytes of a transfer, bytes of its name
HEADER_BYTES = _CALL.size + _SIZE.size


class BadFrame(ValueError):
    """A message that is no frame. id: of the call, if it can be told, or None."""

    def __init__(self, text, id=None):
        super().__init__(text)
        self.id = id


def decode_hello(message):
    """Returns the token, bytes, of the first message: HELLO, version, token. Raises: BadFrame."""
    if len(message) < 2 or message[0] != HELLO:
        raise BadFrame("the first message must be a hello")
    if message[1] != VERSION:
        raise BadFrame(f"version {message[1]} of the protocol; this door has version {VERSION}")
    if len(message) > 2 + MAX_TOKEN:
        raise BadFrame(f"a token has at most {MAX_TOKEN} bytes")
    return bytes(message[2:])


def decode_request(message):
    """Returns the Request of a message.

    | bytes | |
    |---|---|
    | 1 | WRITE, READ, WRITE_READ or PROBE |
    | 4 | id of the call, which its answer repeats |
    | 2 | number of the port |
    | 1 | address |
    | 2 | READ, WRITE_READ: bytes to read |
    | rest | WRITE, WRITE_READ: bytes to write, at least one |

    Raises: BadFrame."""
    id = int.from_bytes(message[1:5], "big") if len(message) >= 5 else None
    if not message or message[0] not in (WRITE, READ, WRITE_READ, PROBE):
        raise BadFrame("the message has no kind that is known")
    if len(message) < _CALL.size:
        raise BadFrame(f"the message is cut: {len(message)} bytes", id)
    kind, id, port, address = _CALL.unpack_from(message)
    rest, size = bytes(message[_CALL.size :]), None
    if kind in (READ, WRITE_READ):
        if len(rest) < _SIZE.size:
            raise BadFrame("the message is cut: it says no size", id)
        size, rest = _SIZE.unpack_from(rest)[0], rest[_SIZE.size :]
        if size == 0:
            raise BadFrame("it is to read no bytes", id)
    if bool(rest) != (kind in (WRITE, WRITE_READ)):
        raise BadFrame("it is to write no bytes" if not rest else f"{len(rest)} bytes too many", id)
    return Request(id, port, address, rest or None, size)


def encode_welcome(ports, in_flight):
    """Returns the answer to a hello. ports: dict of number -> (name, bytes that a transfer has at most)."""
    parts = [_WELCOME.pack(WELCOME, VERSION, in_flight, len(ports))]
    for number, (name, max_bytes) in ports.items():
        data = name.encode()
        parts.append(_PORT.pack(number, max_bytes, len(data)) + data)
    return b"".join(parts)


def encode_done(id, data):
    """Returns the answer to a call that has succeeded."""
    return _ANSWER.pack(DONE, id) + data


def encode_failed(id, failure):
    """Returns the answer to a call that has failed: id, place in NAMES, place in PLACES, length of code, code, text."""
    code = failure.code.encode()
    head = bytes((NAMES.index(failure.name), PLACES.index(failure.place), len(code)))
    return _ANSWER.pack(FAILED, id) + head + code + failure.text.encode()[:MAX_TEXT]
