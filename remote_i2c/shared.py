"""A bus for several callers: one transaction at a time, in the order of the calls, of allowed addresses only.

    shared = SharedBus(bus, parse_addresses("0x48, 0x76"))
    async with shared.hold() as bus:
        await bus.transfer([write(0x48, b"\\0"), read(0x48, 2)])
        ...                                    # nobody else has been on the bus in between
    await shared.transfer([read(0x48, 2)])     # the same for one transfer

Who has the bus keeps it for at most `hold_ms`; who waits, waits for at most `wait_ms`. A bus that is not open, or whose
adapter has gone, is opened by the next call.
"""

import asyncio
from contextlib import asynccontextmanager
from errno import ENODEV, ETIMEDOUT

from remote_i2c.bus import TRANSFER_MS
from remote_i2c.errors import BUS, LOCK, BusError, busy, closed, not_allowed, timed_out
from remote_i2c.time_limit import TimeLimit

# The longest time that one caller has the bus, and that one waits for it. The doors promise how long a call takes at
# most, so settings can only make it shorter: see CALL_MS of web/session.py, and TIMEOUT_S of smbus_client/recovery.py.
HOLD_MS = MAX_HOLD_MS = 2000
WAIT_MS = MAX_WAIT_MS = 5000
# Callers that may wait.
MAX_WAITING = 64
# A call has so much longer than its provider is told, which then says itself where it has waited; but never longer than
# its caller has the bus.
_MARGIN_S = 0.05


class Turns:
    """Whose turn it is on one bus, of the callers of each SharedBus of it."""

    def __init__(self):
        self.lock = asyncio.Lock()  # fair: first come, first served
        self.limit = TimeLimit()  # of the call that is on the bus
        self.waiting = 0
        self.is_open = False  # as far as is known
        self.is_closed = False  # for good


class SharedBus:
    """Args: bus: Bus; addresses: set of the addresses that may be used; name: of the bus for people (default: that of
    the Bus); hold_ms, wait_ms, max_waiting: see above; timeout_ms: of a call that says no other time; turns: Turns of
    another SharedBus of the same Bus.

    calls, failures, late: so far; late: of the failures, those by time. longest_hold_s: that one caller had the bus."""

    def __init__(
        self, bus, addresses, *, name=None, hold_ms=HOLD_MS, wait_ms=WAIT_MS, timeout_ms=TRANSFER_MS,
        max_waiting=MAX_WAITING, turns=None,
    ):  # fmt: skip
        self.name = bus.name if name is None else name
        self.addresses = frozenset(addresses)
        self.wait_ms = wait_ms
        self.timeout_ms = timeout_ms
        self.turns = turns or Turns()
        self._bus = bus
        self._hold_ms = hold_ms
        self._max_waiting = max_waiting
        self.calls = self.failures = self.late = 0
        self.longest_hold_s = 0.0

    def beside(self, addresses, **more):
        """Returns another SharedBus of the same bus, whose callers wait in the same line. Args: as SharedBus."""
        return SharedBus(self._bus, addresses, turns=self.turns, **more)

    @property
    def functions(self):
        """What the bus can do: bits of bus.py, known once it is open."""
        return self._bus.functions

    @property
    def max_bytes(self):
        """Bytes of a whole transfer, both ways."""
        return self._bus.max_bytes

    async def open(self):
        """Open the bus, if it is not open. Raises: BusError."""
        if not self.turns.is_open:
            self._give_back(await self._turn(self.wait_ms))

    async def close(self):
        """End the bus, also for each SharedBus beside this one: who waits, or calls later, gets ENODEV."""
        turns = self.turns
        turns.is_closed = True
        async with turns.lock:
            turns.limit.close()
            await self._bus.close()

    @asynccontextmanager
    async def hold(self, wait_ms=None):
        """Have the bus for several calls. Gives a Held. Raises: BusError: EAGAIN, ETIMEDOUT: others have it; ENODEV,
        EACCES: it cannot be opened.

        After hold_ms the call that is under way, or the next one, raises ETIMEDOUT. What else is done in the block must
        be short: while it runs, everybody waits."""
        held = await self._take(self.wait_ms if wait_ms is None else wait_ms)
        try:
            yield held
        finally:
            self._give_back(held)

    async def _take(self, wait_ms):
        try:
            return await self._turn(wait_ms)
        except BusError as error:
            self.calls += 1
            self.count(error)
            raise

    async def _turn(self, wait_ms):
        turns = self.turns
        if turns.waiting == 0 and not turns.lock.locked():
            await turns.lock.acquire()  # at once: a timer would cost more than the lock
        else:
            await self._wait(wait_ms)
        held = Held(self, self._bus, asyncio.get_running_loop().time(), self._hold_ms / 1000)
        if turns.is_closed or not turns.is_open:
            try:
                await self._open()
            except BaseException:
                self._give_back(held)
                raise
        return held

    async def _wait(self, wait_ms):
        turns = self.turns
        if turns.waiting >= self._max_waiting:
            raise self.named(busy(turns.waiting))
        turns.waiting += 1
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await turns.lock.acquire()
        except TimeoutError:
            raise self.named(timed_out(LOCK, f"others have had the bus for {wait_ms} ms"))
        finally:
            turns.waiting -= 1

    async def _open(self):
        if self.turns.is_closed:
            raise self.named(closed())
        try:
            async with asyncio.timeout(self._hold_ms / 1000):
                await self._bus.open()
        except TimeoutError:
            raise self.named(timed_out(BUS, f"the bus could not be opened within {self._hold_ms} ms"))
        except BusError as error:
            raise self.named(error)
        self.turns.is_open = True

    def _give_back(self, held):
        self.longest_hold_s = max(self.longest_hold_s, asyncio.get_running_loop().time() - held.since_s)
        self.turns.lock.release()

    def named(self, error):
        """Returns the error, of this bus."""
        error.bus = self.name
        return error

    def count(self, error):
        """A call has failed."""
        self.failures += 1
        self.late += error.errno == ETIMEDOUT
        if error.errno == ENODEV and error.place == BUS:
            self.turns.is_open = False  # its adapter has gone: the next call opens it again

    async def transfer(self, transfer, timeout_ms=None):
        """As Bus.transfer. timeout_ms: None: that of this bus."""
        held = await self._take(self.wait_ms)  # as `hold` does, and faster
        try:
            return await held.transfer(transfer, timeout_ms)
        finally:
            self._give_back(held)

    async def batch(self, transfers, timeout_ms=None):
        """As Held.batch."""
        async with self.hold() as bus:
            return await bus.batch(transfers, timeout_ms)

    async def quick(self, address, read, timeout_ms=None):
        """As Bus.quick."""
        async with self.hold() as bus:
            await bus.quick(address, read, timeout_ms)

    async def probe(self, address, timeout_ms=None):
        """As Bus.probe."""
        async with self.hold() as bus:
            return await bus.probe(address, timeout_ms)


