"""From the application's line to the bytes of records, and back; and the numbers of lines."""

from protocol.errors import RemoteProtocolError
from protocol.limits import MAX_LINE


def encode_line(line, max_line=MAX_LINE):
    """Return a line's UTF-8 bytes without the newline, which is implied on the wire.

    Raises: TypeError if line is not a str; ValueError if it contains an inner
    newline or is longer than max_line bytes. Nothing is sent in either case.
    """
    if not isinstance(line, str):
        raise TypeError("a line must be a str, not " + type(line).__name__)
    if line.endswith("\n"):
        line = line[:-1]
    if "\n" in line:
        raise ValueError("a line must not contain an inner newline")
    data = line.encode()
    if len(data) > max_line:
        raise ValueError("the line has %d bytes, the longest is %d" % (len(data), max_line))
    return data


def decode_line(data):
    """Return the line as str, with its newline.

    Raises: RemoteProtocolError if it is not UTF-8: the other application's
    doing, since only it holds the key.
    """
    try:
        return str(data, "utf-8") + "\n"
    except UnicodeError:
        raise RemoteProtocolError("a line that is not UTF-8 was received and dropped")


def diff16(a, b):
    """Signed distance from b to a, -32768..32767, of two line numbers, which wrap at 2**16 (RFC 1982)."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000
