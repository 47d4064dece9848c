"""RAM that sensor types and a sensor bus take on a board: `python3 -m build.bench sensors`.

The table of 16 types is that of build/sensor_types.py. It is measured as a module that is installed (.mpy, whose bytes
the import copies into the heap) and in ROMFS, where they stay in the flash; with it, and without, what reads it.
"""

import tempfile
from pathlib import Path

from build.bench import boards
from build.bench.figures import Figure
from build.bench.ram import MOUNT
from build.install import sensor_package, sensor_types
from build.tools import micropython

# Heap in use after a collection: with the modules that read it, with the table, with Records.
_RAM = """
import gc
from protocol import const
gc.collect(); before = gc.mem_alloc()
import sensor_bus.records
gc.collect(); read = gc.mem_alloc()
import sensor_types
gc.collect(); table = gc.mem_alloc()
records = sensor_bus.records.Records(sensor_types.TYPES)
gc.collect()
print(table - read, read - before, gc.mem_alloc() - table, len(records))
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
    text = sensor_types.source(None, [sensor_types.OWN])
    with tempfile.TemporaryDirectory(prefix="pb_link-mpy-") as folder:
        sensor_types.install(folder, text)
        figures = list(_figures(small, folder, "installed"))
    with tempfile.TemporaryDirectory(prefix="pb_link-rom-") as folder:
        Path(folder, "image").write_bytes(sensor_types.image(text))
        figures += _figures(small, folder, "ROMFS", MOUNT)
    return figures + list(_of_bus(small))


def _of_bus(small):
    with tempfile.TemporaryDirectory(prefix="pb_link-mpy-") as folder:
        sensor_package.tree(Path(folder), _FOUR)
        yield from _bus(small, folder, "installed")
    with tempfile.TemporaryDirectory(prefix="pb_link-rom-") as folder:
        Path(folder, "image").write_bytes(sensor_package.image(_FOUR))
        yield from _bus(small, folder, "ROMFS", MOUNT)


def _bus(interpreter, folder, kind, before=""):
    printed, _ = boards.run([str(interpreter), "-X", "heapsize=200k", "-c", before + _BUS], cwd=folder, env={})
    modules, objects, devices = map(int, printed.split())
    name = f"sensors RAM, bus with {devices} devices of {len(_FOUR)} types, {kind}"
    yield Figure("sensors", name, modules + objects, "bytes")
    yield Figure("sensors", f"sensors RAM, modules and table of that, {kind}", modules, "bytes")


def _figures(interpreter, folder, kind, before=""):
    printed, _ = boards.run([str(interpreter), "-X", "heapsize=200k", "-c", before + _RAM], cwd=folder, env={})
    table, readers, records, count = map(int, printed.split())
    yield Figure("sensors", f"sensors RAM, table of {count} types, {kind}", table, "bytes")
    yield Figure("sensors", f"sensors RAM, what reads the table, {kind}", readers + records, "bytes")
