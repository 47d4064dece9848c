"""Transactions on a bus with multiplexers or power switches: the slot is opened first. Loaded if there are any."""

from protocol import const
from sensor_bus.access import Access
from sensor_bus.clock import PER_MS
from sensor_bus.errors import InDoubt
from sensor_bus.faults import BusStuck, NoAnswer

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


class SlotAccess(Access):
    """Args: port: see port.py; muxes: Multiplexers, or None; reset: function () that resets all multiplexers by their
    reset line, or None; power: Power, or None; now: function () that returns the bus's time."""

    def __init__(self, port, muxes, reset, power, now):
        super().__init__(port)
        self.shut = {}  # slot that has held the bus, and could not be clocked free -> until when it is not opened
        self.mux_failed = None  # address of a multiplexer that has not acknowledged
        self.doubt = None  # address of one that may be open: only `settle` may use the bus
        self.slot = 0  # that was to be open last
        self.muxes = muxes
        self.reset = reset
        self.power = power
        self._doubt_until = self._doubt_tries = 0
        self._now = now

    async def open(self, slot):
        if self.power is not None and not (self.power.serving or self.power.usable(slot)):
            raise NoAnswer(slot << 8)
        muxes = self.muxes
        if slot and (muxes is None or not muxes.exists(slot) or self.shut.get(slot, 0) > self._now()):
            raise NoAnswer(slot << 8)
        if muxes is None:
            return
        self.slot = slot
        failures = 0
        while True:
            step = muxes.step(slot)
            if step is None:
                return
            address, byte = step
            try:
                await self.once(address, bytes((byte,)))
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
        if self.reset is not None:
            self.reset()
            self.muxes.closed()
        elif self.doubt is None:
            self.doubt = address
            self._doubt_until = self._now() + DOUBT_MS * PER_MS
            self._doubt_tries = 0
        if byte:
            raise NoAnswer(address)
        if self.reset is None:
            raise InDoubt(address)

    async def settle(self):
        """Try again to close the multiplexer that is in doubt. Returns its address, with its slot, if its time is over:
        it is to be taken as gone; else None."""
        address = self.doubt
        if address not in self.muxes:
            self.doubt = None
            return None
        slot = self.muxes.parent(address)
        try:
            await self.open(slot)
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
        if self.muxes is not None:
            self.muxes.forget_path(slot)

    def power_cycle(self, now):
        """Switch off what holds the bus, or what may do so. Returns whether anything is switched."""
        if self.power is None:
            return False
        return self.power.cycle(self.slot, now) or self.power.cycle(0, now)

    def shut_slot(self):
        """Leave the slot that was used last alone for a while. If it has been before: switch it off and on too."""
        slot, now = self.slot, self._now()
        if slot in self.shut and self.power is not None:
            self.power.cycle(slot, now)
        self.shut[slot] = now + SHUT_MS * PER_MS
