"""A clock for durations of any length. Nobody sets it, and under CPython it does not wrap, as `ticks_ms` does."""

import asyncio
import time

from primitives.platform import ticks_ms


def monotonic_ms():
    """Returns milliseconds, an int.

    Under MicroPython, which has no such clock, it wraps after 12.4 days: a difference may be negative then.
    """
    if hasattr(time, "ticks_ms"):
        return ticks_ms()
    try:
        seconds = asyncio.get_running_loop().time()  # of the simulator, in virtual time
    except RuntimeError:  # no loop runs
        seconds = time.monotonic()
    return int(seconds * 1000)
