"""Wake every task that waits for something to change."""

import asyncio

from primitives.waiting import wait_for_ms


class Broadcast:
    """Tasks wait in a loop: `while not condition(): await changed.wait()`.

    `pulse` wakes those that wait now; it is not for interrupt handlers.
    """

    def __init__(self):
        self._event = asyncio.Event()

    def pulse(self):
        self._event.set()
        self._event.clear()

    async def wait(self, limit=None):
        """Wait for a pulse, or until limit (Timeout) expires: the caller looks again in either case.

        Raises: asyncio.TimeoutError if limit has expired before.
        """
        if limit is None:
            await self._event.wait()
            return
        if limit.expired():
            raise asyncio.TimeoutError
        try:
            await wait_for_ms(self._event.wait(), limit.left())
        except asyncio.TimeoutError:
            pass
