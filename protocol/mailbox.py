"""The layout of the mailbox in the target's memory, its cells and transfers, and their checksums.

The bridge of the link is the I2C controller and does all transfers; the client
is the target, whose memory this is. Both see the same bytes, so all state is always
readable, and a lost interrupt costs time only. `docs/protocol.md` section 2.

    address  bytes
    0        10     SYNC    bridge writes: I am here, this is my epoch
    10       4      ACK     bridge writes: which transfers it has received
    14       16     STATUS  client writes; its place in every layout from 53 hex on
    30       1078   RX      bridge writes: a transfer, and the next one when the client has taken it
    1108     1078   TX 0    client writes: transfer with an even number
    2186     16     STATUS  the same again, so that one read brings both
    2202     1078   TX 1    client writes: transfer with an odd number
    3280     16     STATUS  and again
    3296            end

A transfer in TX ends where its place does, so that STATUS follows it: a read
brings the transfer, and then what the client offers by the time of its end.

    SYNC     0  1  layout version
             1  1  0
             2  2  epoch of the bridge: random, not 0, new after each reset
             4  2  epoch of the client that it answers
             6  2  longest payload of a transfer that the bridge reads
             8  2  checksum
    ACK      0  1  next: number of the transfer that the bridge expects
             1  1  0
             2  2  checksum
    STATUS   0  1  layout version
             1  1  beat: changes at least every BEAT_MS while the client runs
             2  2  epoch of the client: random, not 0
             4  2  epoch of the bridge that it is synchronised with, or 0
             6  1  next: number of the transfer that the client expects
             7  1  base: number of the oldest transfer that it offers
             8  1  end: number after the last transfer that it offers
             9  2  payload bytes of the transfer in TX 0
             11 2  payload bytes of the transfer in TX 1
             13 1  number of the connection that the client wants dropped, or 0
             14 2  checksum
    transfer 0  1  number, modulo 256
             1  1  kind: bits 7..6, and FRAME_END
             2  1  connection, for DATA
             3  1  next, as in ACK (from the client: 0, its STATUS says it)
             4  2  payload bytes
             6  4  checksum
             10 n  payload, at most 1068 bytes

The checksum of a cell is its residue: its 16-bit words as digits of a number,
modulo the prime 65521, begun with its kind and, in ACK, the epochs of client
and bridge. It finds any three flipped bits, and does not allocate. The checksum
of a transfer is the beginning of the SHA-256 of its direction, both epochs and
the transfer: there is no CRC in C on the ESP8266 port, and there is this.
They find noise; what may be forged is the business of the session's MAC.

Stream and packet devices have the same cells and rules with other sizes:
`device.py`. The offsets and limits below are what it calls a layout.
"""

from hashlib import sha256

from protocol import const
from protocol.sequence import get16, put16

LAYOUT_VERSION = const(0x55)
ADDRESS = const(0x12)  # of the target on the bus
ADDRESS_BITS = const(16)  # of the memory address

PAYLOAD = const(1068)  # the longest frame
SYNC_PAYLOAD = const(PAYLOAD)  # what SYNC says: the longest payload that the controller reads
SLOTS = const(2)  # transfers that the client offers at a time
HEADER = const(10)
LENGTH = const(4)  # offsets in a transfer's header
_CHECKSUM = const(6)
_CHECKSUM_BYTES = const(4)
SLOT = const(HEADER + PAYLOAD)

SYNC = const(0)
SYNC_BYTES = const(10)
ACK = const(SYNC + SYNC_BYTES)
ACK_BYTES = const(4)
STATUS = const(ACK + ACK_BYTES)
STATUS_BYTES = const(16)
RX = const(STATUS + STATUS_BYTES)
TX = const(RX + SLOT)  # + TX_STRIDE * (number % SLOTS): the transfer at its end, then STATUS
TX_STRIDE = const(SLOT + STATUS_BYTES)

# A transfer that is found damaged this often is damaged where it lies, in the
# client's memory: only a new epoch of the link gets past it.
MAX_REFUSALS = const(16)
# And so is one that the client has not taken after this many writes.
MAX_REWRITES = const(50)

DATA = const(0x00)  # bytes of the frame stream of one connection
CONTROL = const(0x40)  # a control record (`control.py`), between bridge and client only
KIND = const(0xC0)
FRAME_END = const(0x01)  # the payload ends at the end of a frame

FROM_CONTROLLER = b"b"
FROM_TARGET = b"c"

SYNC_SEED = const(0x73)
_ACK_SEED = const(0x61)
STATUS_SEED = const(0x74)
_MODULUS = const(65521)
# With this factor a cell of up to 20 bytes has no other cell within three bits: a test looks.
_FACTOR = const(1819)


