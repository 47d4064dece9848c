"""Waiting with a time limit. Apart from `platform.py`, because the bridge counts bytes of heap and never does it."""

import asyncio

from primitives.platform import Flag

try:
    from asyncio import wait_for_ms as _wait_for_ms
    from time import ticks_add

    async def _result(awaitable):
        return await awaitable

    def wait_for_ms(awaitable, ms):
        """Coroutine: the result of awaitable. Raises: asyncio.TimeoutError after ms milliseconds."""
        return _wait_for_ms(_result(awaitable), ms)  # asyncio's wants a coroutine

except ImportError:  # CPython

    def ticks_add(ticks, delta):
        """What `ticks_ms` will give delta milliseconds later."""
        return (ticks + delta) & ((1 << 30) - 1)

    async def wait_for_ms(awaitable, ms):
        async with asyncio.timeout(ms / 1000):  # unlike wait_for, no task for it
            return await awaitable

    class TimedFlag(Flag):
        """The class of timed_flag.py, for CPython."""

        by_clock = False

        def open(self):
            pass

        def close(self):
            pass

        async def wait_ms(self, ms):
            self.by_clock = False
            if self._event.is_set():
                await asyncio.sleep(0)  # others have their turn
            try:
                await wait_for_ms(self, ms)
            except asyncio.TimeoutError:
                self.by_clock = True

    class Sleepers:
        """The class of timed_flag.py, for CPython."""

        def __init__(self):
            self._woken = asyncio.Event()
            self._loop = None  # that it is of

        def wake(self):
            self._woken.set()
            self._woken.clear()

        async def sleep(self, ms=None):
            loop = asyncio.get_running_loop()
            if self._loop is not loop:  # the former one has ended
                self._woken, self._loop = asyncio.Event(), loop
            if ms is None:
                await self._woken.wait()
                return
            try:
                await wait_for_ms(self._woken.wait(), ms)
            except asyncio.TimeoutError:
                pass
