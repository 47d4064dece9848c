"""RAM that sensor types and a sensor bus take on a board: `python3 -m build.bench sensors`.

The table of 16 types is that of build/sensor_types.py. It is measured as a module that is installed (.mpy, whose bytes
the import copies into the heap) and in ROMFS, where they stay in the flash; with it, and without, what reads it.
"""

import tempfile
from pathlib import Path

from build.bench import boards
from build.bench.figures import Figure
from build.bench.ram import MOUNT
from build.install import sensor_types
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


# What a bus without multiplexers and power needs beside what reads the table.
_OF_BUS = (
    *(f"primitives/{name}.py" for name in ("broadcast", "platform", "timed_flag", "timeout", "waiting")),
    *(
        f"sensor_bus/{name}.py"
        for name in (
            "access", "bars", "bus", "clock", "config", "device", "errors", "identify", "port", "requests", "ring",
            "scan", "scanner", "status", "steps", "subscriptions", "ticks",
        )
    ),
)  # fmt: skip
_FOUR = ("AHT20", "SHT40", "MCP9808", "TMP117")

# A bus with eight devices online, after two seconds of polls: modules and table, and objects.
_BUS = """
import gc, asyncio
import primitives.platform, primitives.broadcast, primitives.timeout, primitives.waiting
from protocol import const
PLACES = {0x38: "AHT20", 0x44: "SHT40", 0x18: "MCP9808", 0x19: "MCP9808", 0x1a: "MCP9808", 0x48: "TMP117",
          0x49: "TMP117", 0x4a: "TMP117"}
class I2C:
    def writeto(self, address, data, stop=True):
        if address not in PLACES:
            raise OSError(19)
        return len(data)
    def readfrom_into(self, address, buf):
        pass
gc.collect(); before = gc.mem_alloc()
from sensor_bus.bus import SensorBus
from sensor_bus.port import MachineI2C
from sensor_bus.records import Records
import sensor_types
gc.collect(); modules = gc.mem_alloc()
async def main():
    bus = SensorBus(MachineI2C(I2C()), Records(sensor_types.TYPES), {"identEnable": False})
    samples = bus.samples()
    task = asyncio.create_task(bus.run())
    await asyncio.sleep(1)
    for address, name in PLACES.items():
        bus.at(address).set_up(bus.records.number(name), bus.records, bus.now())
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
    text = sensor_types.source(_FOUR, [sensor_types.OWN])
    with tempfile.TemporaryDirectory(prefix="pb_link-mpy-") as folder:
        sensor_types.install(folder, text, _OF_BUS)
        yield _bus(small, folder, "installed")
    with tempfile.TemporaryDirectory(prefix="pb_link-rom-") as folder:
        Path(folder, "image").write_bytes(sensor_types.image(text, _OF_BUS))
        yield _bus(small, folder, "ROMFS", MOUNT)


def _bus(interpreter, folder, kind, before=""):
    printed, _ = boards.run([str(interpreter), "-X", "heapsize=200k", "-c", before + _BUS], cwd=folder, env={})
    modules, objects, devices = map(int, printed.split())
    name = f"sensors RAM, bus with {devices} devices of {len(_FOUR)} types, {kind}"
    return Figure("sensors", name, modules + objects, "bytes")


def _figures(interpreter, folder, kind, before=""):
    printed, _ = boards.run([str(interpreter), "-X", "heapsize=200k", "-c", before + _RAM], cwd=folder, env={})
    table, readers, records, count = map(int, printed.split())
    yield Figure("sensors", f"sensors RAM, table of {count} types, {kind}", table, "bytes")
    yield Figure("sensors", f"sensors RAM, what reads the table, {kind}", readers + records, "bytes")
