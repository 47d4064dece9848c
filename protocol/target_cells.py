"""The target's half of `mailbox.py`: its STATUS, and the controller's cells. Apart, because the bridge counts bytes."""

from protocol import mailbox as box
from protocol.sequence import get16, put16


def decode_sync(buf):
    """(epoch of the controller, epoch of the target, longest payload) of the SYNC in buf, or None."""
    if buf[0] != box.LAYOUT_VERSION or not box.cell_ok(box.SYNC_SEED, buf, 0, box.SYNC_BYTES):
        return None
    return get16(buf, 2), get16(buf, 4), get16(buf, 6)


def decode_ack(buf, at, epochs):
    """The next number of the ACK at buf[at:], or None."""
    return buf[at] if box.cell_ok(box.ack_seed(epochs), buf, at, box.ACK_BYTES) else None


def encode_status_into(status, buf):
    """Write STATUS from a mailbox.StatusCell."""
    encode_shared_into(status, buf, box.LAYOUT_VERSION, status.beat)
    buf[13] = status.drop
    box.seal_cell(box.STATUS_SEED, buf, 0, box.STATUS_BYTES)


def encode_shared_into(status, buf, version, counter):
    """Write what STATUS has in the layouts of the link and of the devices. counter: the byte behind the version."""
    buf[0] = version
    buf[1] = counter
    put16(buf, 2, status.target_epoch)
    put16(buf, 4, status.controller_epoch)
    buf[6] = status.next
    buf[7] = status.base
    buf[8] = status.end
    put16(buf, 9, status.length0)
    put16(buf, 11, status.length1)
