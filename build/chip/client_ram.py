"""A program for the emulated Cortex-M4: the heap that a client takes, and what a collection of it costs.

Prints bytes: of the import, of an AppBase that runs, free then for the application; and instructions of a collection.
It is short, because it lies in the heap too. No bridge answers.
"""

import asyncio
import gc

import border

gc.collect()
before = gc.mem_free()
from pb_link.app_base import AppBase  # noqa: E402

gc.collect()
imported = gc.mem_free()
from i2c_devices.ports import TargetPort  # noqa: E402


class Pin:
    IN, OUT, PULL_UP, IRQ_FALLING = 0, 1, 1, 2

    def init(self, *_, **__):
        pass

    def irq(self, *_):
        return self

    deinit = __call__ = irq


class App(AppBase):
    def start(self):
        pass


async def main():
    gc.collect()
    constructing = gc.mem_free()
    config = [8123, "server", 1500, 0, "net", "password", bytes(range(32))]
    app = App("id", config, [TargetPort(lambda **_: Pin()), Pin(), Pin(), (Pin(), 0, 200)])
    asyncio.create_task(app.await_msg())
    await asyncio.sleep_ms(300)
    gc.collect()
    free = gc.mem_free()
    border.collections()
    gc.collect()
    print(before - imported, constructing - free, free, border.collections()[2])


asyncio.run(main())
