"""The target's half of `mailbox.py`: its STATUS, and the controller's cells. Apart, because the bridge counts bytes."""

from protocol import mailbox as box
from protocol.sequence import get16


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
    check = box.residue(box.STATUS_SEED, buf, 0, 14)
    buf[14] = check >> 8
    buf[15] = check & 0xFF


def encode_shared_into(status, buf, version, counter):
    """Write what STATUS has in the layouts of the link and of the devices. counter: the byte behind the version."""
    buf[0] = version
    buf[1] = counter
    epoch = status.target_epoch
    buf[2] = epoch >> 8
    buf[3] = epoch & 0xFF
    epoch = status.controller_epoch
    buf[4] = epoch >> 8
    buf[5] = epoch & 0xFF
    buf[6] = status.next
    buf[7] = status.base
    buf[8] = status.end
    length = status.length0
    buf[9] = length >> 8
    buf[10] = length & 0xFF
    length = status.length1
    buf[11] = length >> 8
    buf[12] = length & 0xFF
