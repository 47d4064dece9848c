"""Raw requests: what an application has done on the bus between the polls. They wait in a queue. Loaded for the first.
"""

import asyncio

from primitives.timeout import Timeout
from primitives.waiting import wait_for_ms
from protocol import const
from sensor_bus.address import join
from sensor_bus.errors import Barred, InDoubt, QueueFull, TimedOut

MAX_REQUESTS = const(40)
MAX_LOW_LOAD = const(3)  # with lowLoad
MAX_BYTES = const(255)  # that one may write, or read


class Request:
    """Args: address: with its slot; write: bytes; size: bytes to read, 0: none; limit: Timeout."""

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
    """Args: bus: SensorBus."""

    def __init__(self, bus):
        self._bus = bus
        self._most = MAX_LOW_LOAD if bus.config.low_load else MAX_REQUESTS
        self._waiting = []

    def __len__(self):
        return len(self._waiting)

    async def ask(self, address, write, size, timeout_ms):
        """Returns the bytes that were read. Raises: Barred, QueueFull, TimedOut, ValueError, what the bus raises."""
        join(address & 0x7F, address >> 8)
        if self._bus.is_barred(address, self._bus.now()):
            raise Barred(address)
        if len(write) > MAX_BYTES or not 0 <= size <= MAX_BYTES:
            raise ValueError("a request writes and reads at most %d bytes" % MAX_BYTES)
        if not (write or size):
            raise ValueError("a request must write or read something")
        if len(self._waiting) >= self._most:
            raise QueueFull(self._most)
        request = Request(address, bytes(write), size, Timeout(timeout_ms))
        self._waiting.append(request)
        try:
            await wait_for_ms(request.done.wait(), timeout_ms)
        except asyncio.TimeoutError:
            raise TimedOut(address)
        finally:
            if request in self._waiting:
                self._waiting.remove(request)
        if request.error is not None:
            raise request.error
        return bytes(request.into or b"")

    async def serve(self, access):
        """Carry out the oldest request whose time is not over. Args: access: Access."""
        while self._waiting:
            request = self._waiting.pop(0)
            if request.limit.expired():
                request.finish(TimedOut(request.address))
            elif self._bus.is_barred(request.address, self._bus.now()):
                request.finish(Barred(request.address))
            else:
                try:
                    await access.transfer(request.address, request.write, request.into)
                except InDoubt:
                    self._waiting.insert(0, request)
                    return
                except OSError as error:
                    request.finish(error)
                else:
                    request.finish()
                return
