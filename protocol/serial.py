"""Serial numbers that wrap (RFC 1982): line numbers modulo 2**16, transfer
numbers modulo 2**8."""


def diff16(a, b):
    """Signed distance from b to a, -32768..32767, of two 16-bit numbers."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000


def diff8(a, b):
    """Signed distance from b to a, -128..127, of two 8-bit numbers."""
    return ((a - b + 0x80) & 0xFF) - 0x80
