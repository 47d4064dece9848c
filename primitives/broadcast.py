"""Wake every task that waits for something to change."""

import asyncio

from primitives.timed_flag import Sleepers


class Broadcast(Sleepers):
    """A condition that may have changed. Tasks wait in a loop: `while not condition(): await changed.wait()`.

    `pulse` wakes those that wait now; it is not for interrupt handlers.
    """

    pulse = Sleepers.wake

    def wait(self, limit=None):
        """Awaitable: a pulse has come, or limit (Timeout) has expired, or much time has passed: the caller looks again
        in either case.

        Raises: asyncio.TimeoutError if limit has expired before; MemoryError before it waits.
        """
        if limit is None:
            return self.sleep()
        if limit.expired():
            raise asyncio.TimeoutError
        return self.sleep(limit.left())
