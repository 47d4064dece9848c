"""Session frames: what each kind carries, byte by byte, and the MAC over it.

A frame is what follows a length prefix (`framing.py`). All numbers are
big-endian. `docs/protocol.md` section 4 has the same tables.

    HELLO    client -> server, not authenticated
    0   1   kind 01
    1   1   protocol version
    2   8   epoch of the client: random, new after each start
    10  16  nonce of the client, fresh for each connection
    26  2   longest frame it takes, with the prefix
    28  2   longest line it takes, bytes of UTF-8 without the newline
    30  8   key hint: an HMAC of the other bytes under the client's key
    38  1   length of the id
    39  n   id, UTF-8

    WELCOME  server -> client
    0   1   kind 02
    1   1   protocol version
    2   8   epoch of the server's session with this client
    10  16  nonce of the server
    26  2   longest frame it takes, with the prefix
    28  2   longest line it takes, bytes of UTF-8 without the newline
    30  32  proof of the server

    PROOF    client -> server
    0   1   kind 03
    1   32  proof of the client

    REFUSED  server -> client, not authenticated: a hint, then it closes
    0   1   kind 04
    1   1   reason (REASONS)
    2   1   the server's protocol version

    RESUME   both ways, the first sealed frame of each direction
    0   1   kind 10
    1   1   flags: bit 0: I remember your epoch, so `ack` and `next` count
            bit 1 (server): we have not the same past: my next line is that
            of number `base`, whatever you remember
            bit 2: LIST follows
    2   4   number of my oldest line that you have not acknowledged
    6   4   ack: every line of yours before this one is accepted
    10  4   next: every line of yours before this one has been received
    14  4   lost (server): lines of yours that were acknowledged, and that my
            store does not have
    18  1   room, in units of 64 bytes
    19  1   runs that follow, 0..8, of the server on its store, the last one
            first: from the server those that the client is to remember of
            this epoch, from the client those that it remembers
    20  12  each: its name (8 bytes), and the number (4) that the next line
            got when it began
    -8  8   MAC

    DATA     both ways
    0   1   kind 11
    1   2   number of the first numbered line that begins or goes on here
            (the next one's, if there is none)
    3   2   ack: every line before this one is accepted
    5   2   seen: bytes charged for the records received on this connection
    7   1   room: bytes that I can take beyond `seen`, in units of 64
    8   n   records
    -8  8   MAC

    PROBE    both ways: as DATA without records; asks for a DATA frame
    0   1   kind 12

    DATA_MORE both ways: as DATA; more follows at once, so acknowledging has time
    0   1   kind 13

    NOTICE   both ways: as DATA, with records that are no messages: makes no
             acknowledgement due
    0   1   kind 14

    LIST     both ways, behind a RESUME that announces it
    0   1   kind 15
    1   1   bit 0: this is the last frame of the list
    2   19  each: number of a channel (1), and its entry (`channel_records.py`)
    -8  8   MAC

    FAREWELL server -> client: the last frame, of a server that ends; the client
             treats it as any unknown kind, and ends the connection
    0   1   kind 16
    -8  8   MAC

    A record: 2 bytes (bit 15 more fragments follow, bit 14 qos 0, bit 13 of a
    channel, bits 10..0 length of the payload), then the payload.
"""

from struct import pack_into, unpack_from

from protocol.digest import Hmac
from protocol.limits import MAC_BYTES
from protocol.lines import NUMBERS

HELLO = 0x01
WELCOME = 0x02
PROOF = 0x03
REFUSED = 0x04
RESUME = 0x10
DATA = 0x11
PROBE = 0x12
DATA_MORE = 0x13

REMEMBERED = 0x01  # RESUME flags
PARTED = 0x02
RESUME_HEADER = 20
RUN_ENTRY = 12
MAX_RUNS = 8  # that a client remembers of one epoch: what fits the smallest frame
_RESUME = ">BBIIIIBB"
DATA_HEADER = 8

MORE = 0x8000
QOS0 = 0x4000
LENGTH = 0x07FF
RESERVED = 0x3800  # bits of the header of a line's record that are 0; what is of channels: channel_records.py
RECORD_HEADER = 2

