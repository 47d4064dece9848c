"""`sim sensors`: many seeds of a bus whose devices come, go, fail and block it, in virtual time.

Each seed has a bus, with or without multiplexers, a reset line and a power switch, and some devices of eight types.
What each measures moves all the time, within a band that no other one has. For FAULTS_S, faults come at random; then
the bus is left alone. What is judged:

- Each sample is of the device that was at its address, powered, at its time, and its value is what that device has
  measured within the age that its type's values may have (`_age`), to STEPS of its resolution.
- GONE_S after the last fault the list has nothing that is polled and is not there. LIST_S after it, it has all that is
  there, and SETTLE_S after it also what was not identified three times before, or was replaced by another type.
- At the end all polls go on. Then each multiplexer that no reset line closes refuses for some milliseconds: it is in
  doubt so long, and no device may be lost by that.

A device that another type replaces between two polls is noticed within identCheckMs: its samples are passed over for
SWAPPED_S. What is set up when it is identified has no brown-out of its own, and is out of its place for AWAY_S: a bus
does not see what happens between two polls. That a power switch has lost its settings, it sees within a second.
"""

import asyncio
import json
import multiprocessing
import os
import random
from collections import namedtuple

from sensor_bus.bus import SensorBus
from sensor_bus.decode import readings
from sensor_bus.device import IDENTIFY_ATTEMPTS
from sensor_bus.port import MachineI2C
from sensor_bus.records import standard_records
from sim.virtual.sensor_bed import SensorBed
from sim.virtual.sensor_kinds import KINDS, TWINS, Script
from sim.virtual.sensor_slots import MOST_REFUSALS, Slots
from sim.virtual.soak import parse_seeds

FAULTS_S = 30
GONE_S = 3  # three polls of what is polled once a second, and a multiplexer that is taken as gone
LIST_S = 24  # busScanPeriodMs + 2 s (docs/sensor-bus.md), and a power switch that is read once a second
SETTLE_S = 35  # LIST_S and 10 s, after which a device is identified anew, and a poll
AWAY_S = 4
POWER_S = 1.2  # so long what a power switch has switched off and on may be polled, until that is noticed
REFUSED_S = 3  # polls of all devices, of which one may fail and is made again
SWAPPED_S = 15  # identCheckMs and the time of a pause, a bar and some polls that fail
# Of so many seeds one is left alone for all of that. The others end once the list is right: mostly it is, by then.
WHOLE_EVERY = 4
SHOW_EVERY = 20
FAULTS = ("unplug", "plug", "move", "nack", "stick", "brown_out", "bar", "pause", "request", "configure", "swap")

Outcome = namedtuple("Outcome", "seed good why samples faults")


