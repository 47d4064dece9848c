"""Waiting with a limit for boards that may run out of memory: a Flag for one task, which allocates nothing to wait, and
Sleepers for several.

asyncio's own `wait_for_ms` makes some objects each time. When memory runs out in the middle of it, the task that
waits is cancelled, or the flag is left half registered, and MicroPython crashes at its next poll. Here the flag is
registered once, by `open`, which also makes the one task that is the clock.

A task of a loop that was left (asyncio.new_event_loop) stays there: only the queue that it is in is touched for it.
"""

import gc

from primitives.platform import Flag, sleep_ms, ticks_ms

try:
    from asyncio import core, create_task
    from time import ticks_add

    _LONG_MS = 60000

    class TimedFlag(Flag):
        def __init__(self):
            super().__init__()
            self.by_clock = False  # it was time that ended the last wait, or came before somebody had looked
            self._clock = None
            self._queue = None  # of the loop in which it is open
            self._asked = False  # the present wait has been in asyncio's queue

        def ioctl(self, request, flags):
            return self._state & flags if request == 3 else -1  # MP_STREAM_POLL; to read only: nobody waits to write

        def open(self):
            """Get ready to wait in the present loop. Raises: MemoryError; then it may be called again."""
            queue = core._io_queue
            if id(self) not in queue.map:
                self._register(queue.poller)
                # What waits to read, and to write. One that is not None keeps it registered, and is never woken.
                queue.map[id(self)] = [None, self, self]
            if self._queue is not core._task_queue:
                self._clock = create_task(self._tick())
                self._queue = core._task_queue

        def _register(self, poller):
            try:
                poller.register(self, 0)
            except MemoryError:
                # Half of it would crash the next poll (extmod/modselect.c, poll_set_add_obj): so all of it, or nothing.
                gc.collect()
                try:
                    poller.register(self, 0)
                except MemoryError:
                    poller.unregister(self)
                    raise

        def close(self):
            """Undo `open`, when nobody waits any more. May be called twice."""
            queue = core._io_queue
            queue.map.pop(id(self), None)
            queue.poller.unregister(self)
            if self._queue is not None:
                self._queue.remove(self._clock)  # to cancel it would take memory for the exception
                self._queue = self._clock = None

        async def _tick(self):
            while True:
                self.by_clock = True
                self.set()
                await sleep_ms(_LONG_MS)

        def wait_ms(self, ms):
            """Awaitable: the flag has been set, and is cleared, or ms milliseconds have passed. Allocates nothing.

            Other tasks that are ready have their turn, also if the flag is already set.
            """
            self.by_clock = self._asked = False
            # The clock's task is in this queue whenever another one runs.
            self._queue.remove(self._clock)
            self._queue.push(self._clock, ticks_add(ticks_ms(), ms))
            return self

        def __next__(self):
            if not (self._asked and self._state):
                self._asked = True
                return core._io_queue.queue_read(self)
            self._state = 0
            raise StopIteration

    class Sleepers:
        """Tasks that sleep, each for so long at most, until `wake`. When memory is short `sleep` fails before it
        begins: a task whose `wait_for_ms` fails in the middle is cancelled."""

        def __init__(self):
            self._tasks = []
            self._queue = None  # that they are in

        def wake(self):
            """Wake all that sleep now. Not for interrupt handlers."""
            for task in self._tasks:  # each is in the queue, because another task runs
                if not task.data:  # else it has been cancelled, and would forget that
                    self._queue.remove(task)
                    self._queue.push(task)

        async def sleep(self, ms=_LONG_MS):
            if self._queue is not core._task_queue:
                self._tasks.clear()
                self._queue = core._task_queue
            self._tasks.append(core.cur_task)
            try:
                await sleep_ms(ms)
            finally:
                self._tasks.remove(core.cur_task)

except ImportError:  # CPython, whose halves need not be in the memory of a board
    from primitives.waiting import Sleepers, TimedFlag  # noqa: F401
