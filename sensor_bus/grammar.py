"""The texts of a record that say what to write to a device and what to read from it, and the programs they become.

    text        step & step ..                  (; is the same as &)
    step        write = items                   without items the = may be left out
    write       0x and hex digits, or nothing
    items       rN  read N bytes                pN  pause N ms after the step
                cN  read N bytes, of which each third is the checksum of the two in front of it
                r{expression}  read as many bytes as it says
                0x.. or 0b.. bytes that a read of their length must give; in 0b.. an X is any bit; a comma
                separates alternatives, of one length

docs/sensor-bus.md, "Grammar", has it with examples. A fault raises ValueError, which names the place in the text.
A board needs this module only for types that it gets while it runs: steps.py runs the programs.
"""

from protocol import const
from sensor_bus import sizes, steps

# Bytes that one program may read: with a stamp of 2 bytes they fit into a sample of devbin, whose length is a byte.
MAX_READ = const(253)
MAX_WRITE = const(255)
MAX_PAUSE_MS = const(10000)
MAX_TEXT = const(2000)
MAX_PROGRAM = const(2000)
MAX_ALTERNATIVES = const(16)
MAX_OPERATORS = const(8)
MAX_WIDTH = const(32)  # bits that a computed length takes out of the bytes read

_HEX = "0123456789abcdefABCDEF"
# In the order in which they are tried: a text before its own beginning.
_OPERATORS = (
    (">>", sizes.SHIFT_RIGHT, 10), ("<<", sizes.SHIFT_LEFT, 10), ("*", sizes.MULTIPLY, 10), ("/", sizes.DIVIDE, 10),
    ("+", sizes.ADD, 10), ("-", sizes.SUBTRACT, 10), ("&", sizes.AND, 16), ("|", sizes.OR, 16),
    (":mask", sizes.AND, 16), (":max", sizes.AT_MOST, 10), (":min", sizes.AT_LEAST, 10), (":align", sizes.ALIGN, 10),
)  # fmt: skip


def detection_program(text):
    """Returns the program of `detectionValues`: each read must be one of its alternatives. Raises: ValueError."""
    return _Parser(text).program(True)


def steps_program(text):
    """Returns the program of `initValues`, or of a poll. What a read must give is not compared: it says only how many
    bytes are read. Raises: ValueError."""
    return _Parser(text).program(False)


