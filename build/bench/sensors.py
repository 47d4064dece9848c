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
# {wires}: with its pins; {stuck}: a device holds sda in a poll before that, and is clocked free.
_BUS = """
import gc, asyncio
DEVICES = (0x18, 0x19, 0x1a, 0x38, 0x44, 0x48, 0x49, 0x4a)
class I2C:
    held = False
    def writeto(self, address, data, stop=True):
        if address not in DEVICES:
            raise OSError(19)
        self.register = data[0] if data else None
        return len(data)
    def readfrom_into(self, address, buf):
        if I2C.held:
            sda.level, I2C.held = 0, False
        if address == 0x44:
            buf[:] = b"\\x00\\x00\\x81\\x00\\x00\\x81"
            return
        buf[:] = {{6: b"\\x00\\x54", 7: b"\\x04\\x00", 15: b"\\x01\\x17"}}.get(self.register, bytes(len(buf)))
class Pin:
    OPEN_DRAIN, level, clocks = 2, 1, 0
    def init(self, mode, value):
        self.level = value
    def value(self, level=None):
        if level is None:
            return self.level
        self.clocks += level
        sda.level = 1
scl, sda = Pin(), Pin()
gc.collect(); before = gc.mem_alloc()
from sensor_bus.bus import MachineI2C, Records, SensorBus
import sensor_types
gc.collect(); modules = gc.mem_alloc()
async def main():
    bus = SensorBus(MachineI2C(I2C(){wires}), Records(sensor_types.TYPES))
    samples = bus.samples()
    task = asyncio.create_task(bus.run())
    while len([address for address, number, _ in bus.devices() if number is not None]) < len(DEVICES):
        await asyncio.sleep_ms(100)
    I2C.held = {stuck}
    while I2C.held or scl.clocks < 9 * {stuck}:
        await asyncio.sleep_ms(100)
    await asyncio.sleep(2)
    gc.collect()
    print(modules - before, gc.mem_alloc() - modules, len(bus.devices()))
asyncio.run(main())
"""
_WIRES = ", scl=scl, sda=sda, make=I2C"
# What is said of it behind its devices, the code for its pins, whether it has been stuck.
_KINDS = (("", "", False), (", with pins", _WIRES, False), (", after a recovery", _WIRES, True))


def measure():
    small = micropython.find(32)
    figures = []
    for kind, before, fill in (("installed", "", sensor_package.tree), ("ROMFS", MOUNT, _image)):
        with tempfile.TemporaryDirectory(prefix="pb_link-mpy-") as folder:
            fill(Path(folder), None)
            figures += _table_figures(kind, *_printed(small, folder, before + _TABLE))
        with tempfile.TemporaryDirectory(prefix="pb_link-mpy-") as folder:
            fill(Path(folder), _FOUR)
            for what, wires, stuck in _KINDS:
                program = before + _BUS.format(wires=wires, stuck=stuck)
                figures += _bus_figures(kind, what, *_printed(small, folder, program))
    return figures


def _printed(interpreter, folder, program):
    printed, _ = boards.run([str(interpreter), "-X", "heapsize=200k", "-c", program], cwd=folder, env={})
    return map(int, printed.split())


def _image(folder, types):
    (folder / "image").write_bytes(sensor_package.image(types))


def _table_figures(kind, table, records, count):
    yield Figure("sensors", f"sensors RAM, table of {count} types, {kind}", table, "bytes")
    yield Figure("sensors", f"sensors RAM, its Records, {kind}", records, "bytes")


def _bus_figures(kind, what, modules, objects, devices):
    name = f"sensors RAM, bus with {devices} devices of {len(_FOUR)} types{what}, {kind}"
    yield Figure("sensors", name, modules + objects, "bytes")
    if not what:
        yield Figure("sensors", f"sensors RAM, of these modules and table, {kind}", modules, "bytes")