def residue(seed, buf, at, end):
    """The checksum over buf[at:end], an even number of bytes. Its numbers stay below 2**28: it does not allocate."""
    while at < end:
        seed = (seed + (buf[at] << 8 | buf[at + 1])) * _FACTOR % _MODULUS
        at += 2
    return seed


def seal_cell(seed, buf, at, size):
    end = at + size - 2
    put16(buf, end, residue(seed, buf, at, end))


def cell_ok(seed, buf, at, size):
    end = at + size - 2
    return residue(seed, buf, at, end) == get16(buf, end)


def pack_epochs(target_epoch, controller_epoch):
    """The 4 bytes that bind checksums to this pair of epochs."""
    return bytes((target_epoch >> 8, target_epoch & 0xFF, controller_epoch >> 8, controller_epoch & 0xFF))


def ack_seed(epochs):
    return residue(_ACK_SEED, epochs, 0, 4)


def encode_sync_into(buf, at, controller_epoch, target_epoch, max_payload):
    buf[at] = LAYOUT_VERSION
    buf[at + 1] = 0
    put16(buf, at + 2, controller_epoch)
    put16(buf, at + 4, target_epoch)
    put16(buf, at + 6, max_payload)
    seal_cell(SYNC_SEED, buf, at, SYNC_BYTES)


def encode_ack_into(buf, at, epochs, next_number):
    buf[at] = next_number
    buf[at + 1] = 0
    seal_cell(ack_seed(epochs), buf, at, ACK_BYTES)


def other_layout(buf, size):
    """The version of a SYNC or STATUS (by its size) that is whole, but not of this layout; else 0.

    In every layout from 53 hex on these have their place, their size, the version in front and the checksum at the end.
    """
    if buf[0] == LAYOUT_VERSION:
        return 0
    return buf[0] if cell_ok(SYNC_SEED if size == SYNC_BYTES else STATUS_SEED, buf, 0, size) else 0


class StatusCell:
    """The fields of STATUS. `read_from` takes them from a cell, and allocates nothing for them."""

    def __init__(self):
        self.beat = 0
        self.target_epoch = 0
        self.controller_epoch = 0
        self.next = 0
        self.base = 0
        self.end = 0
        self.length0 = 0
        self.length1 = 0
        self.drop = 0

    def read_from(self, buf, at=0, version=LAYOUT_VERSION, seed=STATUS_SEED, size=STATUS_BYTES):
        """Take the fields from buf. False, and no change, if the cell is damaged.

        version, seed, size: those of the layout (`device.py` has others).
        """
        if buf[at] != version or not cell_ok(seed, buf, at, size):
            return False
        self.beat = buf[at + 1]
        self.target_epoch = get16(buf, at + 2)
        self.controller_epoch = get16(buf, at + 4)
        self.next = buf[at + 6]
        self.base = buf[at + 7]
        self.end = buf[at + 8]
        self.length0 = get16(buf, at + 9)
        self.length1 = get16(buf, at + 11)
        self.drop = buf[at + 13]
        return True

    def length(self, number):
        """Payload bytes of the transfer with this number, if it is offered."""
        return self.length1 if number & 1 else self.length0


# A transfer, header and payload contiguous in a buffer. The checksum covers direction and epochs as well.


def parts(view, at, length, behind):
    """(all, header, checksum, payload) of the transfer at view[at:], as memoryviews: what the functions below take.

    Whoever keeps them for the next transfer of that length allocates nothing for it. behind: further bytes of `all`.
    """
    start = at + HEADER
    end = start + length
    return view[at : end + behind], view[at : at + _CHECKSUM], view[at + _CHECKSUM : start], view[start:end]


def seal_transfer(direction, epochs, parts, number, kind, connection, next_number):
    """Write header and checksum in front of the payload."""
    _, head, checksum, payload = parts
    head[0] = number
    head[1] = kind
    head[2] = connection
    head[3] = next_number
    put16(head, LENGTH, len(payload))
    digest = _digest(direction, epochs, head, payload)
    for i in range(_CHECKSUM_BYTES):
        checksum[i] = digest[i]


def transfer_ok(direction, epochs, parts):
    """True if the transfer is whole. The buffer must be a private copy."""
    _, head, checksum, payload = parts
    if get16(head, LENGTH) != len(payload):
        return False
    digest = _digest(direction, epochs, head, payload)
    for i in range(_CHECKSUM_BYTES):
        if checksum[i] != digest[i]:
            return False
    return True


def _digest(direction, epochs, head, payload):
    digest = sha256(direction)
    digest.update(epochs)
    digest.update(head)
    digest.update(payload)
    return digest.digest()
