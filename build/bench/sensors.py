"""RAM that the records of sensor types take on a board: `python3 -m build.bench sensors`.

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


def measure():
    small = micropython.find(32)
    text = sensor_types.source(None, [sensor_types.OWN])
    with tempfile.TemporaryDirectory(prefix="pb_link-mpy-") as folder:
        sensor_types.install(folder, text)
        figures = list(_figures(small, folder, "installed"))
    with tempfile.TemporaryDirectory(prefix="pb_link-rom-") as folder:
        Path(folder, "image").write_bytes(sensor_types.image(text))
        figures += _figures(small, folder, "ROMFS", MOUNT)
    return figures


def _figures(interpreter, folder, kind, before=""):
    printed, _ = boards.run([str(interpreter), "-X", "heapsize=200k", "-c", before + _RAM], cwd=folder, env={})
    table, readers, records, count = map(int, printed.split())
    yield Figure("sensors", f"sensors RAM, table of {count} types, {kind}", table, "bytes")
    yield Figure("sensors", f"sensors RAM, what reads the table, {kind}", readers + records, "bytes")
