"""The sensors of one bus: which there are, where, with or without power, and what they measure. For both beds.

A bed gives the clock and a way to have something done later. Tests ask here what is true, and cause faults.
"""

from sim.wires.sensors.bus import Channel
from sim.wires.sensors.catalog import TYPES
from sim.wires.sensors.expander import PCA9535
from sim.wires.sensors.member import Member
from sim.wires.sensors.mux import CHANNELS, PCA9548A

FIRST_MUX = 0x70


class SensorWorld:
    """Args: bus: a SensorBus; clock() -> seconds; at(seconds, callback): calls it at that time, or is None; types:
    {name: class of a Device} beside those in `catalog.TYPES`."""

    def __init__(self, bus, clock, at=None, types=None):
        self._types = {**TYPES, **(types or {})}
        self.bus = bus
        self.clock = clock
        self.at = at
        self.members = []
        self._supplies = []  # of each expander: (member, first slot, last slot, {pin: level})
        self._channels = {}  # mux member -> {channel number: Channel}
        self._slots = {}  # slot -> (mux member, channel number)

    def add(self, type, address=None, slot=0, *, name=None, plugged=True, first_slot=None, power=(), **options):
        """Adds a device. Returns its Member.

        Args: type: a name in `catalog.TYPES`; address: default: the first that the type can have; slot: 0, or a channel
        of a multiplexer that was added before; first_slot: of a multiplexer: the slot of its channel 0 (default: 0x70
        has 1 to 8, 0x71 9 to 16, ..); power: of an expander: what it switches, `{"slots": [first, last], "on": {pin:
        level}}` each: these slots have power while the pins have these levels, or those of another such entry; options:
        `values`, `identity` and others of the type.
        Raises: ValueError.
        """
        kind = self._types.get(type)
        if kind is None:
            raise ValueError(f"there is no model of {type!r}; there are {', '.join(sorted(self._types))}")
        if not kind.ADDRESSES:
            raise ValueError(f"{type} has no ADDRESSES: write those that its pins can select")
        address = kind.ADDRESSES[0] if address is None else address
        if address not in kind.ADDRESSES:
            raise ValueError(f"{type} cannot have address {address:#x}: {', '.join(map(hex, kind.ADDRESSES))}")
        if power and kind is not PCA9535 or first_slot is not None and kind is not PCA9548A:
            raise ValueError(f"{type} has neither power to switch nor slots")
        try:
            device = kind(**options)
        except TypeError as error:
            raise ValueError(f"{type}: {error}")
        member = Member(self, device, name or f"{type}@{address:x}/{slot}", address, slot)
        self._check(member)
        self.members.append(member)
        if kind is PCA9548A:
            self._add_mux(member, first_slot)
        elif kind is PCA9535:
            self._add_supplies(member, power)
        if plugged:
            self.plug(member)
        else:
            self._supply()
        return member

    def _check(self, member):
        if any(other.name == member.name for other in self.members):
            raise ValueError(f"there are two devices {member.name}: give one of them another name")
        self._segment(member.slot)

    def _add_mux(self, member, first_slot):
        first = (member.address - FIRST_MUX) * CHANNELS + 1 if first_slot is None else first_slot
        slots = range(first, first + CHANNELS)
        taken = [slot for slot in slots if slot in self._slots]
        if taken or first < 1:
            self.members.remove(member)
            raise ValueError(f"{member.name}: slot {taken[0] if taken else first} cannot be its: give first_slot")
        self._channels[member] = {}
        for channel, slot in enumerate(slots):
            self._slots[slot] = (member, channel)
        member.device.on_channels = lambda mask: self._switch(member, mask)

    def _add_supplies(self, member, power):
        for entry in power:
            try:
                first, last = entry["slots"]
                levels = {int(pin): int(level) for pin, level in entry["on"].items()}
            except (KeyError, TypeError, ValueError, AttributeError):
                levels = None
            if not levels or not all(0 <= pin < PCA9535.PINS for pin in levels):
                self.members.remove(member)
                raise ValueError(f'power is {{"slots": [first, last], "on": {{pin: level}}}}, not {entry!r}')
            self._supplies.append((member, first, last, levels))
        member.device.on_pins = lambda: self._supply(member)

    # What is where.

    def __getitem__(self, name):
        """Returns the member of this name."""
        for member in self.members:
            if member.name == name:
                return member
        raise KeyError(f"there is no device {name!r}: {', '.join(member.name for member in self.members)}")

    def present(self, when=None):
        """Returns {(slot, address): member} of all that have power, now or at a time before."""
        if when is None:
            return {(one.slot, one.address): one for one in self.members if one.powered}
        places = [(one.place(when), one) for one in self.members]
        return {(slot, one.address): one for slot, one in places if slot is not None}

    def has_supply(self, slot, member=None):
        """Returns whether what is in this slot, or this member there, gets power. No expander switches itself."""
        entries = [entry for entry in self._supplies if entry[1] <= slot <= entry[2] and entry[0] is not member]
        return not entries or any(self._supplied(*entry) for entry in entries)

    def stuck(self):
        """Returns the members that hold a wire low, wherever they are."""
        return [one for one in self.members if one.powered and one.port in one.segment.sda.driven_low_by()]

    @staticmethod
    def _supplied(expander, first, last, levels):
        if not expander.powered:
            return False
        pins = expander.device.pins()
        return all(pins >> pin & 1 == level for pin, level in levels.items())

    # What happens.

    def plug(self, member, slot=None):
        """Puts a device into its place, or into another one."""
        if member.plugged:
            self.unplug(member)
        member.slot = member.slot if slot is None else slot
        member.segment = self._segment(member.slot)
        member.plugged = True
        member.supply(self.has_supply(member.slot, member))

    def unplug(self, member):
        member.plugged = False
        member.supply(False)

    def brown_out(self, slot):
        """The supply of a slot fails for a moment; of slot 0: that of the devices on the bus itself."""
        for member in self.members:
            if member.plugged and member.slot == slot:
                member.brown_out()

    def hold_reset(self, held):
        """The reset pin of the multiplexers. Args: held: it is low."""
        for mux in self._channels:
            mux.device.hold_reset(held)
            mux.reset_wires()

    def _supply(self, expander=None):
        """The pins of an expander have changed, or there is one more that has no power."""
        for member in list(self.members):
            if member.plugged and member is not expander and self._supplies:
                member.supply(self.has_supply(member.slot))

    # Multiplexers.

    def channels_of(self, member):
        """Returns the channels of a multiplexer on which there is something."""
        return self._channels[member].values() if member in self._channels else ()

    def _segment(self, slot):
        if slot == 0:
            return self.bus.main
        if slot not in self._slots:
            raise ValueError(f"slot {slot} is no channel of a multiplexer: add the multiplexer before")
        mux, number = self._slots[slot]
        channels = self._channels[mux]
        if number not in channels:
            channels[number] = Channel(self.bus, f"{mux.name}.{number}")
            channels[number].enable(mux.powered and bool(mux.device.channels >> number & 1), mux.segment)
        return channels[number]

    def wires(self, slot):
        """Returns the nets (scl, sda) of a slot, for faults."""
        segment = self._segment(slot)
        return segment.scl, segment.sda

    def _switch(self, mux, mask):
        for number, channel in self._channels[mux].items():
            channel.enable(bool(mask >> number & 1), mux.segment)
