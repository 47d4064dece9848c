"""Clocks that nobody sets while the process runs: one for durations of any length, and one for UTC."""

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


# UTC in ms when `monotonic_ms` was 0. So a clock that is set meanwhile makes no message expire.
_BEGAN_MS = int(time.time() * 1000) - monotonic_ms()


# MicroPython counts from 2000 on some systems.
_EPOCH_MS = 946684800000 if time.gmtime(0)[0] == 2000 else 0


def system_utc_ms():
    """Returns the time in ms since 1970 as the system knows it now."""
    return int(time.time() * 1000) + _EPOCH_MS


def utc_ms():
    """Returns the time in ms since the epoch of `time.time`, as the process knew it when it began."""
    return _BEGAN_MS + monotonic_ms()
