"""The lines of a counted run: numbered, so distinct, and of a given size. Runs on MicroPython and CPython."""

# Every so many lines, a line has characters of two, three and four bytes, if it is long enough for them.
WIDE_EVERY = 8
_WIDE = "\u00e9\u20ac\U0001f600"
_WIDE_BYTES = 9


def make_line(side, number, size, seed):
    """Returns line `number` of a side ("c" or "s"): `size` bytes with its newline, which is not included."""
    head = "%s%d " % (side, number)
    step = (number * 31 + seed * 17 + 7) % 94
    wide = number % WIDE_EVERY == WIDE_EVERY - 1 and size > len(head) + _WIDE_BYTES
    plain = size - 1 - len(head) - (_WIDE_BYTES if wide else 0)
    text = bytearray(plain)  # not by `join`, which holds a pointer for each character
    for i in range(plain):
        text[i] = 33 + (step + i * 13) % 94
    return head + str(text, "utf-8") + (_WIDE if wide else "")


def shortest(lines):
    """Returns the size of the longest head and a newline."""
    return len("c%d " % (lines - 1)) + 1
