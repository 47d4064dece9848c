"""Lines as bytes, without their newline, as a server keeps them: apart, because no board needs it."""

from protocol.text import is_utf8


def line_fault(data):
    """None, or what is wrong with the bytes that a peer has sent as a line: no application could read it."""
    if b"\n" in data:
        return "a line with a newline in it"
    return None if is_utf8(data) else "a line that is not UTF-8"


def bytes_in(data, at, end):
    """The line in data[at:end] (memoryview) as bytes: `lines.text_in` for a server."""
    line = bytes(data[at:end])
    return None if line_fault(line) else line


def decode_line(data):
    """Return the line as str, with its newline. data: bytes without a `line_fault`."""
    return str(data + b"\n", "utf-8")
