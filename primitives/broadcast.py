"""Wake every task that waits for something to change."""

import asyncio

from primitives.timed_flag import Sleepers


class Broadcast:
    """A condition that may have changed. Tasks wait in a loop: `while not condition(): await changed.wait()`.

    `pulse` wakes those that wait now; it is not for interrupt handlers.
    """

    def __init__(self):
        self._event = asyncio.Event()
        self._sleepers = Sleepers()  # those with a limit

    def pulse(self):
        self._event.set()
        self._event.clear()
        self._sleepers.wake()

    async def wait(self, limit=None):
        """Wait for a pulse, or until limit (Timeout) expires: the caller looks again in either case.

        Raises: asyncio.TimeoutError if limit has expired before; MemoryError before it waits.
        """
        if limit is None:
            await self._event.wait()
            return
        if limit.expired():
            raise asyncio.TimeoutError
        await self._sleepers.sleep(limit.left())
