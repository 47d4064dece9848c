"""From the application's line to the bytes of records, and back; and the numbers of lines."""

from protocol.limits import MAX_LINE
from protocol.text import encode_text, is_utf8


def encode_line(line, max_line=MAX_LINE):
    """Return a line's UTF-8 bytes without the newline, which is implied on the wire.

    Raises: TypeError if line is not a str; ValueError if it contains an inner
    newline, cannot be encoded, or is longer than max_line bytes. Nothing is
    sent in any case.
    """
    if not isinstance(line, str):
        raise TypeError("a line must be a str, not " + type(line).__name__)
    data = encode_text(line)
    at = data.find(b"\n")
    if at >= 0:
        if at != len(data) - 1:
            raise ValueError("a line must not contain an inner newline")
        data = data[:-1]
    if len(data) > max_line:
        raise ValueError("the line has %d bytes, the longest is %d" % (len(data), max_line))
    return data


def line_fault(data):
    """None, or what is wrong with the bytes that a peer has sent as a line: no application could read it."""
    if b"\n" in data:
        return "a line with a newline in it"
    try:
        if len(str(data, "utf-8")) == len(data) or is_utf8(data):  # the first is for most, and saves a call
            return None
    except UnicodeError:
        pass
    return "a line that is not UTF-8"


def decode_line(data):
    """Return the line as str, with its newline. data: bytes without a `line_fault`, as a Receiver has them."""
    return str(data + b"\n", "utf-8")  # two str would cost MicroPython two searches among all names that it knows


# Numbers count modulo 2**30, so that they are small integers on every board. RESUME tells them whole; DATA their low 16
# bits, which is enough within one connection.
NUMBERS = 0x3FFFFFFF


def diff30(a, b):
    """Signed distance from b to a of two whole line numbers (serial numbers of RFC 1982)."""
    return ((a - b + 0x20000000) & NUMBERS) - 0x20000000
