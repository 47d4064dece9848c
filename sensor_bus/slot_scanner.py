"""The scan of a bus with multiplexers or power switches, and what these mean for the bus. Loaded if there are any."""

from protocol import const
from sensor_bus.loading import half_loaded
from sensor_bus.scanner import Scanner
from sensor_bus.slot_access import SlotAccess
from sensor_bus.status import INITIAL, ONLINE

# A multiplexer that was taken as gone while it may be open is asked for at this interval, until it answers.
LOST_AGAIN_MS = const(1000)
MUX_OFFLINE_AFTER = const(2)  # failures in a row


class SlotScanner(Scanner):
    """Args: bus: SensorBus; port: see port.py; lists: catalog.scan_lists; reset: see SensorBus; subscribers:
    Subscribers."""

    def __init__(self, bus, port, lists, reset, subscribers):
        config = bus.config
        self.muxes = self.power = None
        if config.mux_enabled:
            try:
                from sensor_bus.slots import Multiplexers
            except MemoryError:
                half_loaded("slots")
                raise
            self.muxes = Multiplexers(config.mux_first)
            self.addresses = bytes(range(config.mux_first, config.mux_last + 1))
        if config.expanders:
            try:
                from sensor_bus.power import Expander, Power
            except MemoryError:
                half_loaded("power")
                raise
            self.power = Power(config.groups, [Expander(*one) for one in config.expanders], bus.now())
        super().__init__(bus, SlotAccess(port, self.muxes, reset, self.power, bus.now), lists)
        self._subscribers = subscribers
        self._lost = []  # addresses of multiplexers that are asked for until they answer

    # For the bus.

    def is_mux(self, address):
        """Returns whether a multiplexer stands at this address."""
        muxes, mux = self.muxes, address & 0x7F
        return muxes is not None and mux in muxes and muxes.parent(mux) == address >> 8

    def watch(self, device):
        """Something has answered at the address of a multiplexer."""
        device.offline_after = MUX_OFFLINE_AFTER

    def found(self, device):
        """A device is online. Returns True if it is a multiplexer."""
        address = device.address
        if self.muxes is not None:
            for other in list(self.bus.all()):  # what seemed to be further in was this one, or is hidden now
                if (other.address ^ address) & 0x7F == 0 and other.address >> 8 != address >> 8:
                    if self.muxes.is_behind(other.address >> 8, address >> 8):
                        self.bus.gone(other)
        if address & 0x7F not in self.addresses:
            return False
        if self.muxes.add(address & 0x7F, address >> 8):
            self._restart()
        return True

    def gone(self, address):
        """What was at this address is gone. Returns True if that was a multiplexer, or was to be one."""
        if self.is_mux(address):
            gone = self.muxes.remove(address & 0x7F)
            for other in list(self.bus.all()):
                if other.address >> 8 and self.muxes.owner(other.address >> 8) in gone:
                    self.bus.gone(other)
            self._restart()
        return address & 0x7F in self.addresses

    async def serve(self):
        """Go on with multiplexers that have failed, and with the power."""
        access = self.access
        if access.doubt is not None and not access.stuck:
            lost = await access.settle()
            if lost is not None:
                self._subscribers.tell("lost", lost, None)
                self.bus.gone(self.bus.at(lost))
                self._watch(lost)
        address, access.mux_failed = access.mux_failed, None
        if address is not None and address in self.muxes:
            self.again(address | self.muxes.parent(address) << 8)
        if self.power is not None and access.usable():
            await self.power.serve(access, self.bus.now())

    async def is_outside(self, address):
        """Returns whether a device that has answered in a slot stands in front of its multiplexer, mostly on the main
        bus: it answers with the slot closed too. It is looked for there soon. True also if that cannot be told now."""
        outside = address & 0x7F | self.muxes.outer(address >> 8) << 8
        try:
            if not await self.access.probe(outside):
                return False
            if self.bus.at(outside) is None and self.bus.admit(outside):
                self.again(outside)
        except OSError:
            pass
        return True

    # The scan.

    def _restart(self):
        """There are other multiplexers than before: begin with the first mode of the scan."""
        exists = self.muxes.exists
        self._lost = [one for one in self._lost if exists(one >> 8)]
        self.waiting = {one: when for one, when in self.waiting.items() if exists(one >> 8)}
        self.plan.restart(self.muxes.slots())

    def _watch(self, address):
        """Have a multiplexer that is gone probed again and again, until it answers."""
        if address not in self._lost:
            self._lost.append(address)
        self.again(address, LOST_AGAIN_MS)

    def is_to_be_probed(self, address, now):
        if not super().is_to_be_probed(address, now):
            return False
        if self.power is not None and (self.power.switches(address) or not self.power.usable(address >> 8)):
            return False
        slot, place, muxes = address >> 8, address & 0x7F, self.muxes
        if not slot:
            return True
        if place in muxes and muxes.parent(place) != slot:
            return False
        while slot:  # what stands further out answers here as well
            slot = muxes.outer(slot)
            device = self.bus.at(place | slot << 8)
            if device is not None and device.status == ONLINE:
                return False
        return True

    async def note(self, address, answered):
        bus = self.bus
        device = bus.at(address)
        if device is not None and answered and device.status == INITIAL and address >> 8:
            self.forget(address)
            if await self.is_outside(address):
                bus.drop(address)
                return
        await super().note(address, answered)
        if device is None and address in self._lost:
            if bus.at(address) is not None:
                self._lost.remove(address)
            else:
                self._watch(address)
