"""Transactions on the bus, in any slot, and what is done when the bus is stuck.

Each transaction is followed by a pause of the task, in which others run. Who uses this is one task at a time.
"""

from errno import ETIMEDOUT

from primitives.platform import sleep_ms, ticks_diff
from protocol import const
from sensor_bus.clock import PER_MS
from sensor_bus.errors import BusStuck, NoAnswer
from sensor_bus.ticks import ticks_us

# Recoveries that are tried one after the other. With the last one failed, the bus stays stuck, until it is free.
ATTEMPTS = const(5)
# A slot that holds the bus low and is freed by closing it alone is not opened again for this time.
SHUT_MS = const(5000)
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
        if self._muxes is None:
            return
        if slot and self.shut.get(slot, 0) > self._now():
            raise NoAnswer(slot << 8)
        self._slot = slot
        while True:
            step = self._muxes.step(slot)
            if step is None:
                return
            address, byte = step
            try:
                await self._once(address, bytes((byte,)))
            except OSError as error:
                self._muxes.wrote(address, None)
                if not isinstance(error, BusStuck):
                    self.mux_failed = address
                    if byte == 0:
                        # It is not there, or hangs: what it has open cannot be closed from here. Go on without it.
                        self._muxes.wrote(address, 0)
                        continue
                raise
            self._muxes.wrote(address, byte)

    async def _once(self, address, write, into=None):
        """One transaction. write: None: a probe; a function: see Queue.exclusive. Returns what a probe does."""
        lines = self._lines
        if self.stuck or lines is not None and not lines.free():
            self.stuck = True
            raise BusStuck
        begin = ticks_us()
        try:
            if write is None:
                answered = self._port.probe(address & 0x7F)
            else:
                answered = True
                if callable(write):
                    write(self._port.i2c)
                else:
                    self._port.transfer(address & 0x7F, write, into)
            self._timeouts = 0
        except OSError as error:
            if error.errno == ETIMEDOUT:
                self._timeouts += 1
                if lines is None and self._timeouts >= _TIMEOUTS:
                    self.stuck = True
                raise
            self._timeouts = 0
            raise NoAnswer(address)
        finally:
            self.spent_us += ticks_diff(ticks_us(), begin)
            # A target that has let go of the bus too late has spoilt what was read, whatever was returned.
            if lines is not None and not lines.free():
                self.stuck = True
            await sleep_ms(0)
        if self.stuck:
            raise BusStuck
        return answered

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
