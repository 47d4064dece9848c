"""Raw requests: what an application has done on the bus between the polls. They wait in a queue. Loaded for the first.
"""

from primitives.timed_flag import Sleepers
from protocol import const
from sensor_bus.address import join
from sensor_bus.clock import PER_MS
from sensor_bus.errors import Barred, InDoubt, QueueFull, TimedOut

MAX_REQUESTS = const(40)
MAX_LOW_LOAD = const(3)  # with lowLoad
MAX_BYTES = const(255)  # that one may write, or read


class Request:
    """Args: address: with its slot; write: bytes, or the function of `exclusive`; size: bytes to read, 0: none; until:
    when its time is over, 100 us."""

    def __init__(self, address, write, size, until):
        self.address = address
        self.write = write
        self.into = bytearray(size) if size else None
        self.until = until
        self.done = False
        self.error = None


class Queue:
    """Args: bus: SensorBus."""

    def __init__(self, bus):
        self._bus = bus
        self._most = MAX_LOW_LOAD if bus.config.low_load else MAX_REQUESTS
        self._waiting = []
        self._changed = Sleepers()

    def __len__(self):
        return len(self._waiting)

    async def ask(self, address, write, size, timeout_ms):
        """Returns the bytes that were read. Raises: Barred, QueueFull, TimedOut, ValueError, what the bus raises."""
        join(address & 0xFF, address >> 8)
        if self._bus.is_barred(address, self._bus.now()):
            raise Barred(address)
        if len(write) > MAX_BYTES or not 0 <= size <= MAX_BYTES:
            raise ValueError("a request writes and reads at most %d bytes" % MAX_BYTES)
        if not (write or size):
            raise ValueError("a request must write or read something")
        request = await self._served(address, bytes(write), size, timeout_ms)
        return bytes(request.into or b"")

    async def exclusive(self, use, timeout_ms):
        """As that of SensorBus."""
        await self._served(0, use, 0, timeout_ms)

    async def _served(self, address, write, size, timeout_ms):
        """Returns the Request, which was carried out. Raises: QueueFull, TimedOut, what the bus raises."""
        if len(self._waiting) >= self._most:
            raise QueueFull(self._most)
        request = Request(address, write, size, self._bus.now() + timeout_ms * PER_MS)
        self._waiting.append(request)
        try:
            while not request.done:
                left = request.until - self._bus.now()
                if left <= 0:
                    raise TimedOut(address)
                await self._changed.sleep(-(-left // PER_MS))
        finally:
            if request in self._waiting:
                self._waiting.remove(request)
        if request.error is not None:
            raise request.error
        return request

    async def serve(self, access):
        """Carry out the oldest request whose time is not over. Args: access: Access."""
        while self._waiting:
            request = self._waiting.pop(0)
            if self._bus.now() >= request.until:
                self._finish(request, TimedOut(request.address))
            elif self._bus.is_barred(request.address, self._bus.now()):
                self._finish(request, Barred(request.address))
            else:
                try:
                    await access.transfer(request.address, request.write, request.into)
                except InDoubt:
                    self._waiting.insert(0, request)
                    return
                except OSError as error:
                    self._finish(request, error)
                else:
                    self._finish(request)
                return

    def _finish(self, request, error=None):
        request.error = error
        request.done = True
        self._changed.wake()