class Held:
    """A bus that one caller has, from `since_s` of the loop's clock for hold_s. Made by SharedBus.hold. It takes one
    call at a time: two at once would share one limit. Raises: RuntimeError: a call is under way.

    timeout_ms of its calls: None: that of the SharedBus."""

    def __init__(self, shared, bus, since_s, hold_s):
        self.since_s = since_s
        self._shared = shared
        self._bus = bus
        self._until_s = since_s + hold_s

    @property
    def functions(self):
        """What the bus can do: bits of bus.py."""
        return self._bus.functions

    async def transfer(self, transfer, timeout_ms=None):
        """As Bus.transfer. Raises: BusError(EACCES) before anything is sent: an address is not allowed."""
        self._check(transfer)
        return await self._limited(self._bus.transfer, transfer, timeout_ms=timeout_ms)

    async def batch(self, transfers, timeout_ms=None):
        """As Bus.batch, but timeout_ms is that of all together. Raises: BusError(EACCES) before anything is sent."""
        for transfer in transfers:
            self._check(transfer)
        return await self._limited(self._bus.batch, transfers, timeout_ms=timeout_ms)

    async def quick(self, address, read, timeout_ms=None):
        """As Bus.quick."""
        self._allow(address)
        await self._limited(self._bus.quick, address, read, timeout_ms=timeout_ms)

    async def probe(self, address, timeout_ms=None):
        """As Bus.probe."""
        self._allow(address)
        return await self._limited(self._bus.probe, address, timeout_ms=timeout_ms)

    def _check(self, transfer):
        try:
            self._bus.check(transfer)
        except BusError as error:
            raise self._shared.named(error)
        for message in transfer:
            self._allow(message.address)

    def _allow(self, address):
        if address not in self._shared.addresses:
            raise self._shared.named(not_allowed(address))

    async def _limited(self, call, *args, timeout_ms):
        self._shared.calls += 1
        try:
            return await self._in_time(call, args, self._shared.timeout_ms if timeout_ms is None else timeout_ms)
        except BusError as error:
            self._shared.count(error)
            raise self._shared.named(error)

    async def _in_time(self, call, args, timeout_ms):
        limit = self._shared.turns.limit
        if limit.busy:
            raise RuntimeError("one call at a time: another task uses this Held")
        now_s = asyncio.get_running_loop().time()
        left_s = self._until_s - now_s
        if left_s <= 0:
            raise timed_out(LOCK, "this caller has had the bus for too long")
        limit_s = min(timeout_ms / 1000, left_s - min(_MARGIN_S, left_s / 10))
        try:
            with limit.until(now_s + min(limit_s + _MARGIN_S, left_s)):
                return await call(*args, timeout_ms=max(1, int(limit_s * 1000)))
        except TimeoutError:
            raise timed_out(BUS, f"the bus has not answered within {limit_s * 1000:.0f} ms")
