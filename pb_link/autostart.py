"""Runs a board's program again and again: the main.py that `build/deploy.py --app FILE` writes calls it.

    import machine
    from pb_link import autostart

    autostart.run("client.py", machine.reset)

It knows nothing of the link: the program may be any. Ctrl-C stops it, in the program and in the waits.
"""

import asyncio
import gc
import sys
import time

from primitives.platform import ticks_diff, ticks_ms
from protocol import const

# The wait before the next start: it doubles with each failure in a row.
_FIRST_S = const(1)
_LAST_S = const(30)
# Then the board is reset: about a minute after the first failure. So often USB goes away, and no more.
_MOST_FAILURES = const(6)
# A program that has run for so long has not failed in a row with the one before.
_HEALTHY_MS = const(300000)
_FEED_S = const(1)
# Loaded once: the other modules that a program has loaded are loaded anew with it.
_KEPT = ("asyncio", "i2c_devices", "pb_link", "primitives", "protocol")


def run(path, reset, watchdog=None):
    """Run the program, and again whenever it ends or raises. Does not return.

    path: its file; it runs as `__main__`. reset: machine.reset, called after _MOST_FAILURES in a row. watchdog:
    machine.WDT or None: fed by a task while the program runs asyncio's loop, and in the waits. Before a program has
    its loop, or without one, it must feed the watchdog itself.

    Raises: KeyboardInterrupt.
    """
    failures = 0
    while True:
        known = list(sys.modules)
        asyncio.new_event_loop()
        if watchdog is not None:
            watchdog.feed()
            asyncio.create_task(_feed(watchdog))
        begun = ticks_ms()
        try:
            execfile(path, {"__name__": "__main__", "__file__": path})  # noqa: F821 - MicroPython's
            print("pb_link: %s has ended" % path)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: nothing else starts it again
            sys.print_exception(error)
        failures = 1 if ticks_diff(ticks_ms(), begun) >= _HEALTHY_MS else failures + 1
        _forget(known)
        wait_s = min(_FIRST_S << failures - 1, _LAST_S)
        last = failures >= _MOST_FAILURES
        print("pb_link: %s in %d s. Ctrl-C stops it" % ("the board is reset" if last else "it starts again", wait_s))
        for _ in range(wait_s):
            if watchdog is not None:
                watchdog.feed()
            time.sleep(1)
        if last:
            reset()
            failures = 0  # where `reset` returns


async def _feed(watchdog):
    while True:
        watchdog.feed()
        await asyncio.sleep(_FEED_S)


def _forget(known):
    """Take the program's own modules out of memory, and what it has left."""
    for name in list(sys.modules):
        if name not in known and name.split(".")[0] not in _KEPT:
            del sys.modules[name]
    gc.collect()
