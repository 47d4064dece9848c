"""RAM that sensor types and a sensor bus take on a board: `python3 -m build.bench sensors`.

Both are measured as they are installed (build/install/sensor_package.py): as .mpy files, which an import copies into
the heap, and in ROMFS, where they stay in the flash.
"""

import tempfile
from pathlib import Path

from build.bench import boards
from build.bench.figures import Figure
from build.bench.ram import MOUNT
from build.install import sensor_package
from build.tools import micropython

# Heap in use after a collection: with the bus's module, with the table, with Records.
_TABLE = """
import gc, asyncio
from sensor_bus.bus import Records
gc.collect(); before = gc.mem_alloc()
import sensor_types
gc.collect(); table = gc.mem_alloc()
records = Records(sensor_types.TYPES)
gc.collect()
print(table - before, gc.mem_alloc() - table, len(records))
"""

_FOUR = ("AHT20", "SHT40", "MCP9808", "TMP117")

# A bus that has found and identified eight devices, and polled them for two seconds: modules and table, and objects.
_BUS = """
import gc, asyncio
DEVICES = (0x18, 0x19, 0x1a, 0x38, 0x44, 0x48, 0x49, 0x4a)
class I2C:
    def writeto(self, address, data, stop=True):
        if address not in DEVICES:
            raise OSError(19)
        self.register = data[0] if data else None
        return len(data)
    def readfrom_into(self, address, buf):
        buf[:] = {6: b"\\x00\\x54", 7: b"\\x04\\x00", 15: b"\\x01\\x17"}.get(self.register, bytes(len(buf)))
gc.collect(); before = gc.mem_alloc()
from sensor_bus.bus import MachineI2C, Records, SensorBus
import sensor_types
gc.collect(); modules = gc.mem_alloc()
async def main():
    bus = SensorBus(MachineI2C(I2C()), Records(sensor_types.TYPES))
    samples = bus.samples()
    task = asyncio.create_task(bus.run())
    while len([address for address, number, _ in bus.devices() if number is not None]) < len(DEVICES):
        await asyncio.sleep_ms(100)
    await asyncio.sleep(2)
    gc.collect()
    print(modules - before, gc.mem_alloc() - modules, len(bus.devices()))
asyncio.run(main())
"""


def measure():
    small = micropython.find(32)
    figures = []
    for kind, before, fill in (("installed", "", sensor_package.tree), ("ROMFS", MOUNT, _image)):
        for types, program, names in ((None, before + _TABLE, _table_figures), (_FOUR, before + _BUS, _bus_figures)):
            with tempfile.TemporaryDirectory(prefix="pb_link-mpy-") as folder:
                fill(Path(folder), types)
                command = [str(small), "-X", "heapsize=200k", "-c", program]
                printed, _ = boards.run(command, cwd=folder, env={})
                figures += names(kind, *map(int, printed.split()))
    return figures


def _image(folder, types):
    (folder / "image").write_bytes(sensor_package.image(types))


def _table_figures(kind, table, records, count):
    yield Figure("sensors", f"sensors RAM, table of {count} types, {kind}", table, "bytes")
    yield Figure("sensors", f"sensors RAM, its Records, {kind}", records, "bytes")


def _bus_figures(kind, modules, objects, devices):
    name = f"sensors RAM, bus with {devices} devices of {len(_FOUR)} types, {kind}"
    yield Figure("sensors", name, modules + objects, "bytes")
    yield Figure("sensors", f"sensors RAM, of these modules and table, {kind}", modules, "bytes")
