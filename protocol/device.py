r"""The layout of a stream or packet device's memory. `docs/i2c-devices.md` has the rules.

The cells, the numbered transfers and their checksums are those of `mailbox.py`, whose client is a target and whose
bridge is a controller. P is max_payload, the longest payload of a transfer.

    address     bytes
    0           12    DEVICE  target writes, once: what it is
    12          10    SYNC    controller writes
    22          4     ACK     controller writes
    26          10+P  RX      controller writes: a transfer
    36+P        10+P  TX 0    target writes: transfer with an even number
    46+2P       20    STATUS  target writes
    66+2P       10+P  TX 1    target writes: transfer with an odd number
    76+3P       20    STATUS  the same again, so that one read brings both
    96+3P             end

A transfer in TX ends where its place does, so that STATUS follows it.

    DEVICE   0  1  layout version
             1  1  kind: S stream, P packet
             2  2  max_payload P
             4  2  capacity towards the target: bytes of a stream, packets
             6  2  capacity towards the controller
             8  2  0
             10 2  checksum
    STATUS   0  1  layout version
             1  1  faults: what the target has refused, modulo 256
             2  2  epoch of the target: random, not 0
             4  2  epoch of the controller that it is synchronised with, or 0
             6  1  next: number of the transfer that the target expects
             7  1  base: number of the oldest transfer that it offers
             8  1  end: number after the last transfer that it offers
             9  2  payload bytes of the transfer in TX 0
             11 2  payload bytes of the transfer in TX 1
             13 2  available: bytes or packets that wait for the controller
             15 2  room: bytes or packets that the controller may write
             17 1  0
             18 2  checksum

The payload of a transfer is bytes of the stream, or one packet; its kind and connection are 0. SYNC's last field is
65,535.
"""

from protocol.mailbox import ACK_BYTES, HEADER, SLOTS, SYNC_BYTES, StatusCell, cell_ok, seal_cell
from protocol.sequence import get16, put16
from protocol.target_cells import encode_shared_into

LAYOUT_VERSION = 0x65
STREAM = 0x53  # "S"
PACKET = 0x50  # "P"

DEVICE_BYTES = 12
MAX_PAYLOAD = 1024  # 23 ms on the wire at 400 kHz
MAX_CAPACITY = 0x7FFF

_DEVICE_SEED = 0x64
_STATUS_SEED = 0x75


class DeviceStatusCell(StatusCell):
    """The fields of a device's STATUS. Of those of the link it has no beat and no drop."""

    def __init__(self):
        super().__init__()
        self.faults = 0
        self.available = 0
        self.room = 0

    def read_from(self, buf, at=0):
        """Take the fields from buf, as StatusCell.read_from does."""
        if not super().read_from(buf, at, LAYOUT_VERSION, _STATUS_SEED, Layout.STATUS_BYTES):
            return False
        self.faults = buf[at + 1]
        self.available = get16(buf, at + 13)
        self.room = get16(buf, at + 15)
        return True


class Layout:
    """Offsets and limits for one max_payload, under the names that they have in `mailbox.py`."""

    StatusCell = DeviceStatusCell
    STATUS_BYTES = 20
    SYNC = DEVICE_BYTES
    ACK = SYNC + SYNC_BYTES
    RX = ACK + ACK_BYTES
    SYNC_PAYLOAD = 0xFFFF  # the controller reads whatever the target can offer
    # What is damaged on the wire is fetched or written again for as long as it takes: the target keeps what it offers
    # and puts it right, so nothing is damaged for good.
    MAX_REFUSALS = MAX_REWRITES = 1 << 29

    def __init__(self, max_payload):
        self.PAYLOAD = max_payload
        self.SLOT = HEADER + max_payload
        self.TX = self.RX + self.SLOT
        self.TX_STRIDE = self.SLOT + self.STATUS_BYTES
        self.STATUS = self.TX + self.SLOT
        self.MEMORY = self.TX + SLOTS * self.TX_STRIDE
        self.READ_ONLY = ((0, DEVICE_BYTES), (self.TX, self.MEMORY))


def encode_status_into(status, buf):
    """Write STATUS from a DeviceStatusCell."""
    encode_shared_into(status, buf, LAYOUT_VERSION, status.faults)
    put16(buf, 13, status.available)
    put16(buf, 15, status.room)
    buf[17] = 0
    seal_cell(_STATUS_SEED, buf, 0, Layout.STATUS_BYTES)


def encode_device_into(buf, at, kind, max_payload, to_target, to_controller):
    buf[at] = LAYOUT_VERSION
    buf[at + 1] = kind
    put16(buf, at + 2, max_payload)
    put16(buf, at + 4, to_target)
    put16(buf, at + 6, to_controller)
    put16(buf, at + 8, 0)
    seal_cell(_DEVICE_SEED, buf, at, DEVICE_BYTES)


def decode_device(buf, at=0):
    """(kind, max_payload, capacity towards the target, towards the controller), or None."""
    if buf[at] != LAYOUT_VERSION or not cell_ok(_DEVICE_SEED, buf, at, DEVICE_BYTES):
        return None
    max_payload = get16(buf, at + 2)
    if not 1 <= max_payload <= MAX_PAYLOAD:
        return None
    return buf[at + 1], max_payload, get16(buf, at + 4), get16(buf, at + 6)
