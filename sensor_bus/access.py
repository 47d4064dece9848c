"""Transactions on a bus without multiplexers and power switches; slot_access.py is for one with them.

Each transaction is followed by a pause of the task, in which others run. Who uses this is one task at a time.
"""

from errno import ETIMEDOUT

from primitives.platform import sleep_ms, ticks_diff
from protocol import const
from sensor_bus.faults import BusStuck, NoAnswer
from sensor_bus.ticks import ticks_us

# Without access to the wires: so many time-outs in a row mean that one is held low.
_TIMEOUTS = const(3)


class Access:
    """Args: port: see port.py."""

    stuck = False  # a wire is held low: only recovery.py may use the bus
    spent_us = 0  # by all transactions
    timeouts = 0  # in a row
    # What only a bus with multiplexers or power switches has: slot_access.py.
    muxes = reset = power = doubt = None
    slot = 0

    def __init__(self, port):
        self.port = port
        self.lines = port.lines

    async def transfer(self, address, write, into=None):
        """Do one transaction with a device. Args: address: with its slot; write, into: as MachineI2C.transfer.

        Raises: BusStuck, NoAnswer: also for a multiplexer in front of it; OSError."""
        await self.open(address >> 8)
        await self.once(address, write, into)

    async def probe(self, address):
        """Returns whether something acknowledges this address. Raises: as transfer."""
        await self.open(address >> 8)
        return await self.once(address, None)

    async def open(self, slot):
        """Open a slot, before a transaction whose begin is to be timed. Raises: as transfer."""
        if slot:
            raise NoAnswer(slot << 8)

    def forget_path(self, slot):
        """A device in this slot has not answered: what leads to it may have forgotten what was written to it."""

    def usable(self):
        """Returns False while only recovery.py, or `settle` of slot_access.py, may use the bus."""
        return not self.stuck and self.doubt is None

    async def once(self, address, write, into=None):
        """One transaction. write: None: a probe; a function: see Queue.exclusive. Returns what a probe does."""
        self._look_before()
        if self.stuck:
            raise BusStuck
        begin = ticks_us()
        try:
            if write is None:
                answered = self.port.probe(address & 0x7F)
            else:
                answered = True
                if callable(write):
                    write(self.port.i2c)
                else:
                    self.port.transfer(address & 0x7F, write, into)
            self.timeouts = 0
        except OSError as error:
            if error.errno == ETIMEDOUT:
                self.timeouts += 1
                if self.lines is None and self.timeouts >= _TIMEOUTS:
                    self.stuck = True
                raise
            self.timeouts = 0
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
        if not self.is_free():
            self.stuck = True

    def _look_after(self):
        """The same: a target that has let go of the bus too late has spoilt what was read, whatever was returned."""
        if not self.is_free():
            self.stuck = True

    def is_free(self):
        """Returns whether both wires are high; True if that cannot be seen."""
        lines = self.lines
        return lines is None or lines[0].value() == 1 and lines[1].value() == 1
