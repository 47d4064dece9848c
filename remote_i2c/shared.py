"""A bus for several callers: one transaction at a time, in the order of the calls, of allowed addresses only.

    shared = SharedBus(bus, parse_addresses("0x48, 0x76"))
    async with shared.hold() as bus:
        await bus.transfer([write(0x48, b"\\0"), read(0x48, 2)])
        ...                                    # nobody else has been on the bus in between
    await shared.transfer([read(0x48, 2)])     # the same for one transfer

Who has the bus keeps it for at most `hold_ms`; who waits, waits for at most `wait_ms`.
"""

import asyncio
from contextlib import asynccontextmanager
from errno import ETIMEDOUT

from remote_i2c.bus import TRANSFER_MS
from remote_i2c.errors import BUS, LOCK, BusError, busy, closed, not_allowed, timed_out
from remote_i2c.time_limit import TimeLimit

# The longest time that one caller has the bus, and that one waits for it.
HOLD_MS = 2000
WAIT_MS = 5000
# Callers that may wait.
MAX_WAITING = 64
# A provider has so much longer than its limit, to say itself where a call has waited.
_MARGIN_S = 0.05


class SharedBus:
    """Args: bus: Bus; addresses: set of the addresses that may be used; hold_ms, wait_ms, max_waiting: see above."""

    def __init__(self, bus, addresses, *, hold_ms=HOLD_MS, wait_ms=WAIT_MS, max_waiting=MAX_WAITING):
        self.addresses = frozenset(addresses)
        self._bus = bus
        self._hold_ms = hold_ms
        self._wait_ms = wait_ms
        self._max_waiting = max_waiting
        self.calls = self.failures = self.late = 0  # so far; late: of the failures, those by time
        self.limit = TimeLimit()  # of the call that is on the bus
        self._lock = asyncio.Lock()  # fair: first come, first served
        self._waiting = 0
        self._closed = False

    @property
    def name(self):
        """The name of the bus."""
        return self._bus.name

    @property
    def functions(self):
        """What the bus can do: bits of bus.py."""
        return self._bus.functions

    @property
    def max_bytes(self):
        """Bytes of a whole transfer, both ways."""
        return self._bus.max_bytes

    async def open(self):
        """Open the bus. Raises: BusError."""
        await self._bus.open()

    async def close(self):
        """End it: who waits, or calls later, gets ENODEV."""
        self._closed = True
        async with self._lock:
            self.limit.close()
            await self._bus.close()

    @asynccontextmanager
    async def hold(self, wait_ms=None):
        """Have the bus for several calls. Gives a Held. Raises: BusError: EAGAIN, ETIMEDOUT: others have it; ENODEV.

        After hold_ms the call that is under way, or the next one, raises ETIMEDOUT. What else is done in the block must
        be short: while it runs, everybody waits."""
        held = await self._take(self._wait_ms if wait_ms is None else wait_ms)
        try:
            yield held
        finally:
            self._lock.release()

    async def _take(self, wait_ms):
        if self._waiting == 0 and not self._lock.locked():
            await self._lock.acquire()  # at once: a timer would cost more than the lock
        else:
            await self._wait(wait_ms)
        if self._closed:
            self._lock.release()
            raise closed().at(self.name)
        return Held(self, self._bus, asyncio.get_running_loop().time() + self._hold_ms / 1000)

    async def _wait(self, wait_ms):
        if self._waiting >= self._max_waiting:
            raise busy(self._waiting).at(self.name)
        self._waiting += 1
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await self._lock.acquire()
        except TimeoutError:
            raise timed_out(LOCK, f"others have had the bus for {wait_ms} ms").at(self.name)
        finally:
            self._waiting -= 1

    async def transfer(self, transfer, timeout_ms=TRANSFER_MS):
        """As Bus.transfer."""
        held = await self._take(self._wait_ms)  # as `hold` does, and faster
        try:
            return await held.transfer(transfer, timeout_ms)
        finally:
            self._lock.release()

    async def batch(self, transfers, timeout_ms=TRANSFER_MS):
        """As Held.batch."""
        async with self.hold() as bus:
            return await bus.batch(transfers, timeout_ms)

    async def quick(self, address, read, timeout_ms=TRANSFER_MS):
        """As Bus.quick."""
        async with self.hold() as bus:
            await bus.quick(address, read, timeout_ms)

    async def probe(self, address, timeout_ms=TRANSFER_MS):
        """As Bus.probe."""
        async with self.hold() as bus:
            return await bus.probe(address, timeout_ms)


class Held:
    """A bus that one caller has, until a time of the loop's clock. Made by SharedBus.hold. It takes one call at a
    time: two at once would share one limit. Raises: RuntimeError: a call is under way."""

    def __init__(self, shared, bus, until):
        self._shared = shared
        self._bus = bus
        self._until = until

    @property
    def functions(self):
        """What the bus can do: bits of bus.py."""
        return self._bus.functions

    async def transfer(self, transfer, timeout_ms=TRANSFER_MS):
        """As Bus.transfer. Raises: BusError(EACCES) before anything is sent: an address is not allowed."""
        self._bus.check(transfer)
        for message in transfer:
            self._allow(message.address)
        return await self._limited(self._bus.transfer, transfer, timeout_ms=timeout_ms)

    async def batch(self, transfers, timeout_ms=TRANSFER_MS):
        """As Bus.batch, but timeout_ms is that of all together. Raises: BusError(EACCES) before anything is sent."""
        for transfer in transfers:
            self._bus.check(transfer)
            for message in transfer:
                self._allow(message.address)
        return await self._limited(self._bus.batch, transfers, timeout_ms=timeout_ms)

    async def quick(self, address, read, timeout_ms=TRANSFER_MS):
        """As Bus.quick."""
        self._allow(address)
        await self._limited(self._bus.quick, address, read, timeout_ms=timeout_ms)

    async def probe(self, address, timeout_ms=TRANSFER_MS):
        """As Bus.probe."""
        self._allow(address)
        return await self._limited(self._bus.probe, address, timeout_ms=timeout_ms)

    def _allow(self, address):
        if address not in self._shared.addresses:
            raise not_allowed(address).at(self._bus.name)

    async def _limited(self, call, *args, timeout_ms):
        self._shared.calls += 1
        try:
            return await self._in_time(call, args, timeout_ms)
        except BusError as error:
            self._shared.failures += 1
            self._shared.late += error.errno == ETIMEDOUT
            raise error.at(self._bus.name)

    async def _in_time(self, call, args, timeout_ms):
        if self._shared.limit.busy:
            raise RuntimeError("one call at a time: another task uses this Held")
        now_s = asyncio.get_running_loop().time()
        left_s = self._until - now_s
        limit_s = min(timeout_ms / 1000, left_s)
        if limit_s <= 0:
            raise timed_out(LOCK, "this caller has had the bus for too long")
        try:
            with self._shared.limit.until(now_s + limit_s + _MARGIN_S):
                return await call(*args, timeout_ms=max(1, int(limit_s * 1000)))
        except TimeoutError:
            raise timed_out(BUS, f"the bus has not answered within {limit_s * 1000:.0f} ms")
