"""What the tests of channels have in common."""

from protocol.frame import LENGTH
from protocol.sequence import get16


def records(sender, space=1000):
    """(header bits, bytes behind it) of the records that fill a frame."""
    sender.grant(0, 8000)
    buf = bytearray(space)
    end, at, found = sender.fill(buf, 0, space), 0, []
    while at < end:
        header = get16(buf, at)
        n = header & LENGTH
        found.append((header & ~LENGTH, bytes(buf[at + 2 : at + 2 + n])))
        at += 2 + n
    return found
