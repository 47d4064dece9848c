"""Multiplexers, power switch and wires of a run of `sim sensors`: how they stand and fail, and what is true then.

Their faults have random numbers of their own, so that a run without them is the same run otherwise.
"""

import asyncio
import random

EXPANDER = 0x20
PIN = 3  # of the expander, which switches the slots of the first multiplexer
SWITCHED = 8  # the last of these
CHANNELS = (0, 3, 7)  # of each multiplexer that have devices
MUX_FAULTS = ("nack", "nack_bytes", "brown_out", "unplug", "plug", "plug", "hang", "move")
EXPANDER_FAULTS = ("nack", "brown_out", "unplug", "plug", "plug")
MOST_REFUSALS = 12  # a bus takes a multiplexer as lost that refuses for 20 ms, which are more than 30
FAULTS_HZ = 0.5
LONGEST_HANG_S = 3
# A wire that is held low for less than a transaction spoils that without a trace, so it is held for longer.
TRANSACTION_S = 0.0003
FREED_AT_ONCE_S = 0.001  # by the first recovery: nobody is lost. So are most; the others last up to LONGEST_SHORT_S
LONGEST_SHORT_S = 0.3
# A multiplexer that has hung is asked for each second, unless the bus is paused; then it is closed. Each time that it
# refuses, its address or what is written to it, costs one second more.
ASKED_EVERY_S = 1
UNTIL_CLOSED_S = 2.5


