"""Transactions on the bus, in any slot, and what is done when the bus is stuck.

Each transaction is followed by a pause of the task, in which others run. Who uses this is one task at a time.
"""

from errno import ETIMEDOUT

from primitives.platform import sleep_ms, ticks_diff
from protocol import const
from sensor_bus.clock import PER_MS
from sensor_bus.errors import BusStuck, InDoubt, NoAnswer
from sensor_bus.ticks import ticks_us

# Recoveries that are tried one after the other. With the last one failed, the bus stays stuck, until it is free.
ATTEMPTS = const(5)
# A slot that holds the bus low and is freed by closing it alone is not opened again for this time.
SHUT_MS = const(5000)
# A write to a multiplexer that is not acknowledged is made again at once, so many times in all.
MUX_ATTEMPTS = const(3)
# One that then has not acknowledged is in doubt: what is behind its channel may answer in place of others.
# So nothing else is used until it is closed, but for no longer than this, and DOUBT_TRIES on a slow bus; it is tried
# again each DOUBT_STEP_MS.
DOUBT_MS = const(20)
DOUBT_TRIES = const(4)
DOUBT_STEP_MS = const(2)
# Without access to the wires: so many time-outs in a row mean that one is held low, and so many probes are clocks.
_TIMEOUTS = const(3)
_CLOCK_PROBES = const(3)
_NOBODY = const(0x77)  # an address to probe, only for its clocks