class SensorRun:
    """Args: seed; slots_fail: multiplexers and power switches have faults too."""

    def __init__(self, seed, slots_fail=True):
        self.seed = seed
        self.chance = chance = random.Random(f"{seed} sensors")
        self.bed = SensorBed(seed=seed)
        self.records = standard_records()
        muxes = chance.choice((0, 0, 1, 2))
        self.reset = bool(muxes) and chance.random() < 0.5
        self.hardware = chance.random() < 0.5
        config = {"scanBoost": ["0x1f"]} if chance.random() < 0.5 else {}
        self.slots = Slots(seed, self.bed, muxes, self.reset, slots_fail)
        self.config = {**config, **self.slots.config()}
        self.faults = 0
        self.samples = 0
        self.wrong = []
        self.left = {}  # (slot, address) -> when a device has left it last
        self.left_by = {}  # (slot, address, kind) -> when one of this kind has
        self.sampled = {}  # address -> time of its sample before
        self.bus = None
        self._populate()

    def _populate(self):
        chance = self.chance
        slots = self.slots.numbers()
        taken = set()
        self.members = []
        for number in range(chance.randint(2, 8)):
            kind = chance.choice(sorted(KINDS))
            address, slot = chance.choice(KINDS[kind].addresses), chance.choice(slots)
            # An address on the main bus hides the same one in the slots.
            if any(one == address and self.slots.collide(other, slot) for other, one in taken):
                continue
            taken.add((slot, address))
            self._add(kind, address, slot, 2 * number)
            if kind in TWINS:
                self._add(TWINS[kind], address, slot, 2 * number + 1, plugged=False)

    def _add(self, kind, address, slot, number, plugged=True):
        values = dict.fromkeys(KINDS[kind].values, Script(number, KINDS[kind].unit))
        self.members.append(self.bed.sensors.add(kind, address, slot, values=values, plugged=plugged))

    def play(self):
        """Returns the Outcome."""
        try:
            why = self.bed.run(self._main, FAULTS_S + SETTLE_S + 60)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
        else:
            why = "it did not end" if why is None else why
        if not why and self.wrong:
            why = self.wrong[0]
        return Outcome(self.seed, not why, why, self.samples, self.faults + self.slots.faults)

    def _port(self):
        pin = self.bed.pin_class

        def make():
            return self.bed.i2c(hardware=self.hardware)

        return MachineI2C(make(), scl=pin("scl"), sda=pin("sda"), make=make)

    def _reset_line(self):
        pin = self.bed.pin_class
        line = pin("rst", pin.OPEN_DRAIN, value=1)

        def reset():
            line.value(0)
            line.value(1)

        return reset

    async def _main(self):
        self.bus = SensorBus(
            self._port(), self.records, self.config, reset=self._reset_line() if self.reset else None
        )
        self.offset = self.bus.now() / 1e4 - self.bed.now()
        work = (self.bus.run(), self._take())
        tasks = [asyncio.create_task(one) for one in work]
        try:
            await asyncio.sleep(5)
            failing = asyncio.create_task(self.slots.fail(FAULTS_S, self._unplug_all, self._next_poll))
            while self.bed.now() < FAULTS_S:
                await asyncio.sleep(self.chance.expovariate(2))
                await self._fault()
            await failing
            self.bus.resume()
            self.slots.calm()
            for member in self.members:  # a device that is only scanned meets its last faults much later
                member.nack(0)
                member.stick_at = None
            twins = [one for one in self.members if one.plugged and kind_of(one) in TWINS]
            if twins:  # the last of all: only a look at its type tells
                await self._swap(twins[0], self.chance)
            for second in range(1, SETTLE_S + 1):
                await asyncio.sleep(1)
                if self.seed % WHOLE_EVERY and self._found() == self._truth():
                    break
                late = self._late(second)
                if late:
                    return late
            return await self._verdict()
        finally:
            for task in tasks:
                if task.done() and task.exception():
                    raise task.exception()
                task.cancel()

    # What happens.

    def _next_poll(self, chance):
        """Returns (slot, time) of the next poll of some device; of none: the bus itself, now."""
        polled = [device for device in self.bus.all() if device.due is not None]
        if not polled:
            return 0, self.bed.now()
        device = chance.choice(polled)
        return device.address >> 8, device.due / 1e4 - self.offset

    async def _fault(self):
        member, chance = self.chance.choice(self.members), self.chance
        name = chance.choice(FAULTS)
        self.faults += 1
        await getattr(self, "_" + name)(member, chance)

    async def _unplug(self, member, chance):
        if member.plugged:
            self.left[member.slot, member.address] = now = self.bed.now()
            self.left_by[member.slot, member.address, kind_of(member)] = now
            member.unplug()

    async def _unplug_all(self, slots):
        for member in self.members:
            if member.slot in slots:
                await self._unplug(member, self.chance)

    async def _plug(self, member, chance, slot=None):
        slot = member.slot if slot is None else slot
        if member.plugged or any(self._collides(other, member.address, slot) for other in self.members):
            return
        left = self.left.get((slot, member.address), -AWAY_S)
        if KINDS[kind_of(member)].is_set_up and self.bed.now() - left < AWAY_S:
            return
        member.plug(slot)

    def _collides(self, other, address, slot):
        return other.plugged and other.address == address and self.slots.collide(other.slot, slot)

    async def _move(self, member, chance):
        await self._unplug(member, chance)
        await asyncio.sleep(chance.uniform(0, 2))
        await self._plug(member, chance, chance.choice(self.slots.numbers()))

    async def _swap(self, member, chance):
        """Another one is plugged in where this one is, at once."""
        slot = member.slot
        others = [one for one in self.members if one.address == member.address and not one.plugged]
        if member.plugged and others:
            await self._unplug(member, chance)
            await self._plug(chance.choice(others), chance, slot)

    async def _nack(self, member, chance):
        member.nack(chance.randint(1, 4))

    async def _stick(self, member, chance):
        member.stick_sda(chance.randrange(16), 0)

    async def _brown_out(self, member, chance):
        if not KINDS[kind_of(member)].is_set_up:
            member.brown_out()

    async def _bar(self, member, chance):
        self.bus.bar(member.address | member.slot << 8, chance.randint(1, 2000))

    async def _pause(self, member, chance):
        self.bus.pause()
        await asyncio.sleep(chance.uniform(0, 0.5))
        self.bus.resume()

    async def _request(self, member, chance):
        try:
            await self.bus.request(member.address | member.slot << 8, b"\x0f", 2, timeout_ms=200)
        except OSError:
            pass  # as the faults have it

    async def _configure(self, member, chance):
        try:
            self.bus.configure(member.address | member.slot << 8, interval_us=chance.choice((10000, 100000, 1000000)))
        except (KeyError, ValueError):
            pass  # it is not there, or not identified

    # What is judged.

    async def _take(self):
        async for sample in self.bus.samples():
            self.samples += 1
            when = sample.time / 1e4 - self.offset
            before, self.sampled[sample.address] = self.sampled.get(sample.address, 0), when
            kind = self.records.name(sample.type)
            values = readings(self.records.info(sample.type), sample.data)[-1][1]
            there = self._there(sample.address, when)
            fits = [one for one in there if kind_of(one) == kind and self._has_measured(one, values, when, before)]
            if not fits and not self._was_replaced(kind, there, sample.address, when):
                shown = {name: values[name] for name in KINDS[kind].values}
                self.wrong.append(f"at {when:.4f} s {kind} at {sample.address:x} has measured {shown}, of {there}")

    def _there(self, address, when):
        """Returns the members (list) that a bus may rightly see there at a time: a poll has begun then, and lasted less
        than a millisecond up to its first pause."""
        slot, address = address >> 8, address & 0x7F
        found = []
        for late in (0, 0.0002, 0.0005):
            for (place, its), one in self.bed.sensors.present(when + late).items():
                if its == address and slot in self.slots.places(place, when + late) and one not in found:
                    found.append(one)
        return found

    def _has_measured(self, member, values, when, before):
        """Returns whether these values are a member's. before: when it was polled the last time."""
        kind = KINDS[kind_of(member)]
        since = max([at for at, place in member.history if at <= when + kind.poll_s and place is not None])
        age = kind.age_s + (when - max(before, since) if kind.measures_ahead else 0)
        script = member.device.values[kind.values[0]].__wrapped__  # Script of sensor_kinds.py
        return all(
            script.has_had(values[name], when - age, when + kind.poll_s, kind.resolution)
            or values[name] == kind.reset and since > when - max(age, POWER_S)  # its register right after power-on
            for name in kind.values
        )

    def _was_replaced(self, kind, there, address, when):
        """Returns whether one of another type stands where one of this type was, so recently that a bus need not know,
        or has come in the middle of the poll."""
        end = when + KINDS[kind].poll_s
        for member in (*there, *self._there(address, end)):
            left = self.left_by.get((member.slot, member.address, kind))
            if kind_of(member) != kind and left is not None and end - left < SWAPPED_S:
                return True
        return False

    def _found(self):
        """Returns {address: name of the type, or None} of what the bus says is there."""
        return {
            address: None if number is None else self.records.name(number)
            for address, number, _ in self.bus.devices()
        }

    def _truth(self):
        """Returns the same of what is there."""
        return {
            one.address | one.slot << 8: kind_of(one)
            for one in self.members
            if one.plugged and self.slots.is_reachable(one.slot)
        }

    def _late(self, second):
        """Returns what the list should not have any longer, or should have, so long after the last fault, or ""."""
        found, truth = self._found(), self._truth()
        if second == GONE_S:
            wrong = {one: name for one, name in found.items() if name is not None and one not in truth}
            return f"{_shown(wrong)} is still listed {second} s after the last fault" if wrong else ""
        if second == LIST_S:
            wrong = {one: name for one, name in truth.items() if one not in found and not self._has_failed(one)}
            return f"{_shown(wrong)} is not listed {second} s after the last fault" if wrong else ""
        return ""

    def _has_failed(self, address):
        """Returns whether a device was not identified three times, and is asked again later."""
        device = self.bus.at(address)
        return device is not None and device.job is not None and device.job.attempts >= IDENTIFY_ATTEMPTS

    async def _verdict(self):
        """Returns what is wrong at the end, "" if nothing is."""
        found, truth = self._found(), self._truth()
        if found == truth:
            counts = {address: self.bus.device(address).ring.end for address in truth}
            await asyncio.sleep(6)
            found, truth = self._found(), self._truth()
        if found != truth:
            return f"the bus has {_shown(found)}, and there is {_shown(truth)}"
        still = [address for address in truth if self.bus.device(address).ring.end == counts[address]]
        if still:
            return f"no polls of {', '.join(f'{one:x}' for one in still)} any longer"
        return "" if self.reset else await self._refused()

    async def _refused(self):
        """Returns which devices are lost while multiplexers refuse, "" if none is."""
        events = self.bus.events()
        for mux in self.slots.muxes:
            if mux.plugged and self.slots.is_reachable(mux.slot):
                self.faults += 1
                mux.nack(MOST_REFUSALS)
                await asyncio.sleep(REFUSED_S)
        lost = []
        while (event := events.get_nowait()) is not None:
            if event.kind == "gone":
                lost.append(f"{event.address:x}")
        events.close()
        return f"{', '.join(lost)} is lost while a multiplexer refuses" if lost else ""


