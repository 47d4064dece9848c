"""What both ends of a request have in common: the checks, the ids, the text of a failure, and the errors.

The records are those of channel_records.py: REQUEST, and ANSWER or FAILURE with the same id. docs/requests.md.
"""

from struct import pack

from protocol import const
from protocol.channel_records import ANSWER, CALL, EXPIRES, FIELD, LIMIT, MAX_TTL_MS
from protocol.link_errors import LinkError
from protocol.text import decode_text, encode_text

# The longest text of a failure, in bytes.
MAX_FAILURE = const(200)


class RequestFailed(LinkError):
    """There is no answer: the handler raised, or there is none, or it was interrupted. The text says which."""


class RequestTimeout(LinkError):
    """No answer came in time. The handler may have run, or still run; one that has not begun by then never does."""


def check_timeout(timeout_ms):
    """Raises: TypeError, ValueError."""
    if not isinstance(timeout_ms, int):
        raise TypeError("timeout_ms must be an int")
    if not 0 < timeout_ms <= MAX_TTL_MS:
        raise ValueError("timeout_ms must be 1..%d" % MAX_TTL_MS)


def ident(number):
    """Returns the id of the request with this number, which counts modulo 2**32."""
    return pack(">I", number & 0xFFFFFFFF)


def ident_of(entry):
    """Returns the id of a received (bytes, type, deadline) that is a REQUEST, ANSWER or FAILURE."""
    at = LIMIT if entry[1] & EXPIRES else 0
    return bytes(entry[0][at : at + FIELD])


def call_of(entry):
    """Returns REQUEST, ANSWER or FAILURE, or 0 for a received message that is none of them."""
    return entry[1] & CALL if isinstance(entry, tuple) else 0


def failure_of(error):
    """Returns the bytes that tell of an exception: its name and text, cut to MAX_FAILURE."""
    data = type(error).__name__
    try:
        text = str(error)
        data = encode_text(data + ": " + text if text else data)
    except MemoryError:
        raise
    except Exception:  # its __str__ is foreign code, and its text need not be one
        data = data.encode()
    end = min(len(data), MAX_FAILURE)
    while end < len(data) and data[end] & 0xC0 == 0x80:  # not in the middle of a character
        end -= 1
    return data[:end]


def result_of(answer, channel):
    """Returns the answer's bytes. answer: (ANSWER or FAILURE, bytes). Raises: RequestFailed with the text of a FAILURE,
    MemoryError."""
    kind, data = answer
    if kind == ANSWER:
        return data
    try:
        text = decode_text(data)
    except ValueError:
        text = "a text that is not UTF-8"
    raise RequestFailed("channel %d: %s" % (channel, text))
