"""The self test of the wires, as far as client and bridge agree on it. Loaded for a self test only.

A client that holds syn low while the ESP8266 boots asks for it. The bridge
shows its wires: low pulses, as many as the wire's place in SHOWN, REPEATS
times over, so slow that a program sees each. It waits until syn is high, then
takes the client's I2C target for a plain memory:

    0    256  BLOCK: written and read back ROUNDS times, a new pattern each
    256  22   RESULT: what came of it

    RESULT   0  3   release of the bridge
             3  2   exchanges that ended in an error
             5  4   bytes that came back otherwise
             9  4   bytes that were moved
             13 4   clock of the bus, Hz
             17 3   free heap of the bridge
             20 2   check: the beginning of the SHA-256 of the rest
"""

from hashlib import sha256
from struct import pack_into, unpack_from

SHOWN = ("scl", "sda", "ack")
REPEATS = 2
PULSE_MS = 50  # low, and the same again high
GAP_MS = 100  # between two wires
ROUND_MS = 2 * PULSE_MS * (1 + 2 + 3) + 3 * GAP_MS  # all wires once
SYN_HIGH_MS = 10000  # the bridge waits so long for it, then goes on as usual
ANSWER_MS = 3000  # and so long for the memory to answer
ROUNDS = 20
BLOCK = 256
SHORT = 16  # reads of two lengths: the difference is time on the wire, without what each exchange costs beside it
RESULT = BLOCK
RESULT_BYTES = 22
MEMORY = RESULT + RESULT_BYTES


def pattern_into(buf, number):
    """All values and all bits change from one round to the next."""
    for i in range(len(buf)):
        buf[i] = (i * 7 + number * 91 ^ 0xAA * (number & 1)) & 0xFF


def encode_result_into(buf, release, errors, wrong, moved, clock_hz, free):
    buf[0:3] = bytes(release)
    pack_into(">HIII", buf, 3, errors, wrong, moved, clock_hz)
    buf[17] = free >> 16 & 0xFF
    buf[18] = free >> 8 & 0xFF
    buf[19] = free & 0xFF
    buf[20:22] = sha256(bytes(buf[:20])).digest()[:2]


def decode_result(buf):
    """(release, errors, wrong bytes, moved bytes, clock in Hz, free bytes), or None if there is none."""
    if sha256(bytes(buf[:20])).digest()[:2] != bytes(buf[20:22]):
        return None
    errors, wrong, moved, clock_hz = unpack_from(">HIII", buf, 3)
    return tuple(buf[:3]), errors, wrong, moved, clock_hz, buf[17] << 16 | buf[18] << 8 | buf[19]
