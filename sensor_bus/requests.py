"""Raw requests: what an application has done on the bus between the polls. They wait in a queue."""

import asyncio

from primitives.timeout import Timeout
from primitives.waiting import wait_for_ms
from protocol import const
from sensor_bus.errors import Barred, QueueFull, TimedOut

MAX_REQUESTS = const(40)
MAX_LOW_LOAD = const(3)  # with lowLoad
MAX_BYTES = const(255)  # that one may write, or read


class Request:
    """Args: address: with its slot; write: bytes, or the function of `exclusive`; size: bytes to read, 0: none; limit:
    Timeout."""

    def __init__(self, address, write, size, limit):
        self.address = address
        self.write = write
        self.into = bytearray(size) if size else None
        self.limit = limit
        self.done = asyncio.Event()
        self.error = None

    def finish(self, error=None):
        self.error = error
        self.done.set()


class Queue:
    """Args: most: requests that may wait."""

    def __init__(self, most):
        self._most = most
        self._waiting = []

    def __len__(self):
        return len(self._waiting)

    async def ask(self, address, write, size, timeout_ms):
        """Returns the bytes that were read. Raises: QueueFull, TimedOut, and what the bus raises."""
        if len(write) > MAX_BYTES or not 0 <= size <= MAX_BYTES:
            raise ValueError("a request writes and reads at most %d bytes" % MAX_BYTES)
        if not (write or size):
            raise ValueError("a request must write or read something")
        return await self._served(Request(address, bytes(write), size, Timeout(timeout_ms)), timeout_ms)

    async def exclusive(self, use, timeout_ms=1000):
        """Have use(i2c) done on the main bus between two transactions. i2c: the port's machine.I2C.

        It must be short, and raise no other OSError than ETIMEDOUT: a wire was held. Raises: QueueFull, TimedOut: it
        may be done yet; BusStuck, also if the bus is stuck behind it; OSError(ETIMEDOUT)."""
        await self._served(Request(0, use, 0, Timeout(timeout_ms)), timeout_ms)

    async def _served(self, request, timeout_ms):
        if len(self._waiting) >= self._most:
            raise QueueFull(self._most)
        self._waiting.append(request)
        try:
            await wait_for_ms(request.done.wait(), timeout_ms)
        except asyncio.TimeoutError:
            raise TimedOut(request.address)
        finally:
            if request in self._waiting:
                self._waiting.remove(request)
        if request.error is not None:
            raise request.error
        return bytes(request.into or b"")

    async def serve(self, access, bars, now):
        """Carry out the oldest request whose time is not over. Args: access: Access; bars: Bars; now: 100 us."""
        while self._waiting:
            request = self._waiting.pop(0)
            if request.limit.expired():
                request.finish(TimedOut(request.address))
            elif bars.has(request.address, now):
                request.finish(Barred(request.address))
            else:
                try:
                    await access.transfer(request.address, request.write, request.into)
                except OSError as error:
                    request.finish(error)
                else:
                    request.finish()
                return