class Access:
    """Args: port: see port.py; muxes: Multiplexers, or None; reset: function () that resets all multiplexers by their
    reset line, or None; power: Power, or None; now: function () that returns the bus's time."""

    def __init__(self, port, muxes, reset, power, now):
        self.shut = {}  # slot that has held the bus, and could not be clocked free -> until when it is not opened
        self._now = now
        self.stuck = False  # a wire is held low: only `recover` may use the bus
        self.spent_us = 0  # by all transactions
        self.mux_failed = None  # address of a multiplexer that has not acknowledged
        self.doubt = None  # address of one that may be open: only `settle` may use the bus
        self._doubt_until = self._doubt_tries = 0
        self._port = port
        self._lines = port.lines
        self._muxes = muxes
        self._reset = reset
        self._power = power
        self._timeouts = 0
        self._slot = 0  # that was to be open last

    async def transfer(self, address, write, into=None):
        """Do one transaction with a device. Args: address: with its slot; write, into: as MachineI2C.transfer.

        Raises: BusStuck, NoAnswer: also for a multiplexer in front of it; OSError."""
        await self._select(address >> 8)
        await self._once(address, write, into)

    async def probe(self, address):
        """Returns whether something acknowledges this address. Raises: as transfer."""
        await self._select(address >> 8)
        return await self._once(address, None)

    async def open(self, slot):
        """Open a slot, before a transaction whose begin is to be timed. Raises: as transfer."""
        await self._select(slot)

    async def _select(self, slot):
        if self._power is not None and not self._power.usable(slot):
            raise NoAnswer(slot << 8)
        muxes = self._muxes
        if slot and (muxes is None or not muxes.exists(slot) or self.shut.get(slot, 0) > self._now()):
            raise NoAnswer(slot << 8)
        if muxes is None:
            return
        self._slot = slot
        failures = 0
        while True:
            step = muxes.step(slot)
            if step is None:
                return
            address, byte = step
            try:
                await self._once(address, bytes((byte,)))
            except BusStuck:
                muxes.wrote(address, None)
                raise
            except OSError:
                muxes.failed(address)
                failures += 1
                if failures >= MUX_ATTEMPTS:
                    self._given_up(address, byte)
            else:
                muxes.wrote(address, byte)

    def _given_up(self, address, byte):
        """A multiplexer has not acknowledged its attempts: it is closed by the reset line, or in doubt.

        Raises: NoAnswer: it was to be opened; InDoubt: to be closed, and is not."""
        self.mux_failed = address
        if self._reset is not None:
            self._reset()
            self._muxes.closed()
        elif self.doubt is None:
            self.doubt = address
            self._doubt_until = self._now() + DOUBT_MS * PER_MS
            self._doubt_tries = 0
        if byte:
            raise NoAnswer(address)
        if self._reset is None:
            raise InDoubt(address)

    async def settle(self):
        """Try again to close the multiplexer that is in doubt. Returns its address, with its slot, if its time is over:
        it is to be taken as gone; else None."""
        address = self.doubt
        if address not in self._muxes:
            self.doubt = None
            return None
        slot = self._muxes.parent(address)
        try:
            await self._select(slot)
        except InDoubt:
            self._doubt_tries += 1
            if self._now() < self._doubt_until or self._doubt_tries < DOUBT_TRIES:
                return None
            self.doubt = None
            return address | slot << 8
        except BusStuck:
            return None
        except OSError:
            pass  # what is in front of it has failed, and closes it off
        self.doubt = None
        return None

    def forget_path(self, slot):
        """A device in this slot has not answered: write anew to what is in front of it, which may have lost its power
        for a moment."""
        if self._muxes is not None:
            self._muxes.forget_path(slot)

    @property
    def usable(self):
        """False while only `recover` or `settle` may use the bus."""
        return not self.stuck and self.doubt is None

    async def _once(self, address, write, into=None):
        """One transaction. write: None: a probe. Returns what a probe does."""
        self._look_before()
        if self.stuck:
            raise BusStuck
        begin = ticks_us()
        try:
            if write is None:
                answered = self._port.probe(address & 0x7F)
            else:
                answered = True
                self._port.transfer(address & 0x7F, write, into)
            self._timeouts = 0
        except OSError as error:
            if error.errno == ETIMEDOUT:
                self._timeouts += 1
                if self._lines is None and self._timeouts >= _TIMEOUTS:
                    self.stuck = True
                raise
            self._timeouts = 0
            raise NoAnswer(address)
        finally:
            self.spent_us += ticks_diff(ticks_us(), begin)
            self._look_after()
            await sleep_ms(0)
        if self.stuck:
            raise BusStuck
        return answered

    def _look_before(self):
        """See whether a wire is held, which a controller may not notice: it reads ones, or zeros."""
        if self._lines is not None and not self._lines.free():
            self.stuck = True

    def _look_after(self):
        """The same: a target that has let go of the bus too late has spoilt what was read, whatever was returned."""
        if self._lines is not None and not self._lines.free():
            self.stuck = True

    async def recover(self):
        """Free the bus: by clocks, then by closing all slots, then by power. Returns whether it is free.

        A step holds the loop for no longer than 24 clocks of 10 us, or one transaction."""
        muxes = self._muxes
        for _ in range(ATTEMPTS):
            if await self._clear():
                break
            if muxes is None:
                continue
            if self._reset is None:
                await self._close_by_hand()
            else:
                self._reset()
                await sleep_ms(0)
            if self._is_free():
                if self._slot:
                    self._shut()
                break
        self.stuck = not self._is_free()
        if muxes is not None:
            muxes.forget()
        return not self.stuck

    def power_cycle(self, now):
        """Switch off what holds the bus, or what may do so. Returns whether anything is switched."""
        if self._power is None:
            return False
        return self._power.cycle(self._slot, now) or self._power.cycle(0, now)

    @property
    def slot(self):
        """The slot that was used last."""
        return self._slot

    def _shut(self):
        """Leave the slot that was used last alone for a while. If it has been before: switch it off and on too."""
        slot, now = self._slot, self._now()
        if slot in self.shut and self._power is not None:
            self._power.cycle(slot, now)
        self.shut[slot] = now + SHUT_MS * PER_MS

    async def _clear(self):
        if self._lines is not None:
            freed = self._lines.clear()
            await sleep_ms(0)
            return freed
        self.stuck = False
        for _ in range(_CLOCK_PROBES):
            try:
                self._port.probe(_NOBODY)
                self._timeouts = 0
                return True
            except OSError:
                await sleep_ms(0)
        self.stuck = True
        return False

    async def _close_by_hand(self):
        """Write 0 to the multiplexers on the main bus, whatever their answers are."""
        for address in self._muxes.on_main_bus():
            try:
                self._port.transfer(address, b"\x00")
            except OSError:
                pass  # the bus is stuck: whether it helped is seen on the wires
            await sleep_ms(0)

    def _is_free(self):
        return self._lines.free() if self._lines is not None else self._timeouts == 0
