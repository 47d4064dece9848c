"""A program for the emulated Cortex-M4: what the parts of a running client cost, in instructions.

Prints: a block of SHA-256, a soft interrupt, a task switch, a step with nothing to do. No bridge answers.
"""

import asyncio
import gc
import hashlib

import border

from build.bench.meter import Pin
from i2c_devices.ports import TargetPort
from pb_link.app_base import AppBase
from primitives.platform import sleep_ms

BLOCK = 64  # bytes, of SHA-256
BLOCKS = 10
INTERRUPTS = SWITCHES = 100
CONFIG = [8123, "server", 60000, 0, "net", "password", bytes(range(32))]


class Target:
    """machine.I2CTarget."""

    used = None  # the handler of its interrupt

    def __init__(self, mem, mem_addrsize):
        pass

    def irq(self, handler):
        Target.used = handler
        return self

    def deinit(self):
        pass


class App(AppBase):
    def start(self):
        pass


def block():
    """Of a long text: the difference of one block and many."""
    data = memoryview(bytes(BLOCK * (BLOCKS + 1)))
    digest, one = hashlib.sha256(), data[:BLOCK]
    border.count()
    digest.update(data)
    many = border.count()
    digest.update(one)
    return (many - border.count()) // BLOCKS


def interrupts():
    """Of the target, from the scheduler to the return of the handler, which wakes the link's loop."""
    handler = Target.used
    border.count()
    for _ in range(INTERRUPTS):
        border.interrupt(handler, None)
    return border.count() // INTERRUPTS


async def switches():
    """From a task to itself, through asyncio's queue."""
    border.count()
    for _ in range(SWITCHES):
        await sleep_ms(0)
    return border.count() // SWITCHES


async def step(app):
    """Of the link's loop, when it is woken for nothing."""
    border.steps()
    app._link.flag.set()
    await sleep_ms(1)
    total, longest = border.steps()
    assert 0 < total == longest, "there was not one step"
    return longest


async def main():
    app = App("id", CONFIG, [TargetPort(Target), Pin(), Pin(), None])
    asyncio.create_task(border.held(app.await_msg()))
    await sleep_ms(300)
    gc.collect()
    found = [block(), interrupts()]
    await sleep_ms(1)
    found.append(await switches())
    found.append(await step(app))
    print(*found)


asyncio.run(main())
