"""A sensor bus on the virtual bed, for tests: devices, the bus that manages them, and what it has told."""

from sensor_bus.bus import SensorBus
from sensor_bus.decode import readings
from sensor_bus.port import MachineI2C
from sensor_bus.records import standard_records
from sim.virtual.sensor_bed import SensorBed
from tests.sensor_bus.watch import Watch


class BusRig(Watch):
    """Args: config: of the bus; lines: its port can reach the wires; reset: it has the multiplexers' reset line;
    hardware: the I2C object is a machine.I2C, not a SoftI2C."""

    def __init__(self, config=None, *, lines=True, reset=False, hardware=False, timeout_us=50000):
        super().__init__()
        self.bed = SensorBed()
        self.now = self.bed.now
        self.sensors = self.bed.sensors
        self.records = standard_records()
        self._polled = None  # address of the device that is being polled
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
            self._watch_polls()
            self.offset = self.bus.now() / 1e4 - self.bed.now()
            return await self.watch(program)

        return self.bed.run(main, seconds)

    def _watch_polls(self):
        poll = self.bus._poll

        async def watched(device):
            self._polled = device.address
            try:
                await poll(device)
            finally:
                self._polled = None

        self.bus._poll = watched

    def polls(self, address):
        """Returns whether a poll of a device has begun and not ended."""
        return self._polled == address or self.bus.device(address).pause is not None

    def add(self, type, address=None, slot=0, **options):
        """Adds a device. Returns its Member."""
        return self.sensors.add(type, address, slot, **options)

    def hold_sda(self, slot, held):
        """Holds sda of a slot low, or no longer."""
        self.sensors.wires(slot)[1].stick(0 if held else None)

    def at(self, sample):
        """Returns the time of a sample on the bed's clock."""
        return sample.time / 1e4 - self.offset

    def value(self, sample, name):
        return readings(self.records.info(sample.type), sample.data)[-1][1][name]
