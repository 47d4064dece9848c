"""From the application's line to the bytes of records, and back; and the numbers of lines."""

from protocol.limits import MAX_LINE
from protocol.text import encode_text, is_strict


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


def text_in(data, at, end):
    """The line in data[at:end] (memoryview) as str, with its newline; None if it is not UTF-8, or has another newline
    in it. The byte data[end] is written for it, and restored."""
    behind = data[end]
    data[end] = 10
    text = _decoded(data[at : end + 1])  # once: each new str costs MicroPython a search among all names that it knows
    data[end] = behind
    if text is None or text.find("\n") != len(text) - 1:
        return None
    return text if len(text) > end - at or is_strict(bytes(data[at:end])) else None


def _decoded(data):  # apart, as in text.py
    try:
        return str(data, "utf-8")
    except UnicodeError:
        return None


# Numbers count modulo 2**30, so that they are small integers on every board. RESUME tells them whole; DATA their low 16
# bits, which is enough within one connection.
NUMBERS = 0x3FFFFFFF


def diff30(a, b):
    """Signed distance from b to a of two whole line numbers (serial numbers of RFC 1982)."""
    return ((a - b + 0x20000000) & NUMBERS) - 0x20000000
