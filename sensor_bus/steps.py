"""Runs a program: what a device's record says about detecting, initialising or polling it, as bytes.

grammar.py makes programs out of text. One is empty, or it is

    most        1   most bytes that its reads give together
    steps       any number, each:
        head    1   bits 0-1: the read: 0 none, 1 fixed, 2 computed, 3 fixed, with checksums; bit 2: a pause; bit 3:
                    alternatives; bits 4-7: bytes to write, 15: their count is in the next byte
        bytes to write
        fixed       1: size
        computed    1: offset among all bytes read so far; 1: width in bits, + 128 if big-endian; 1: largest size;
                    1: count of operators, each 5: operator, operand (4, little-endian);
                    + 128: the operand is the offset of a byte among all bytes read so far
        pause       2: ms, little-endian
        alternatives  1: count; each: mask and value, both as long as the (fixed) read

This knows nothing of devices or time: the caller writes, reads and waits.

    steps.begin(program)
    while steps.next():
        write steps.write, then read steps.size(got) bytes, wait steps.pause_ms
"""

from protocol import const
from sensor_bus.loading import load

FIXED = const(1)
COMPUTED = const(2)
CHECKED = const(3)
PAUSE = const(4)
ALTERNATIVES = const(8)
LONG = const(15)  # in the head: the count of bytes to write follows

_SHORT = const(16)  # bytes of a write that takes no allocation
OPERATOR_BYTES = const(5)


class Steps:
    """A place in a program.

    write: bytes to write, maybe none: valid until the next call of `next`. pause_ms: wait after the step. at: the place
    itself, for `begin`. most: bytes that the program reads at most in all. Once a write of each length was made,
    `next`, `size` and `matches` allocate nothing, if no write is longer than 16 bytes.
    """

    _computed = None  # sizes.computed, once it was needed

    def __init__(self, program=b""):
        self._out = bytearray(_SHORT)
        self._views = [None] * (_SHORT + 1)
        self.begin(program)

    def begin(self, program, at=1):
        """Go to a place in this program, bytes or memoryview: its beginning, or what `at` has been."""
        self.most = program[0] if program else 0
        self.write = b""
        self.pause_ms = 0
        self._program = program
        self.at = at
        self._read = self._kind = self._expected = 0

    def next(self):
        """Go to the next step. Returns: False if there is none; then it is at the beginning again."""
        program, at = self._program, self.at
        if at >= len(program):
            self.at = 1
            return False
        head = program[at]
        count = head >> 4
        at += 1
        if count == LONG:
            count = program[at]
            at += 1
        self.write = self._bytes(at, count)
        at += count
        self._kind = head & 3
        self._read = at
        if self._kind & FIXED:
            at += 1
        elif self._kind == COMPUTED:
            at += 4 + OPERATOR_BYTES * program[at + 3]
        self.pause_ms = 0
        if head & PAUSE:
            self.pause_ms = program[at] | program[at + 1] << 8
            at += 2
        self._expected = 0
        if head & ALTERNATIVES:
            self._expected = at
            at += 1 + 2 * program[self._read] * program[at]
        self.at = at
        return True

    def _bytes(self, at, count):
        program = self._program
        if not count:
            return b""
        if count > _SHORT:
            return bytes(program[at : at + count])
        out = self._out
        for index in range(count):
            out[index] = program[at + index]
        view = self._views[count]
        if view is None:
            view = self._views[count] = memoryview(out)[:count]
        return view

    def size(self, got):
        """Returns how many bytes to read in this step, 0: none. Args: got: all bytes that the steps before it have
        read, in their order; longer is allowed."""
        if self._kind != COMPUTED:
            return self._program[self._read] if self._kind else 0
        if self._computed is None:  # an import allocates
            self._computed = load("sizes").computed
        return self._computed(self._program, self._read, got)

    def compares(self):
        """Returns whether the step reads what `matches` can tell from something else."""
        return self._expected or self._kind == CHECKED

    def matches(self, data):
        """Returns whether the bytes just read are one of the step's alternatives, and have their checksums; True if it
        has none.

        With checksums each third byte is the CRC-8 of the two in front of it: polynomial 0x31, initial value 0xff.
        Source: Sensirion, Datasheet SHT4x, version 6 (2023), 4.4."""
        if self._kind == CHECKED:
            crc = 0xFF
            for index in range(len(data)):
                crc ^= data[index]
                if index % 3 == 2:
                    if crc:
                        return False
                    crc = 0xFF
                else:
                    for _ in range(8):
                        crc = crc << 1 ^ (0x131 if crc & 0x80 else 0)
        at = self._expected
        if not at:
            return True
        program, size = self._program, self._program[self._read]
        count = program[at]
        at += 1
        for _ in range(count):
            for index in range(size):
                if data[index] & program[at + index] != program[at + size + index]:
                    break
            else:
                return True
            at += 2 * size
        return False
