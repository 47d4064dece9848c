"""`sim sensors`: many seeds of a bus whose devices come, go, fail and block it, in virtual time.

Each seed has a bus, with or without multiplexers, a reset line and a power switch, and some devices, each of which
measures a value that no other one has. For FAULTS_S, faults come at random; then the bus is left alone for SETTLE_S. At
the end the bus's list has to be what is there, and all polls have to go on. Each sample has to be of the device that
was at its address, powered, at its time. Two devices of different types do not follow each other at one address within
SWAP_S: what answers in the same way all the time is the same device to a bus.
"""

import asyncio
import json
import multiprocessing
import os
import random
from collections import namedtuple

from sensor_bus.bus import SensorBus
from sensor_bus.decode import readings
from sensor_bus.port import MachineI2C
from sensor_bus.records import standard_records
from sim.virtual.sensor_bed import SensorBed
from sim.virtual.sensor_slots import Slots
from sim.virtual.soak import parse_seeds

FAULTS_S = 30
SETTLE_S = 30  # a whole slow scan, an identification, and three polls of the slowest type
# Of so many seeds one is left alone for all of that. The others end once the list is right: mostly it is, by then.
WHOLE_EVERY = 4
SWAP_S = 16
SHOW_EVERY = 20
# Types with one temperature, by which a device is recognised, and their addresses.
TYPES = {"MCP9808": range(0x18, 0x20), "TMP117": range(0x48, 0x4C)}
STEP = 0.25  # degrees between two devices: a value that both types measure exactly
FAULTS = ("unplug", "plug", "move", "nack", "stick", "brown_out", "bar", "pause", "request", "configure")

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
        self.left = {}  # (slot, address) -> (time, type) of the device that left it last
        self.bus = None
        self._populate()

    def _populate(self):
        world, chance = self.bed.sensors, self.chance
        slots = self.slots.numbers()
        taken = set()
        self.members = []
        for number in range(chance.randint(2, 8)):
            kind = chance.choice(sorted(TYPES))
            address, slot = chance.choice(TYPES[kind]), chance.choice(slots)
            # An address on the main bus hides the same one in the slots.
            if any(one == address and self.slots.collide(other, slot) for other, one in taken):
                continue
            taken.add((slot, address))
            value = 10 + STEP * number
            self.members.append(world.add(kind, address, slot, values={"temperature": value}))

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
            for _ in range(SETTLE_S):
                await asyncio.sleep(1)
                if self.seed % WHOLE_EVERY and self._found() == self._truth():
                    break
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
            self.left[member.slot, member.address] = self.bed.now(), type(member.device)
            member.unplug()

    async def _unplug_all(self, slots):
        for member in self.members:
            if member.slot in slots:
                await self._unplug(member, self.chance)

    async def _plug(self, member, chance, slot=None):
        slot = member.slot if slot is None else slot
        if member.plugged or any(self._collides(other, member.address, slot) for other in self.members):
            return
        last = self.left.get((slot, member.address))
        if last and last[1] is not type(member.device) and self.bed.now() - last[0] < SWAP_S:
            return
        member.plug(slot)

    def _collides(self, other, address, slot):
        return other.plugged and other.address == address and self.slots.collide(other.slot, slot)

    async def _move(self, member, chance):
        await self._unplug(member, chance)
        await asyncio.sleep(chance.uniform(0, 2))
        await self._plug(member, chance, chance.choice(self.slots.numbers()))

    async def _nack(self, member, chance):
        member.nack(chance.randint(1, 4))

    async def _stick(self, member, chance):
        member.stick_sda(chance.randrange(16), 0)

    async def _brown_out(self, member, chance):
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
            slot, address = sample.address >> 8, sample.address & 0x7F
            # The poll has begun at `when`, and lasted less than a millisecond more.
            there = [self._seen(slot, address, when + late) for late in (0, 0.0002, 0.0005)]
            there = [one for found in there for one in found]
            kind = self.records.name(sample.type)
            value = readings(self.records.info(sample.type), sample.data)[-1][1]["temperature"]
            if not any(type(one.device).__name__ == kind and self._is_of(one, value, when) for one in there):
                self.wrong.append(f"at {when:.4f} s {kind} at {sample.address:x} has measured {value}, of {there}")

    def _seen(self, slot, address, when):
        """Returns the members (list) that a bus may rightly see there at a time."""
        return [
            one for (place, its), one in self.bed.sensors.present(when).items()
            if its == address and slot in self.slots.places(place, when)
        ]  # fmt: skip

    def _is_of(self, member, value, when):
        if value == member.value("temperature", when):
            return True
        return any(abs(when - since) < 5 for since, _ in member.history)  # its register right after power-on

    def _found(self):
        """Returns {address: name of the type, or None} of what the bus says is there."""
        return {
            address: None if number is None else self.records.name(number)
            for address, number, _ in self.bus.devices()
        }

    def _truth(self):
        """Returns the same of what is there."""
        return {
            one.address | one.slot << 8: type(one.device).__name__
            for one in self.members
            if one.powered and self.slots.is_reachable(one.slot)
        }

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
        return f"no polls of {', '.join(f'{one:x}' for one in still)} any longer" if still else ""


def _shown(devices):
    return ", ".join(f"{address:x} {name}" for address, name in sorted(devices.items())) or "nothing"


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
