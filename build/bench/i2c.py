"""An SMBus call of a program at the server on a client's bus, on the virtual bed: `python3 -m build.bench i2c`.

And the RAM of the client's half, in the 32-bit interpreter.
"""

import asyncio
import tempfile
from pathlib import Path

from build.bench import boards, wire
from build.bench.bed import COSTS, Bed
from build.bench.figures import Figure
from build.install import client_package
from build.tools import micropython
from pb_link.i2c_service import I2CService
from remote_i2c.client import ClientBus
from remote_i2c.smbus import read_byte_data
from sim.virtual.sensor_bed import BoardSensors

_CALLS = 200
_BATCH = 30  # calls: as many as a driver makes for a sample
_ADDRESS, _REGISTER, _VALUE = 0x18, 7, 0x04  # an MCP9808, whose device id is 0x0400
_PINS = ("Y9", "Y10", "Y11")


class Calls:
    """read_byte_data, one at a time, or `batch` of them in a request. The bus has 400 kHz, as the link's."""

    def __init__(self, costs, batch=None, count=_CALLS):
        self._count = count
        self._batch = batch
        self.seconds = []
        self.bed = Bed(self._client, self._serve, costs)
        self._sensors = BoardSensors(self.bed.link.client, costs, pins=_PINS, owes=True)
        self._sensors.sensors.add("MCP9808", _ADDRESS)

    async def _client(self, app):
        I2CService(app, {0: self._sensors.i2c()}, addresses={0: (_ADDRESS,)})

    async def _serve(self, conn):
        world, bus = self.bed.world, ClientBus(conn, 0)
        call = read_byte_data(_ADDRESS, _REGISTER)
        await asyncio.sleep(2.0)
        await bus.transfer(call.messages)  # the channel is open, and the service known
        while len(self.seconds) < self._count:
            began = world.now
            if self._batch:
                answers = await bus.batch([call.messages] * self._batch)
            else:
                answers = [await bus.transfer(call.messages)]
            self.seconds.append(world.now - began)
            assert all(call.result(answer) == _VALUE for answer in answers)
            await asyncio.sleep(0.0371)  # at all phases of what is periodic

    def measure(self):
        """Returns the seconds of each, sorted."""
        with self.bed.running():
            self.bed.until(lambda: len(self.seconds) == self._count, 60 + self._count)
        return sorted(self.seconds)


# Heap after a collection: of the modules that an I2CService takes beside those of requests, and of the object.
_RAM = """
import gc, asyncio
import pb_link.app_base, pb_link.channels, pb_link.requests
class App:
    def channel(self, number, start):
        return self
    def on_request(self, handler):
        pass
app = App()
gc.collect(); before = gc.mem_alloc()
from pb_link.i2c_service import I2CService
gc.collect(); module = gc.mem_alloc()
service = I2CService(app, {0: None}, addresses={0: (24, 72)})
gc.collect()
print(module - before, gc.mem_alloc() - module)
"""


def measure():
    """Returns all figures."""
    for cost, costs in COSTS.items():
        echo = wire.Echo(costs).measure()
        one, many = Calls(costs).measure(), Calls(costs, _BATCH).measure()
        middle = len(one) // 2
        yield Figure("i2c", f"read_byte_data over the link {cost} median", one[middle] * 1000, "ms")
        beyond = one[middle] - echo[len(echo) // 2]
        yield Figure("i2c", f"read_byte_data over the link {cost}, beyond the echo", beyond * 1000, "ms")
        yield Figure("i2c", f"{_BATCH} of them in a batch {cost} median", many[len(many) // 2] * 1000, "ms")
    yield from _ram()


def _ram():
    small = micropython.find(32)
    with tempfile.TemporaryDirectory(prefix="pb_link-mpy-") as folder:
        client_package.tree(Path(folder), True)
        printed, _ = boards.run([str(small), "-X", "heapsize=200k", "-c", _RAM], cwd=folder, env={})
    module, service = map(int, printed.split())
    yield Figure("i2c", "client RAM, what an I2CService loads beside requests", module, "bytes")
    yield Figure("i2c", "client RAM, an I2CService", service, "bytes")