REFUSED_VERSION = 1
REFUSED_IDENTITY = 2
REFUSED_BUSY = 3
REASONS = {  # of the others: that of another version names both
    REFUSED_IDENTITY: "unknown id or wrong key",
    REFUSED_BUSY: "the server has too many connections",
}


def encode_resume(buf, at, flags, base, ack, next_number, lost, room, runs):
    """runs: bytes, of `server_session.run_entry`, or of several."""
    pack_into(_RESUME, buf, at, RESUME, flags, base, ack, next_number, lost, room, len(runs) // RUN_ENTRY)
    at += RESUME_HEADER
    buf[at : at + len(runs)] = runs
    return at + len(runs)


def is_resume(data, end):
    """True if data[:end] has the length that a RESUME says to have."""
    return end >= RESUME_HEADER and data[19] <= MAX_RUNS and end == RESUME_HEADER + data[19] * RUN_ENTRY


class Resume:
    """What a RESUME (memoryview or bytes, without MAC) says."""

    def __init__(self, data):
        _, flags, base, ack, next_number, lost, self.room, _ = unpack_from(_RESUME, data, 0)
        self.runs = bytes(data[RESUME_HEADER:])
        self.remembered = bool(flags & REMEMBERED)
        self.parted = bool(flags & PARTED)
        self.base, self.ack, self.next = base & NUMBERS, ack & NUMBERS, next_number & NUMBERS
        self.lost = lost & NUMBERS

    def news(self):
        """The words for people at the client if the server's store is not what it was, or None."""
        if self.lost or self.parted:
            return "the server's store is an older one, or another one: %s. The link goes on." % (
                "it does not know of %d lines that had been acknowledged" % self.lost
                if self.lost
                else "some lines may come again"
            )
        return None


def encode_data_header(buf, at, number, ack, seen, room):
    buf[at] = DATA
    buf[at + 1] = number >> 8 & 0xFF
    buf[at + 2] = number & 0xFF
    buf[at + 3] = ack >> 8 & 0xFF
    buf[at + 4] = ack & 0xFF
    buf[at + 5] = seen >> 8
    buf[at + 6] = seen & 0xFF
    buf[at + 7] = room
    return at + DATA_HEADER


class FrameSeal:
    """The authenticated frames of one connection: a MAC and a frame counter
    for each direction.

    The 32-bit counter is not sent: the connection delivers in order, so each
    end counts, and a frame that was lost, repeated, reordered or reflected
    fails its MAC. It never wraps; `exhausted` asks for a new handshake.
    """

    LAST = 0xFFFFFFFF

    def __init__(self, send_key, receive_key):
        self._send = Hmac(send_key)
        self._receive = Hmac(receive_key)
        self._sent = 0
        self._received = 0
        self._counter = bytearray(4)
        self._buf = self._view = None  # the buffer that was sealed last, which is the next one, and a view of it

    def exhausted(self):
        return self._sent >= self.LAST or self._received >= self.LAST

    def seal(self, buf, start, end):
        """Append the MAC of the frame buf[start:end]. Returns the new end."""
        pack_into(">I", self._counter, 0, self._sent)
        self._sent += 1
        if buf is not self._buf:
            self._view = memoryview(buf)
            self._buf = buf
        mac = self._send.begun()
        mac.update(self._counter)
        mac.update(self._view[start:end])
        mac = self._send.ended(mac)
        for start in range(MAC_BYTES):  # a slice would be garbage of each frame, another local too: see receiver.py
            buf[end + start] = mac[start]
        return end + MAC_BYTES

    def open(self, frame):
        """True if the next frame received (memoryview, MAC included) is genuine."""
        end = len(frame) - MAC_BYTES
        if end < 1 or self._received >= self.LAST:
            return False
        pack_into(">I", self._counter, 0, self._received)
        mac = self._receive.begun()
        mac.update(self._counter)
        mac.update(frame[:end])
        mac = self._receive.ended(mac)
        different = 0  # as handshake.equal, in constant time, but without slices, which would be garbage of each frame
        for i in range(MAC_BYTES):
            different |= mac[i] ^ frame[end + i]
        if different:
            return False
        self._received += 1
        return True
