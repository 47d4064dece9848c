"""The link beside a sensor bus: lines and echoes with 200 samples a second on the channel of samples, and without.

On the virtual bed, exact. The client's board has eleven sensors on its second bus, a SensorBus that polls ten of them
at 10 Hz and one at 100 Hz, and a SensorService. The polls take the board's time. The server reads the channel as it is
filled.
"""

import asyncio

from build.bench.bed import COSTS, WIRE_BYTES_S
from build.bench.figures import Figure
from build.bench.wire import DIRECTIONS, Echo, Traffic
from sensor_bus.batch import decode_batch
from sensor_bus.bus import SensorBus
from sensor_bus.devbin import decode_devbin
from sensor_bus.port import MachineI2C
from sensor_bus.records import standard_records
from sensor_bus.service import SAMPLES, SensorService
from sim.virtual.sensor_bed import BoardSensors

# address -> (type, interval of its polls, us)
PLACES = {
    **{address: ("MCP9808", 100000) for address in range(0x18, 0x20)},
    **{address: ("TMP117", 100000) for address in (0x48, 0x49)},
    0x4A: ("TMP117", 10000),
}
RATE = sum(1000000 // interval_us for _, interval_us in PLACES.values())  # samples a second
_FOUND_S = 30.0  # bound until all sensors are there
_SETTLE_S = 2.0
_SECONDS = 10.0
_SIZE = 180  # bytes of a line


class Sensors:
    """Those of the client of a Bed. Args: bed."""

    def __init__(self, bed):
        self._wires = BoardSensors(bed.link.client, bed.link.costs, pins=("Y9", "Y10", "Y11"), owes=True)
        for address, (kind, _) in PLACES.items():
            self._wires.sensors.add(kind, address)
        self.service = None
        self.polled = False  # all of them, at their rate
        self.samples = 0  # that have come to the server
        self.bytes = 0  # of their messages

    async def client(self, app):
        """What the client's program does beside all else."""
        config = {"scanBoost": [hex(address) for address in PLACES]}
        bus = SensorBus(MachineI2C(self._wires.i2c(hardware=True)), standard_records(), config)
        self.service = SensorService(app, bus)
        await asyncio.gather(bus.run(), self.service.run(), self._configure(bus))

    async def _configure(self, bus):
        online = 0
        async for event in bus.events():
            if event.kind == "online":
                bus.configure(event.address, interval_us=PLACES[event.address][1])
                online += 1
                self.polled = online == len(PLACES)

    async def serve(self, conn):
        """What the server's program does beside all else."""
        async for message in conn.channel(SAMPLES, 1):
            self.bytes += len(message.data)
            _, _, _, envelope = decode_batch(message.data)
            self.samples += sum(len(samples) for *_, samples in decode_devbin(envelope)[2])


class TrafficBeside(Traffic):
    """Lines as those of Traffic, beside sensors."""

    def __init__(self, direction, costs):
        super().__init__(direction, _SIZE, False, costs)
        self.sensors = Sensors(self.bed)

    async def _client(self, app):
        await asyncio.gather(self.sensors.client(app), super()._client(app))

    async def _serve(self, conn):
        await asyncio.gather(self.sensors.serve(conn), super()._serve(conn))

    def measure(self, seconds=_SECONDS):
        """Returns (bytes of lines, bytes of messages with samples, samples, bytes clocked) a second."""
        sensors = self.sensors

        def counts():
            return self.lines * _SIZE, sensors.bytes, sensors.samples, self.bed.counts[1]

        with self.bed.running():
            self.bed.until(lambda: sensors.polled, _FOUND_S)
            self.bed.run_for(_SETTLE_S)
            began, before = self.bed.world.now, counts()
            self.bed.run_for(seconds)
            took = self.bed.world.now - began
            return tuple((now - then) / took for now, then in zip(counts(), before))


def pause_s(number):
    """Returns a pause that leads, of 100 ms, to all phases alike: multiples of the golden ratio never repeat. An echo
    and an even pause can be in step with the polls."""
    return 0.0371 + 0.1 * (number * 0.6180339887498949 % 1)


class EchoBeside(Echo):
    """Echoes as those of Echo, beside sensors."""

    def __init__(self, costs):
        super().__init__(costs, pause_s=pause_s)
        self.sensors = Sensors(self.bed)

    async def _client(self, app):
        await asyncio.gather(self.sensors.client(app), self._when_polled(app))

    async def _when_polled(self, app):
        while not self.sensors.polled:
            await asyncio.sleep(0.1)
        await super()._client(app)

    async def _serve(self, conn):
        await asyncio.gather(self.sensors.serve(conn), super()._serve(conn))


def utilisation(direction, cost):
    """Returns the figures of lines in this direction. Raises: RuntimeError: the samples have not come."""
    name, costs = f"{direction} {_SIZE} stream {cost}", COSTS[cost]
    count, clocked_alone, _ = Traffic(direction, _SIZE, False, costs).measure(_SECONDS)
    lines, messages, samples, clocked = TrafficBeside(direction, costs).measure()
    if abs(samples - RATE) > RATE / 100:
        raise RuntimeError(f"{name}: {samples:.1f} samples a second have come, not {RATE}")
    return (
        Figure("beside", f"{name}, {RATE} samples/s beside it", lines / WIRE_BYTES_S, "of the wire"),
        Figure("beside", f"{name}, lines and samples, of lines alone", (lines + messages) / (count * _SIZE), "times"),
        Figure("beside", f"{name}, bytes clocked, of lines alone", clocked / clocked_alone, "times"),
    )


def echo(cost):
    """Returns the figures of echoes."""
    alone, beside = (one.measure() for one in (Echo(COSTS[cost], pause_s=pause_s), EchoBeside(COSTS[cost])))
    for part, at in (("median", len(alone) // 2), ("p99", len(alone) * 99 // 100)):
        name = f"echo {cost} {part}, {RATE} samples/s beside it, of it alone"
        yield Figure("beside", name, beside[at] / alone[at], "times")


def measure():
    """Returns all figures."""
    streams = [figure for cost in COSTS for direction in DIRECTIONS for figure in utilisation(direction, cost)]
    return streams + [figure for cost in COSTS for figure in echo(cost)]