class _Parser:
    def __init__(self, text):
        if not isinstance(text, str):
            raise ValueError("it must be text, not %r" % (text,))
        if len(text) > MAX_TEXT:
            raise ValueError("it has %d characters, at most %d go" % (len(text), MAX_TEXT))
        self.text = text
        self.at = 0
        self.sizes = []  # of each step's read; None: computed
        self.most = 0

    def fault(self, what, at=None):
        raise ValueError("at character %d of %r: %s" % (self.at if at is None else at, self.text, what))

    def peek(self):
        """Returns the next character that is no blank, "" at the end."""
        while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
            self.at += 1
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self, word):
        """Returns whether the word comes next, and passes it, in any case of its letters."""
        self.peek()
        found = self.text[self.at : self.at + len(word)].lower() == word
        if found:
            self.at += len(word)
        return found

    def program(self, compares):
        if not self.peek():
            return b""
        out = bytearray(1)
        while True:
            self.step(out, compares)
            if not self.peek():
                break
            if self.text[self.at] not in "&;":
                self.fault("& or the end must come here")
            self.at += 1
            if not self.peek():  # a & at the end
                break
        if len(out) > MAX_PROGRAM:
            raise ValueError("%r is too long: %d bytes, at most %d go" % (self.text, len(out), MAX_PROGRAM))
        out[0] = self.most
        return bytes(out)

    def step(self, out, compares):
        write = self.hex_bytes(MAX_WRITE) if self.take("0x") else b""
        read, pause, alternatives = b"", 0, []
        kind, size = 0, 0
        if self.take("="):
            while self.peek() and self.text[self.at] not in "&;":
                start = self.at
                if self.take("r"):
                    if kind:
                        self.fault("a step reads once", start)
                    kind, size, read = self.read()
                elif self.take("c"):
                    if kind:
                        self.fault("a step reads once", start)
                    kind, size = steps.CHECKED, self.number(3, MAX_READ, "a read")
                    if size % 3:
                        self.fault("c reads bytes in threes", start)
                    read = bytes((size,))
                elif self.take("p"):
                    if pause:
                        self.fault("a step pauses once", start)
                    pause = self.number(1, MAX_PAUSE_MS, "a pause")
                elif self.take("0b"):
                    alternatives.append(self.bits())
                elif self.take("0x"):
                    value = self.hex_bytes(MAX_READ)
                    alternatives.append((b"\xff" * len(value), value))
                else:
                    self.fault("r, c, p, 0x or 0b must come here")
                if self.take(",") and not self.peek():
                    self.fault("something must come behind the comma")
        if alternatives:
            kind, size, read = self.expected(alternatives, kind)
        head = kind | (steps.PAUSE if pause else 0)
        if alternatives and compares:
            head |= steps.ALTERNATIVES
        out.append(head | min(len(write), steps.LONG) << 4)
        if len(write) >= steps.LONG:
            out.append(len(write))
        out.extend(write)
        out.extend(read)
        if pause:
            out.extend(pause.to_bytes(2, "little"))
        if alternatives and compares:
            out.append(len(alternatives))
            for mask, value in alternatives:
                out.extend(mask)
                out.extend(value)
        self.sizes.append(None if kind == steps.COMPUTED else size)
        self.most += size
        if self.most > MAX_READ:
            self.fault("all reads together give %d bytes, at most %d go" % (self.most, MAX_READ))

    def expected(self, alternatives, kind):
        if kind:
            self.fault("a step has r or the bytes that it must read, not both")
        if len(alternatives) > MAX_ALTERNATIVES:
            self.fault("a step has at most %d alternatives" % MAX_ALTERNATIVES)
        size = len(alternatives[0][0])
        if any(len(mask) != size for mask, _ in alternatives):
            self.fault("the alternatives of a step must have one length")
        return steps.FIXED, size, bytes((size,))

    def hex_bytes(self, most):
        start = self.at
        while self.at < len(self.text) and self.text[self.at] in _HEX:
            self.at += 1
        digits = self.text[start : self.at]
        if not digits or len(digits) % 2:
            self.fault("0x needs two digits for each byte", start)
        if len(digits) > 2 * most:
            self.fault("at most %d bytes go" % most, start)
        return bytes(int(digits[at : at + 2], 16) for at in range(0, len(digits), 2))

    def bits(self):
        """Returns (mask, value) of what stands behind 0b, most significant bit first."""
        start = self.at
        mask, value = bytearray(), bytearray()
        while self.at < len(self.text) and self.text[self.at] in "01Xx":
            if not (self.at - start) % 8:
                mask.append(0)
                value.append(0)
            bit = self.text[self.at]
            mask[-1] = mask[-1] << 1 | (bit in "01")
            value[-1] = value[-1] << 1 | (bit == "1")
            self.at += 1
        if self.at == start or (self.at - start) % 8:
            self.fault("0b needs eight digits, 0, 1 or X, for each byte", start)
        if len(mask) > MAX_READ:
            self.fault("at most %d bytes go" % MAX_READ, start)
        return bytes(mask), bytes(value)

    def number(self, lowest, highest, what, base=10):
        start = self.at
        digits = _HEX if base == 16 else _HEX[:10]
        while self.at < len(self.text) and self.text[self.at] in digits and self.at - start < 10:
            self.at += 1
        if self.at == start:
            self.fault("a %s must come here" % ("hex number" if base == 16 else "number"), start)
        found = int(self.text[start : self.at], base)
        if not lowest <= found <= highest:
            self.fault("%s must be %d..%d" % (what, lowest, highest), start)
        return found

    def read(self):
        """Returns (kind, most bytes, their code) of what stands behind r."""
        if not self.take("{"):
            size = self.number(1, MAX_READ, "a read")
            return steps.FIXED, size, bytes((size,))
        offset, width, big = self.source()
        code, most = bytearray(), None
        while not self.take("}"):
            start = self.at
            operator, operand = self.operator()
            if operator == sizes.AT_MOST:
                most = operand if most is None else min(most, operand)
            code.append(operator)
            code.extend(operand.to_bytes(4, "little"))
            if len(code) > 5 * MAX_OPERATORS:
                self.fault("at most %d operators go" % MAX_OPERATORS, start)
        if most is None:
            self.fault("the length needs a :max in front of its }")
        if not 1 <= most <= MAX_READ:
            self.fault(":max must be 1..%d" % MAX_READ)
        return steps.COMPUTED, most, bytes((offset, width | big, most, len(code) // 5)) + bytes(code)

    def source(self):
        """Returns (offset among all bytes read, width in bits, BIG_ENDIAN or 0) of `$N[B].wE`."""
        if not self.take("$"):
            self.fault("a computed length begins with $ and the number of an earlier step, from 0")
        start = self.at
        step = self.number(0, 255, "a step")
        if step >= len(self.sizes):
            self.fault("step %d is not in front of this one" % step, start)
        if None in self.sizes[: step + 1]:
            self.fault("the length of step %d, or of one in front of it, is itself computed" % step, start)
        first = 0
        if self.take("["):
            first = self.number(0, MAX_READ, "an offset")
            if not self.take("]"):
                self.fault("] must come here")
        width, big = 8, 0
        if self.take("."):
            letter = self.peek()
            if letter not in ("w", "W"):
                self.fault("w (little-endian) or W (big-endian) must come here")
            self.at += 1
            big = sizes.BIG_ENDIAN if letter == "W" else 0
            width = self.number(1, MAX_WIDTH, "a width in bits")
        if first + (width + 7) // 8 > self.sizes[step]:
            self.fault("step %d reads only %d bytes" % (step, self.sizes[step]), start)
        return sum(self.sizes[:step]) + first, width, big

    def operator(self):
        found = next((row for row in _OPERATORS if self.take(row[0])), None)
        if found is None:
            self.fault("an operator or } must come here")
        word, operator, base = found
        if operator in (sizes.ADD, sizes.SUBTRACT) and self.peek() == "$":
            start = self.at
            offset, width, _ = self.source()
            if width != 8:
                self.fault("an operand is one byte, as $0[2]", start)
            return operator | sizes.OF_BYTE, offset
        lowest, highest = 0, 0xFFFFFFFF
        if operator in (sizes.DIVIDE, sizes.ALIGN):
            lowest = 1
        elif operator in (sizes.SHIFT_LEFT, sizes.SHIFT_RIGHT):
            highest = 31
        return operator, self.number(lowest, highest, "the number behind %s" % word, base)
