"""What a sensor bus has to reach, played on the virtual bed: its tests and `make bench` measure the same.

Times are virtual, the bus has 400 kHz and its configuration its defaults, if a scene does not say otherwise.
"""

import asyncio
from collections import namedtuple
from pathlib import Path

from sensor_bus import loader
from sensor_bus.bus import SensorBus
from sensor_bus.decode import readings
from sensor_bus.port import MachineI2C
from sensor_bus.records import standard_records
from sim.virtual.sensor_bed import SensorBed

# Eight devices that are polled at 10 Hz, and one at 100 Hz.
SLOW = range(0x18, 0x20)
SLOW_US = 100000
FAST = 0x48
FAST_US = 10000
NINE = (*SLOW, FAST)
UNITS_PER_S = 10000  # of sample.time
FOUND_S = 25  # bound until all nine are polled: a slow sweep is 20 s
PLUGGED = 0x1F  # where a device is plugged in
BOOST = {"scanBoost": [hex(PLUGGED)]}
STUCK_LIMIT_S = 5  # bound: a scene ends, and its caller judges

# missed: polls that were left out; jitter_us: most that two stamps are off their interval; samples: fewest of what was
# due that came, of a device.
Polls = namedtuple("Polls", "missed jitter_us samples")
# seconds: until each device was polled again; lost: events that must not come; values: temperatures that were read.
Recovery = namedtuple("Recovery", "seconds lost values")


class Scene:
    """A bus, its devices, and what it has told. Args: config: of the bus; records: Records, None: the project's own;
    hardware: the I2C object is a machine.I2C, not a SoftI2C."""

    def __init__(self, config=None, records=None, hardware=False):
        self.bed = SensorBed()
        self.sensors = self.bed.sensors
        self.records = records or standard_records()
        self.bus = None
        self.samples = {}  # address -> list of Sample
        self.events = []  # (kind, address)
        self._config = config
        self._hardware = hardware

    def play(self, program, seconds=120):
        """Runs `await program()` beside the bus, for so long at most. Returns its result."""

        def make():
            return self.bed.i2c(hardware=self._hardware)

        async def main():
            pin = self.bed.pin_class
            port = MachineI2C(make(), scl=pin("scl"), sda=pin("sda"), make=make)
            self.bus = SensorBus(port, self.records, self._config)
            rest = asyncio.gather(self.bus.run(), self._take(), self._listen())
            result = await program()
            if rest.done():
                rest.result()  # raises
            rest.cancel()
            return result

        return self.bed.run(main, seconds)

    async def _take(self):
        async for sample in self.bus.samples():
            self.samples.setdefault(sample.address, []).append(sample)

    async def _listen(self):
        async for event in self.bus.events():
            self.events.append((event.kind, event.address))

    async def until(self, condition, limit_s):
        """Returns the seconds until condition() is true. Raises: AssertionError after limit_s."""
        begin = self.bed.now()
        while not condition():
            assert self.bed.now() - begin < limit_s, (self.events[-10:], self.bus.devices())
            await asyncio.sleep(0.001)
        return self.bed.now() - begin

    def add_nine(self):
        for address in SLOW:
            self.sensors.add("MCP9808", address)
        self.sensors.add("TMP117", FAST)

    def all_nine(self):
        """Returns whether each of the nine has a sample."""
        return all(self.samples.get(address) for address in NINE)

    async def nine_polled(self):
        """Waits until the nine are polled at their rates, and forgets their samples."""
        await self.until(self.all_nine, FOUND_S)
        for address in SLOW:
            self.bus.configure(address, interval_us=SLOW_US)
        self.bus.configure(FAST, interval_us=FAST_US)
        await asyncio.sleep(1)
        self.samples.clear()


def polls(seconds=20):
    """Polls the nine devices for so long. Returns Polls."""
    scene = Scene()
    scene.add_nine()

    async def program():
        await scene.nine_polled()
        missed = {address: scene.bus.device(address).missed for address in NINE}
        await asyncio.sleep(seconds)
        return sum(scene.bus.device(address).missed - missed[address] for address in NINE)

    missed, jitter, came = scene.play(program), 0, []
    for address in NINE:
        times = [sample.time for sample in scene.samples[address]]
        interval = (FAST_US if address == FAST else SLOW_US) // 100
        jitter = max(jitter, *(abs(after - before - interval) for before, after in zip(times, times[1:])))
        came.append((len(times) + 2) * interval / (seconds * UNITS_PER_S))  # one at each end may be beyond it
    return Polls(missed, jitter * 100, min(came))


def low_records():
    """Returns Records in which the device that is plugged in has the lowest priority: its address is in the last list
    of the scan."""
    types = loader.types((Path(loader.__file__).parent / "types.json").read_bytes())
    types["MCP9808"]["scanPriority"] = "low"
    return loader.load({"devTypes": types})


def time_to_identify(when_s, config=None, records=None, limit_s=60):
    """Plugs a device in so long after another one is polled. Returns the seconds until it is identified.

    Args: config: of the bus; records: low_records(), or None: the project's own; limit_s: bound. Raises: AssertionError
    after it."""
    scene = Scene(config, records)
    member = scene.sensors.add("MCP9808", PLUGGED, plugged=False)
    scene.sensors.add("TMP117", FAST)

    async def program():
        await scene.until(lambda: scene.samples.get(FAST), FOUND_S)
        await asyncio.sleep(2 + when_s)
        member.plug()
        return await scene.until(lambda: ("identified", PLUGGED) in scene.events, limit_s)

    return scene.play(program)


def scan_share(seconds=20):
    """Returns which part of the time the scan uses the bus, from a call of `rescan` on, while nine are polled."""
    scene = Scene()
    scene.add_nine()

    async def program():
        await scene.nine_polled()
        access = scene.bus._access
        spent_us = 0
        probe = access.probe

        async def counted(address):
            nonlocal spent_us
            before = access.spent_us
            answered = await probe(address)
            spent_us += access.spent_us - before
            return answered

        access.probe = counted
        begin = scene.bed.now()
        scene.bus.rescan()
        await asyncio.sleep(seconds)
        return spent_us / 1e6 / (scene.bed.now() - begin)

    return scene.play(program)


def stuck_in_bit(bit, hardware=False):
    """Has a device hold sda in this bit of an answer of 16 bits, while nine are polled. Returns Recovery.

    Args: hardware: the I2C object is a machine.I2C, not a SoftI2C."""
    scene = Scene(hardware=hardware)
    scene.add_nine()
    stuck = scene.sensors["MCP9808@18/0"]
    values = set()

    def keep():
        for address in SLOW:
            for sample in scene.samples.get(address, ()):
                values.add(readings(scene.records.info(sample.type), sample.data)[-1][1]["temperature"])

    async def program():
        await scene.nine_polled()
        stuck.stick_sda(bit, 0)
        await scene.until(lambda: scene.sensors.stuck() or stuck.stick_at is None, 2 * SLOW_US / 1e6)
        keep()
        scene.samples.clear()
        seconds = await scene.until(scene.all_nine, STUCK_LIMIT_S)
        await asyncio.sleep(0.5)
        assert not scene.sensors.stuck()
        keep()
        return seconds

    seconds = scene.play(program)
    lost = [event for event in scene.events if event[0] in ("offline", "gone", "stuck")]
    return Recovery(seconds, lost, values)
