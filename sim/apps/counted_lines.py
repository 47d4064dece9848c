"""The lines of a counted run: numbered, so distinct, and of a given size. Runs on MicroPython and CPython."""


def make_line(side, number, size, seed):
    """Line `number` of a side ("c" or "s"), `size` bytes with its newline, which is not included."""
    head = "%s%d " % (side, number)
    step = (number * 31 + seed * 17 + 7) % 94
    return head + "".join(chr(33 + (step + i * 13) % 94) for i in range(size - 1 - len(head)))


def shortest(lines):
    """The size of the longest head and a newline."""
    return len("c%d " % (lines - 1)) + 1
