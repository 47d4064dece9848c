"""The cells of `mailbox.py` as the client reads them: apart, because the bridge counts bytes of heap."""

from protocol import mailbox as box
from protocol.sequence import get16


def decode_sync(buf, at=0):
    """(bridge epoch, client epoch, longest payload), or None."""
    if buf[at] != box.LAYOUT_VERSION or not box.cell_ok(box.SYNC_SEED, buf, at, box.SYNC_BYTES):
        return None
    return get16(buf, at + 2), get16(buf, at + 4), get16(buf, at + 6)


def decode_ack(buf, at, epochs):
    """The next number, or None."""
    return buf[at] if box.cell_ok(box.ack_seed(epochs), buf, at, box.ACK_BYTES) else None
