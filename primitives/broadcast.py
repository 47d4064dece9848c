"""Wake every task that waits for something to change."""

import asyncio


class Broadcast:
    """Tasks wait in a loop: `while not condition(): await changed.wait()`.

    `pulse` wakes those that wait now; it is not for interrupt handlers.
    """

    def __init__(self):
        self._event = asyncio.Event()

    def pulse(self):
        self._event.set()
        self._event.clear()

    async def wait(self):
        await self._event.wait()
