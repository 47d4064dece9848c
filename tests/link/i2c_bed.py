"""The link in virtual time: virtual sensors on the client's second bus, and a program at the server that uses it."""


from build.bench.bed import Bed
from pb_link.i2c_service import I2CService
from remote_i2c.client import ClientBus
from sensor_bus.bus import SensorBus
from sensor_bus.port import MachineI2C
from sensor_bus.records import standard_records
from sim.virtual.costs import ZERO
from sim.virtual.sensor_bed import BoardSensors

PINS = ("Y9", "Y10", "Y11")
MCP9808, TMP117 = 0x18, 0x48


class I2CBed(Bed):
    """`use(bed, bus)` is the server's program; bus: ClientBus. What it returns is `result`, what it raises is raised.

    Args: shared: the client has a SensorBus on the bus; allowed: addresses; serves: the client has an I2CService."""

    def __init__(self, use, *, shared=False, allowed=(MCP9808, TMP117), serves=True, costs=ZERO, owes=True):
        super().__init__(self._client_program, self._use, costs)
        self._program = use
        self._shared = shared
        self._allowed = allowed
        self._serves = serves
        self.sensors = BoardSensors(self.link.client, costs, pins=PINS, owes=owes)
        self.sensor_bus = None
        self.samples = []
        self.result = self.error = None
        self.done = False
        self._app = None

    async def _client_program(self, app):
        if not self._serves:
            return
        i2c = self.sensors.i2c()
        if not self._shared:
            I2CService(app, {0: i2c}, addresses={0: self._allowed})
            return
        self.sensor_bus = bus = SensorBus(MachineI2C(i2c), standard_records())
        I2CService(app, {0: bus}, addresses={0: self._allowed})
        app.create_task(bus.run())
        async for sample in bus.samples():
            self.samples.append(sample)

    async def _use(self, conn):
        try:
            self.result = await self._program(self, ClientBus(conn, 0))
        except Exception as error:
            self.error = error
        self.done = True

    def play(self, limit_s=120):
        """Run it. Returns what the server's program returned."""
        with self.running(2.0):
            self.until(lambda: self.done, limit_s, 0.02)
        if self.error is not None:
            raise self.error
        return self.result

    def now(self):
        return self.world.now


