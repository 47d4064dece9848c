"""The circle that `ticks_ms` goes round: 2**30 on boards and under CPython, more in 64-bit MicroPython."""

try:
    from time import ticks_add
except ImportError:

    def ticks_add(ticks, delta):
        return (ticks + delta) & ((1 << 30) - 1)
