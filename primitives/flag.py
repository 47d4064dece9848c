"""Wake one task from an interrupt handler, under MicroPython.

What asyncio.ThreadSafeFlag does, without the rest of its module: 0.4 KB of
heap less on the bridge. Import it from `primitives.platform`.
"""

import io
from asyncio import core

_POLL = 3  # MP_STREAM_POLL


class Flag(io.IOBase):
    """One waiter at a time; wait() clears it. set() may be called by any interrupt handler."""

    def __init__(self):
        self._state = 0

    def ioctl(self, request, flags):
        return self._state * flags if request == _POLL else -1

    def set(self):
        self._state = 1

    def clear(self):
        self._state = 0

    def wait(self):
        """Awaitable: return once it is set, and clear it."""
        if not self._state:
            yield core._io_queue.queue_read(self)
        self._state = 0
