"""A program for MicroPython: a client's AppBase exchanges lines with a bridge and a server in its own memory.

    measuring -X heapsize=200k -c "import build.bench.client_program" up|down LINES [SIZE]

Prints LINES exchanged, of SIZE bytes with their newline (180), and the bytes that the client allocated meanwhile. On an
emulated processor that counts (build/chip/cortex_m4_c/border.c) also the client's instructions, the frames with lines,
the instructions of the client's loop: of all its steps, and of the longest; the collections of garbage, which are in
none of these, their instructions, and those of the longest.

Unlike on the board, bridge and server live in the same process (client_world.py). Their work is not counted (meter.py).
They act whenever the client pulses syn, and every 250 ms. They then do as much as they can: the client gets its
interrupts after that.
"""

import asyncio
import sys

import border
from border import outside

from build.bench.meter import BoardMeter, Meter, Pin
from i2c_devices.ports import TargetPort
from pb_link.app_base import AppBase
from primitives import nonces

_DIRECTION = sys.argv[1]
_LINES = int(sys.argv[2])
_WARM_UP = 100  # lines
_LINE = "x" * (int(sys.argv[3]) - 1 if len(sys.argv) > 3 else 179)
_KEY = bytes(range(32))
_CONFIG = [8123, "server", 60000, 0, "net", "password", _KEY]
_POLL_MS = 250


class NotRandom:
    """A replacement for the module os without randomness: runs must be the same."""

    @staticmethod
    def urandom(count):
        return bytes(range(1, count + 1))


class Target:
    """machine.I2CTarget."""

    handler = None

    def __init__(self, mem, mem_addrsize):
        bench.memory = mem

    def irq(self, handler):
        bench.used = handler
        return self

    def deinit(self):
        pass


class Syn(Pin):
    """The client's output pin syn."""

    def __call__(self, level):
        if level == 0:
            look()


def look():
    """Lets bridge and server act. Then the client gets its interrupts."""
    outside(bench.act)
    while bench.exchanges:
        bench.exchanges -= 1
        interrupt(bench.used, None)
    interrupt(bench.ack.handler, bench.ack)


class App(AppBase):
    def start(self):
        asyncio.create_task(self._write() if _DIRECTION == "up" else self._read())

    async def server_ok(self, up):
        pass

    async def _write(self):
        while True:
            await self.write(_LINE, wait=False)

    async def _read(self):
        while True:
            await self.readline()
            bench.relayed += 1
            if bench.relayed == bench.until:
                bench.done.set()


class Bench:
    def __init__(self):
        self.memory = None
        self.used = None  # the handler of the target's interrupt
        self.ack = Pin()
        self.act = None  # lets bridge and server act
        self.exchanges = 0  # since the client's last interrupt
        self.relayed = 0  # lines
        self.frames = 0  # with lines
        self.until = _WARM_UP
        self.done = asyncio.Event()
        self.meter = meter

    async def run(self):
        app = App("id", _CONFIG, [TargetPort(Target), Syn(), self.ack, None])
        asyncio.create_task(held(app.await_msg()))
        asyncio.create_task(self._poll())
        await self.done.wait()
        self.done.clear()
        first, frames = self.relayed, self.frames
        self.until = first + _LINES
        meter.start()
        if counted:
            border.steps()
            border.collections()
            border.count()
        await self.done.wait()
        counts = (border.count(), self.frames - frames) + border.steps() + border.collections() if counted else ()
        print(self.relayed - first, meter.allocated, *counts)

    async def _poll(self):
        while True:
            await asyncio.sleep_ms(_POLL_MS)
            look()


def call(function, argument):
    function(argument)


def load_world():
    from build.bench.client_world import World

    bench.act = World(bench, _DIRECTION, _LINE, _KEY).act


counted = hasattr(border, "count")
interrupt = border.interrupt if counted else call
held = border.held if counted else lambda coroutine: coroutine
nonces.os = NotRandom
nonces.moment = bytes
meter = BoardMeter() if counted else Meter()
bench = Bench()
outside(load_world)
asyncio.run(bench.run())
