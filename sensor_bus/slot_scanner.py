"""The scan of a bus with multiplexers or power switches, and what these mean for the bus. Loaded if there are any."""

from protocol import const
from sensor_bus.faults import BusStuck
from sensor_bus.loading import load
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
            self.muxes = load("slots").Multiplexers(config.mux_first)
            self.addresses = bytes(range(config.mux_first, config.mux_last + 1))
        if config.expanders or config.serial:
            power = load("power")
            expanders = [power.Expander(*one) for one in config.expanders]
            self.power = power.Power(config.groups, expanders, bus.now(), config.serial)
        super().__init__(bus, SlotAccess(port, self.muxes, reset, self.power, bus.now), lists)
        self._subscribers = subscribers
        self._lost = []  # addresses of multiplexers that are asked for until they answer
        if reset is not None:
            reset()  # its pins are outputs from now on, and what a former program has opened is closed

    # For the bus.

    def is_mux(self, address):
        """Returns whether a multiplexer stands at this address."""
        muxes, mux = self.muxes, address & 0x7F
        return muxes is not None and mux in muxes and muxes.parent(mux) == address >> 8

    def found(self, device):
        """A device is online. Returns True if it is a multiplexer."""
        self._hide(device.address)
        if not self.is_mux(device.address):
            return False
        device.offline_after = MUX_OFFLINE_AFTER
        self._restart()
        return True

    def _hide(self, address):
        """Something is at this address: what seemed to be further in was this one, or is hidden now."""
        if self.muxes is not None:
            for other in list(self.bus.all()):
                if (other.address ^ address) & 0x7F == 0 and other.address >> 8 != address >> 8:
                    if self.muxes.is_behind(other.address >> 8, address >> 8):
                        self.bus.gone(other)

    def gone(self, address):
        """What was at this address is gone. Returns True if that was a multiplexer."""
        if not self.is_mux(address):
            return False
        gone = self.muxes.remove(address & 0x7F)
        for other in list(self.bus.all()):
            if other.address >> 8 and self.muxes.owner(other.address >> 8) in gone:
                self.bus.gone(other)
        self._restart()
        return True

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
            for device in list(self.bus.all()):  # what has lost its power has lost its settings
                if not self.power.usable(device.address >> 8):
                    self.bus.gone(device)

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

    async def _is_inside(self, address):
        """Returns whether a device that has answered on the main bus or in a slot may stand behind a multiplexer there
        that is not known now: one that was cut off, or held, while it was open is open still. It is looked at first.
        True also if that cannot be told now."""
        slot = address >> 8
        for place in self.addresses:
            if place in self.muxes or self._is_known(place, slot):
                continue
            other = place | slot << 8
            try:
                if not await self.access.probe(other):
                    continue
                if self.bus.at(other) is not None or self.bus.admit(other):
                    self.again(other)
            except OSError:
                pass
            return True
        return False

    def _is_known(self, place, slot):
        """Returns whether a device is online at this place in a slot, or further out, which answers in it as well."""
        while True:
            device = self.bus.at(place | slot << 8)
            if device is not None and device.status == ONLINE:
                return True
            if not slot:
                return False
            slot = self.muxes.outer(slot)

    async def _look_at(self, address):
        """Find out whether what answers at the address of a multiplexer is one: its register reads back as it was
        written. Source: NXP PCA9548A data sheet, rev 5.1, 7.2. It is in `muxes` then. Returns False if it does not
        answer any longer, or is behind too many others.

        What has registers is told by this too: the byte that is written selects one of them, and changes nothing."""
        access, muxes, place = self.access, self.muxes, address & 0x7F
        self._hide(address)
        if not muxes.add(place, address >> 8):  # so a recovery closes it, and so does what is opened next
            return False
        buf, is_one = bytearray(1), True
        try:
            for byte in (0, 1):
                await access.transfer(address, bytes((byte,)))
                muxes.wrote(place, None)
                await access.once(address, b"", buf)
                if buf[0] != byte:
                    is_one = False
                    break
        except BusStuck:
            if byte:
                return True  # by what is behind it: a recovery closes it
            muxes.remove(place)
            return False
        except OSError:
            muxes.remove(place)
            return False
        if not is_one:
            muxes.remove(place)
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
        return not self._is_known(place, muxes.outer(slot))

    async def note(self, address, answered):
        bus = self.bus
        device = bus.at(address)
        if device is not None and answered and device.status == INITIAL:
            self.forget(address)
            is_mux = address & 0x7F in self.addresses
            if address >> 8 and await self.is_outside(address) or not is_mux and await self._is_inside(address):
                bus.gone(device)
                return
            if is_mux:
                answered = await self._look_at(address)
        await super().note(address, answered)
        if device is None and address in self._lost:
            if bus.at(address) is not None:
                self._lost.remove(address)
            else:
                self._watch(address)
