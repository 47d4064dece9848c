"""Wake one task from another of the same loop."""

import asyncio


class TaskFlag:
    """A `platform.Flag` that is not for interrupt handlers, and is no object that MicroPython polls.

    A program with many sockets wants this one: MicroPython's unix port up to
    1.25 at least crashes when its poll set grows while an object without a file
    descriptor is in it (extmod/modselect.c, poll_set_add_fd: it moves the
    `pollfd` of every object, also that which is NULL).
    """

    def __init__(self):
        self._event = asyncio.Event()

    def set(self):
        self._event.set()

    def clear(self):
        self._event.clear()

    async def wait(self):
        """Return when the flag is set, and clear it."""
        await self._event.wait()
        self._event.clear()
