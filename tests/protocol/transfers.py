"""Transfers of the mailbox, made and checked whole."""

from protocol import mailbox as box
from protocol.sequence import get16


def sealed(direction, epochs, payload, number=0, kind=box.DATA, connection=0, next_number=0):
    """A bytearray with the transfer."""
    buf = bytearray(box.HEADER) + payload
    parts = box.parts(memoryview(buf), 0, len(payload), 0)
    box.seal_transfer(direction, epochs, parts, number, kind, connection, next_number)
    return buf


def is_whole(direction, epochs, buf):
    return box.transfer_ok(direction, epochs, box.parts(memoryview(buf), 0, get16(buf, box.LENGTH), 0))
