"""16-bit numbers on the wire, and distances of sequence numbers, which wrap (serial numbers of RFC 1982)."""


def get16(buf, at):
    """The big-endian 16-bit number at buf[at]."""
    return buf[at] << 8 | buf[at + 1]


def put16(buf, at, value):
    """Write value modulo 2**16 at buf[at], big-endian."""
    buf[at] = value >> 8 & 0xFF
    buf[at + 1] = value & 0xFF


def diff8(a, b):
    """Signed distance from b to a, -128..127, of two transfer numbers: docs/protocol.md section 2."""
    return ((a - b + 0x80) & 0xFF) - 0x80


def diff16(a, b):
    """Signed distance from b to a, -32768..32767, of two line numbers, low bits: docs/protocol.md section 4."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000
