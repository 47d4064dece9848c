"""Waiting with a time limit, and until when. Apart from `platform.py`, because the bridge counts bytes of heap, and
never does it.
"""

import asyncio

try:
    from asyncio import core, sleep_ms
    from asyncio import wait_for_ms as _wait_for_ms
    from time import ticks_add

    async def _result(awaitable):
        return await awaitable

    def wait_for_ms(awaitable, ms):
        """Coroutine: the result of awaitable. Raises: asyncio.TimeoutError after ms milliseconds."""
        return _wait_for_ms(_result(awaitable), ms)  # asyncio's wants a coroutine

    class Sleepers:
        """Tasks that sleep, each for so long at most, until `wake`. When memory is short `sleep` fails before it
        begins: a task whose `wait_for_ms` fails in the middle is cancelled."""

        def __init__(self):
            self._tasks = []

        def wake(self):
            """All that sleep now. Not for interrupt handlers."""
            for task in self._tasks:  # each is in the queue, because another task runs
                core._task_queue.remove(task)
                core._task_queue.push(task)

        async def sleep(self, ms):
            self._tasks.append(core.cur_task)
            try:
                await sleep_ms(ms)
            finally:
                self._tasks.remove(core.cur_task)

except ImportError:  # CPython

    def ticks_add(ticks, delta):
        """What `ticks_ms` will give delta milliseconds later."""
        return (ticks + delta) & ((1 << 30) - 1)

    async def wait_for_ms(awaitable, ms):
        async with asyncio.timeout(ms / 1000):  # unlike wait_for, no task for it
            return await awaitable

    class Sleepers:
        """As above."""

        def __init__(self):
            self._woken = asyncio.Event()

        def wake(self):
            self._woken.set()
            self._woken.clear()

        async def sleep(self, ms):
            try:
                await wait_for_ms(self._woken.wait(), ms)
            except asyncio.TimeoutError:
                pass
