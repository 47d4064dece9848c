"""What differs between MicroPython and CPython, decided once, one name each.

Times are MicroPython's: `ticks_ms()` counts milliseconds and wraps at 2**30;
only `ticks_diff` and `ticks_add` may touch them, and a difference is right
below 2**29 ms (6.2 days). Under CPython they follow the running loop's clock,
so a loop on a virtual clock gives virtual ticks.
"""

import asyncio

try:
    from time import ticks_add, ticks_diff, ticks_ms

    sleep_ms = asyncio.sleep_ms

    import io
    from asyncio import core

    class Flag(io.IOBase):
        """Wakes one task; set() may be called by any interrupt handler, wait() clears it.

        What asyncio.ThreadSafeFlag does, without the rest of its module: 0.4 KB
        of heap less on the bridge.
        """

        def __init__(self):
            self._state = 0

        def ioctl(self, request, flags):
            return self._state * flags if request == 3 else -1  # MP_STREAM_POLL

        def set(self):
            self._state = 1

        def clear(self):
            self._state = 0

        def wait(self):
            if not self._state:
                yield core._io_queue.queue_read(self)
            self._state = 0

    def wait_for_ms(awaitable, ms):
        # Looked up when it is called: asyncio loads it then, and the bridge never does.
        return asyncio.wait_for_ms(awaitable, ms)

except ImportError:  # CPython
    _WRAP = 1 << 30

    def ticks_ms():
        try:
            seconds = asyncio.get_running_loop().time()
        except RuntimeError:  # no loop runs: outside of tasks any clock will do
            from time import monotonic

            seconds = monotonic()
        return int(seconds * 1000) & (_WRAP - 1)

    def ticks_add(ticks, delta):
        return (ticks + delta) & (_WRAP - 1)

    def ticks_diff(a, b):
        return ((a - b + _WRAP // 2) & (_WRAP - 1)) - _WRAP // 2

    async def sleep_ms(ms):
        await asyncio.sleep(ms / 1000)

    async def wait_for_ms(awaitable, ms):
        async with asyncio.timeout(ms / 1000):  # unlike wait_for, no task for it
            return await awaitable

    class Flag:
        """As above, for callbacks of the same loop."""

        def __init__(self):
            self._event = asyncio.Event()

        def set(self):
            self._event.set()

        def clear(self):
            self._event.clear()

        async def wait(self):
            await self._event.wait()
            self._event.clear()