class Slots:
    """Args: seed, bed; count: of multiplexers; reset: the bus has their reset line; failing: there are faults, the
    second multiplexer may be behind the first, and there may be a power switch."""

    def __init__(self, seed, bed, count, reset, failing):
        self._bed = bed
        self._reset = reset
        self._failing = failing
        self.chance = chance = random.Random(f"{seed} slots")
        self.faults = 0
        self.cascade = bool(failing) and count == 2 and chance.random() < 0.5
        self._hung = []  # (multiplexer, begin, end)
        self.expander = None
        if failing and count and chance.random() < 0.4:
            self.expander = bed.sensors.add(
                "PCA9535", EXPANDER, power=[{"slots": [1, SWITCHED], "on": {PIN: 1}}]
            )  # before what it switches
        self.muxes = []
        for index in range(count):
            slot = 1 + chance.choice(CHANNELS) if index and self.cascade else 0
            self.muxes.append(bed.sensors.add("PCA9548A", 0x70 + index, slot))

    def config(self):
        """Returns the items of the bus's configuration."""
        if not self.muxes:
            return {}
        config = {"mux": {"enable": True, **({"rstPin": 5} if self._reset else {})}}
        if self.expander is not None:
            config["ioExps"] = {"exps": [{"dev": "PCA9535", "addr": EXPANDER, "vPinBase": 0, "numPins": 16}]}
            levels = [{"vPins": [PIN] * 8, "on": [1] * 8}]
            group = {"name": "A", "startSlotNum": 1, "numSlots": 8, "defaultLevelIdx": 1, "levelsExclOff": levels}
            config["pwr"] = {"slotGroups": [group]}
        return config

    def numbers(self):
        """Returns the slots (list) in which devices may stand, the main bus first."""
        return [0] + [8 * index + channel + 1 for index in range(len(self.muxes)) for channel in CHANNELS]

    def collide(self, one, other):
        """Returns whether two devices of one address, in these slots, answer together. Behind one another they do; as
        multiplexers are moved, any two may come to stand so."""
        return self.cascade or one == other or not one or not other

    # What is true.

    def mux(self, slot):
        return self.muxes[(slot - 1) // 8]

    def is_reachable(self, slot):
        """Returns whether all multiplexers in front of a slot are there, and it has power, or should get it again."""
        while slot:
            if not self.mux(slot).plugged or not self._can_have_power(slot):
                return False
            slot = self.mux(slot).slot
        return True

    def _can_have_power(self, slot):
        return self.expander is None or slot > SWITCHED or self.expander.powered

    def places(self, slot, when):
        """Returns the slots in which a device in `slot` may be seen: in front of a multiplexer that hangs too."""
        found = [slot]
        while slot and not self._reset and self._hangs(self.mux(slot), when):
            slot = self.mux(slot).slot
            found.append(slot)
        return found

    def _hangs(self, mux, when):
        return any(one is mux and begin <= when <= end + UNTIL_CLOSED_S for one, begin, end in self._hung)

    # What happens.

    async def fail(self, until, unplug, next_poll):
        """Has faults until this time. Args: unplug(slots): pulls the devices in these slots; next_poll(chance): returns
        (slot, time) of some poll that is to come."""
        while self._failing:
            await asyncio.sleep(self.chance.expovariate(FAULTS_HZ))
            if self._bed.now() >= until:
                return
            self.faults += 1
            if not self.muxes or self.chance.random() < 0.3:
                self._short(*next_poll(self.chance))
            elif self.expander is not None and self.chance.random() < 0.3:
                self._fail_expander(self.chance.choice(EXPANDER_FAULTS))
            else:
                await getattr(self, "_" + self.chance.choice(MUX_FAULTS))(self.chance.choice(self.muxes), unplug)

    def calm(self):
        """Ends what would go on."""
        for member in [*self.muxes, *([self.expander] if self.expander is not None else [])]:
            member.nack(0)
            member.nack_bytes(0)
        self._hung = [(mux, begin, min(end, self._bed.now())) for mux, begin, end in self._hung]

    def _short(self, slot, when):
        """Something else holds sda of a slot low, from the middle of a poll on, or into the middle of one. SoftI2C does
        not look at that: it reads zeros."""
        middle = when + self.chance.uniform(0, TRANSACTION_S)
        if self.chance.random() < 0.5:
            longest = FREED_AT_ONCE_S if self.chance.random() < 0.8 else LONGEST_SHORT_S
            begin, end = middle, middle + self.chance.uniform(2 * TRANSACTION_S, longest)
        else:
            begin, end = middle - self.chance.uniform(2 * TRANSACTION_S, 0.002), middle
        sda = self._bed.sensors.wires(slot)[1]
        now = self._bed.now()
        self._bed.at(max(now, begin), sda.stick, 0)
        self._bed.at(max(now, end), sda.stick, None)

    def _fail_expander(self, name):
        member = self.expander
        if name == "nack":
            member.nack(self.chance.randint(1, MOST_REFUSALS))
        elif name == "plug":
            if not member.plugged:
                member.plug()
        else:
            getattr(member, name)()

    def _is_hung(self, mux):
        return any(one is mux and self._bed.now() <= end for one, _, end in self._hung)

    def _stays_open(self, mux, refusals):
        """Has one that hangs, or has just hung, count as hanging for as long as these refusals may keep it open."""
        longer = refusals * ASKED_EVERY_S
        now = self._bed.now()
        self._hung = [
            (one, begin, end + longer) if one is mux and self._hangs(mux, now) else (one, begin, end)
            for one, begin, end in self._hung
        ]

    async def _nack(self, mux, unplug):
        if not self._is_hung(mux):
            refusals = self.chance.randint(1, MOST_REFUSALS)
            self._stays_open(mux, refusals)
            mux.nack(refusals)

    async def _nack_bytes(self, mux, unplug):
        refusals = self.chance.randint(1, MOST_REFUSALS)
        self._stays_open(mux, refusals)
        mux.nack_bytes(refusals)

    async def _brown_out(self, mux, unplug):
        mux.brown_out()

    async def _unplug(self, mux, unplug):
        if self.chance.random() < 0.5:  # with all that hangs on it
            first = 8 * self.muxes.index(mux) + 1
            await unplug(range(first, first + 8))
        mux.unplug()

    async def _plug(self, mux, unplug):
        if not mux.plugged:
            mux.plug()

    async def _hang(self, mux, unplug):
        if not self._is_hung(mux):
            now = self._bed.now()
            end = now + self.chance.uniform(0.01, LONGEST_HANG_S)
            self._hung.append((mux, now, end))
            self._stays_open(mux, mux.refused_bytes)
            mux.nack(10**9)
            self._bed.at(end, mux.nack, 0)

    async def _move(self, mux, unplug):
        if self.cascade and mux is self.muxes[1]:
            mux.unplug()
            await asyncio.sleep(self.chance.uniform(0, 2))
            mux.plug(self.chance.choice((0, *(1 + channel for channel in CHANNELS))))