def _shown(devices):
    return ", ".join(f"{address:x} {name}" for address, name in sorted(devices.items())) or "nothing"


def kind_of(member):
    return type(member.device).__name__


def play(seed):
    return SensorRun(seed).play()


def run(options):
    """Plays all seeds, and tells. Returns the exit status."""
    seeds, bad, samples, faults = parse_seeds(options.seeds), [], 0, 0
    with multiprocessing.Pool(min(len(seeds), os.cpu_count() or 1) or 1, maxtasksperchild=50) as pool:
        for count, outcome in enumerate(pool.imap_unordered(play, seeds), 1):
            samples, faults = samples + outcome.samples, faults + outcome.faults
            if not outcome.good:
                bad.append(outcome)
                print(f"seed {outcome.seed}: {outcome.why}\n  python3 -m sim sensors --seeds {outcome.seed}:"
                      f"{outcome.seed + 1}", flush=True)  # fmt: skip
            elif count % SHOW_EVERY == 0 and not options.json:
                print(f"{count}/{len(seeds)} seeds, {len(bad)} wrong", flush=True)
    if options.json:
        print(json.dumps({"seeds": len(seeds), "wrong": len(bad), "samples": samples, "faults": faults}))
    else:
        print(f"{len(seeds)} seeds, {len(bad)} wrong; {samples:,} samples, {faults:,} faults")
    return 1 if bad else 0
