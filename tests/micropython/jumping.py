"""MicroPython's asyncio on a clock that jumps: when nothing can run, it is at once the time of the next timer. What
tests/link/virtual.py is in CPython.

Not for streams: what they wait for takes no virtual time.
"""

import asyncio
import sys
import time
from asyncio import core

# asyncio puts what can run at once at the real time: it must be in the past.
AHEAD_MS = 3600000

_now_ms = [0]


def now_ms():
    """Milliseconds on the virtual clock, which wraps as `ticks_ms` does."""
    return _now_ms[0]


def pass_ms(ms):
    """Have so much time pass in which no task runs, as a program does that holds the loop."""
    _now_ms[0] = time.ticks_add(_now_ms[0], ms)


def run(main):
    """The result of the coroutine main, in no time. Its other tasks are forgotten. All modules that have `ticks_ms` by
    name get the virtual one meanwhile."""
    asyncio.new_event_loop()
    queue, true_ms = core._io_queue, core.ticks
    wait = queue.wait_io_event
    modules = [module for module in sys.modules.values() if getattr(module, "ticks_ms", None) is true_ms]
    modules = [module for module in modules if module is not time]

    def jump(dt):
        if dt < 0:
            raise AssertionError("every task waits, and nothing will ever happen")
        pass_ms(dt)
        wait(0)

    _now_ms[0] = time.ticks_add(time.ticks_ms(), AHEAD_MS)
    queue.wait_io_event = jump
    core.ticks = now_ms
    for module in modules:
        module.ticks_ms = now_ms
    try:
        return asyncio.run(main)
    finally:
        core.ticks = true_ms
        for module in modules:
            module.ticks_ms = true_ms
        asyncio.new_event_loop()
