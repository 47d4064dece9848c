"""The bytes of CHIRIMEN's protocol, for its polyfill as it is. Pure.

A request is 1, session (two bytes, little-endian), function, and what the function needs. The answer repeats the first
four bytes; then comes what was done: bytes moved, or 1 for opened; 0 means that it failed. It knows one port and no
reasons. Source of the facts: @chirimen-raspi/polyfill 1.0.6, polyfill.js, from "bone" on.
"""

from remote_i2c.web.calls import Request
from remote_i2c.web.frames import BadFrame

REQUEST = 0x01
OPEN, WRITE, READ, READ_REGISTER = 0x20, 0x21, 0x22, 0x23
HEAD_BYTES = 4
# function: bytes behind the head, at least.
_LEAST = {OPEN: 1, WRITE: 2, READ: 2, READ_REGISTER: 3}


def decode_request(message, port):
    """Returns the Request of a message, whose id is the first four bytes of its answer. port: the only one.

    Raises: BadFrame. Its id is None if there can be no answer."""
    if len(message) < HEAD_BYTES or message[0] != REQUEST:
        raise BadFrame("the message is no request of CHIRIMEN's protocol")
    head, rest = bytes(message[:HEAD_BYTES]), bytes(message[HEAD_BYTES:])
    function = head[3]
    if function not in _LEAST:
        raise BadFrame(f"there is no function {function:#04x} here: I2C has 0x20 to 0x23", head)
    if len(rest) < _LEAST[function]:
        raise BadFrame("the message is cut", head)
    address = rest[0]
    if function == OPEN:
        return Request(head, port, address)
    if function == READ:
        return Request(head, port, address, None, _size(rest[1], head))
    if function == READ_REGISTER:
        return Request(head, port, address, rest[1:2], _size(rest[2], head))
    if len(rest) != 2 + rest[1] or not rest[1]:
        raise BadFrame(f"it is to write {rest[1]} bytes and has {len(rest) - 2}", head)
    return Request(head, port, address, rest[2:])


def _size(size, head):
    if not size:
        raise BadFrame("it is to read no bytes", head)
    return size


def encode_done(request, data):
    """Returns the answer to a Request that was done. data: as `perform` returns it."""
    if request.probes:
        return request.id + data
    if request.size is None:
        return request.id + bytes((len(request.written),))
    return request.id + bytes((len(data),)) + data


def encode_failed(head):
    """Returns the answer to a call that has failed: nothing was moved."""
    return head + b"\0"
