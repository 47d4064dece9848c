"""A sensor bus on the virtual bed, for tests: devices, the bus that manages them, and what it has told."""

import asyncio

from sensor_bus.bus import SensorBus
from sensor_bus.decode import readings
from sensor_bus.port import MachineI2C
from sensor_bus.records import standard_records
from sim.virtual.sensor_bed import SensorBed


class BusRig:
    """Args: config: of the bus; lines: its port can reach the wires; reset: it has the multiplexers' reset line;
    hardware: the I2C object is a machine.I2C, not a SoftI2C."""

    def __init__(self, config=None, *, lines=True, reset=False, hardware=False, timeout_us=50000):
        self.bed = SensorBed()
        self.sensors = self.bed.sensors
        self.records = standard_records()
        self.bus = None
        self.samples = []  # (bed time, Sample)
        self.events = []  # (bed time, kind, address, name of the type or None)
        self._config = config or {}
        self._lines, self._reset = lines, reset
        self._i2c = {"hardware": hardware, "timeout_us": timeout_us}

    def make(self):
        return self.bed.i2c(**self._i2c)

    def run(self, program, seconds=60):
        """Runs `await program(rig)` beside the bus. Returns its result."""

        async def main():
            pin = self.bed.pin_class
            wires = {"scl": pin("scl"), "sda": pin("sda"), "make": self.make} if self._lines else {}
            reset = None
            if self._reset:
                line = pin("rst", pin.OPEN_DRAIN, value=1)

                def reset():
                    line.value(0)
                    line.value(1)

            self.bus = SensorBus(MachineI2C(self.make(), **wires), self.records, self._config, reset=reset)
            self.offset = self.bus.now() / 1e4 - self.bed.now()
            tasks = [asyncio.create_task(one) for one in (self.bus.run(), self._take(), self._listen())]
            try:
                return await program(self)
            finally:
                for task in tasks:
                    if task.done() and task.exception():
                        raise task.exception()
                    task.cancel()

        return self.bed.run(main, seconds)

    async def _take(self):
        async for sample in self.bus.samples():
            self.samples.append((self.bed.now(), sample))

    async def _listen(self):
        async for event in self.bus.events():
            name = None if event.type is None else self.records.name(event.type)
            self.events.append((self.bed.now(), event.kind, event.address, name))

    def of(self, address, since=0.0):
        """Returns the samples (list of Sample) of a device since a time of the bed's."""
        return [sample for at, sample in self.samples if sample.address == address and at >= since]

    def at(self, sample):
        """Returns the time of a sample on the bed's clock."""
        return sample.time / 1e4 - self.offset

    def value(self, sample, name):
        return readings(self.records.info(sample.type), sample.data)[-1][1][name]

    def kinds(self, address, since=0.0):
        """Returns the kinds of the events of an address since a time."""
        return [kind for at, kind, where, _ in self.events if where == address and at >= since]

    async def until(self, condition, limit_s):
        """Returns how long it took until condition() is true. Raises: AssertionError after limit_s."""
        begin = self.bed.now()
        while not condition():
            assert self.bed.now() - begin < limit_s, (condition, self.events[-10:], self.bus.devices())
            await asyncio.sleep(0.001)
        return self.bed.now() - begin

    def names(self):
        """Returns {address: name of the type or None} of what the bus says is there."""
        return {
            address: None if number is None else self.records.name(number)
            for address, number, _ in self.bus.devices()
        }
