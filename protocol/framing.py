"""The TCP byte stream between bridge and server: preamble, length prefixes,
keepalives (`docs/protocol.md` section 3).

    offset  bytes
    0       4      preamble, once, bridge to server: F5 'p' 'b' and the version
    then, for ever, in both directions:
    0       2      length of the frame that follows, big-endian, 0 or 3..1022
    2       n      session frame
    A length of 0 is a keepalive. It belongs to this hop and ends here.

The first byte F5 starts no UTF-8 text, so that a server can tell this
protocol from a line protocol on the same port.
"""

# Version of the session protocol; both ends must name the same.
VERSION = 1

# A session frame with its length prefix. 1 KiB fills an I2C transfer of 25 ms
# at 400 kHz, so that Wi-Fi is served between two transfers.
MAX_FRAME = 1024

PREAMBLE = bytes((0xF5, 0x70, 0x62, VERSION))
KEEPALIVE = b"\x00\x00"
PREFIX = 2  # bytes of the length prefix
MAX_BODY = MAX_FRAME - PREFIX
MIN_BODY = 3


def bad_length(length):
    return length > MAX_BODY or 0 < length < MIN_BODY
