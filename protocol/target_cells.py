"""The target's half of `mailbox.py`: its STATUS, and the controller's cells. Apart, because the bridge counts bytes."""

from protocol import mailbox as box
from protocol.sequence import get16, put16


def decode_sync(buf, at=0):
    """(bridge epoch, client epoch, longest payload), or None."""
    if buf[at] != box.LAYOUT_VERSION or not box.cell_ok(box.SYNC_SEED, buf, at, box.SYNC_BYTES):
        return None
    return get16(buf, at + 2), get16(buf, at + 4), get16(buf, at + 6)


def decode_ack(buf, at, epochs):
    """The next number, or None."""
    return buf[at] if box.cell_ok(box.ack_seed(epochs), buf, at, box.ACK_BYTES) else None


def encode_status_into(status, buf, at):
    """Write STATUS from a mailbox.StatusCell."""
    encode_shared_into(status, buf, at, box.LAYOUT_VERSION, status.beat)
    buf[at + 13] = status.drop
    box.seal_cell(box.STATUS_SEED, buf, at, box.STATUS_BYTES)


def encode_shared_into(status, buf, at, version, counter):
    """Write what STATUS has in the layouts of the link and of the devices. counter: the byte behind the version."""
    buf[at] = version
    buf[at + 1] = counter
    put16(buf, at + 2, status.target_epoch)
    put16(buf, at + 4, status.controller_epoch)
    buf[at + 6] = status.next
    buf[at + 7] = status.base
    buf[at + 8] = status.end
    put16(buf, at + 9, status.length0)
    put16(buf, at + 11, status.length1)
