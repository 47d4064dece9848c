"""A program for MicroPython: a client's AppBase exchanges lines with a bridge and a server in its own memory.

    measuring -X heapsize=200k -c "import build.bench.client_program" up|down LINES [SIZE]

Prints LINES exchanged, of SIZE bytes with their newline (180), and the bytes that the client allocated meanwhile. On an
emulated processor that counts (build/chip/cortex_m4_c/border.c) also the client's instructions, the frames with lines,
and the instructions of the client's loop: of all its steps, and of the longest.

Unlike on the board, bridge and server live in the same process. Their work is not counted (meter.py). They act whenever
the client pulses syn, and every 250 ms. They then do as much as they can: the client gets its interrupts after that.
"""

import asyncio
import sys

import border
from border import outside

from build.bench.meter import Meter, Pin
from i2c_devices.mailbox_controller import MailboxController
from i2c_devices.ports import TargetPort
from pb_link.app_base import AppBase
from primitives import nonces
from primitives.platform import ticks_diff, ticks_ms
from protocol import control
from protocol.framing import PREFIX
from protocol.handshake import DONE
from protocol.mailbox import ADDRESS, CONTROL, DATA, HEADER
from protocol.responder import Responder
from protocol.sequence import put16
from protocol.session import OPEN, Session

_DIRECTION = sys.argv[1]
_LINES = int(sys.argv[2])
_WARM_UP = 100  # lines
_LINE = "x" * (int(sys.argv[3]) - 1 if len(sys.argv) > 3 else 179)
_KEY = bytes(range(32))
_CONFIG = [8123, "server", 60000, 0, "net", "password", _KEY]
_CONNECTION = 1
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
    outside(world.act_ref)
    while world.exchanges:
        world.exchanges -= 1
        interrupt(bench.used, None)
    interrupt(bench.ack.handler, bench.ack)


class World:
    """The bridge, the server behind it and its application."""

    def __init__(self):
        self.act_ref = self.act
        self.exchanges = 0  # since the client's last interrupt
        self.relayed = 0  # lines from the client
        self.frames = 0  # with lines
        self._box = MailboxController(self, ADDRESS, bytes)
        self._controls = []
        self._replies = []
        self._responder = Responder()
        self._session = Session(ticks_diff, ack_delay_ms=0)

    # machine.I2C

    def readfrom_mem_into(self, address, at, buf, addrsize):
        buf[:] = memoryview(bench.memory)[at : at + len(buf)]
        self._clocked(4 + len(buf))

    def writeto_mem(self, address, at, buf, addrsize):
        bench.memory[at : at + len(buf)] = buf
        self._clocked(3 + len(buf))

    def _clocked(self, count):
        meter.on_wire(count)
        self.exchanges += 1

    def act(self):
        meter.leave()
        box = self._box
        box.poll()
        while box.can_fetch() and box.fetch():
            self._take(box.kind, bytes(box.payload))
            box.release()
        if box.synchronised:
            self._say()
            box.acknowledge()
        if self.relayed >= bench.until:
            bench.done.set()
        meter.enter()

    def _take(self, kind, payload):
        if kind == CONTROL:
            self._controls.append(bytes((control.UP, _CONNECTION)))
            return
        frame = bytearray(payload[PREFIX:])
        if self._responder.state == "start":
            assert self._responder.hello(frame) is None
            self._replies.append(self._responder.challenge(_KEY, bytes(8), bytes(16)))
        elif self._responder.state != DONE:
            assert self._responder.proof(frame) is None
            peer = self._responder
            self._session.attach(peer.channel, peer.peer_epoch, peer.peer_max_frame, ticks_ms())
        else:
            fault = self._session.receive(memoryview(frame), ticks_ms())
            assert fault is None, fault
            lines = self._session.lines
            self.frames += bool(lines)
            while lines:
                self.relayed += 1
                self._session.accept(1, ticks_ms())

    def _say(self):
        box, session = self._box, self._session
        if not box.can_send():
            return
        if self._controls:
            record = self._controls.pop(0)
            box.buffer[HEADER : HEADER + len(record)] = record
            box.send(CONTROL, 0, HEADER, len(record))
        elif self._replies:
            reply = self._replies.pop(0)
            start = HEADER + PREFIX
            put16(box.buffer, HEADER, len(reply))
            box.buffer[start : start + len(reply)] = reply
            box.send(DATA, _CONNECTION, HEADER, PREFIX + len(reply))
        else:
            while _DIRECTION == "down" and session.state == OPEN and session.room_for(len(_LINE)):
                session.append(_LINE.encode(), True)
            end = session.encode_into(box.buffer, HEADER, ticks_ms())
            if end > HEADER:
                self.frames += _DIRECTION == "down"
                box.send(DATA, _CONNECTION, HEADER, end - HEADER)


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
            world.relayed += 1
            if world.relayed == bench.until:
                bench.done.set()


class Bench:
    def __init__(self):
        self.memory = None
        self.used = None  # the handler of the target's interrupt
        self.ack = Pin()
        self.until = _WARM_UP
        self.done = asyncio.Event()

    async def run(self):
        app = App("id", _CONFIG, [TargetPort(Target), Syn(), self.ack, None])
        asyncio.create_task(held(app.await_msg()))
        asyncio.create_task(self._poll())
        await self.done.wait()
        self.done.clear()
        first = world.relayed
        frames = world.frames
        self.until = first + _LINES
        meter.start()
        if counted:
            border.steps()
            border.count()
        await self.done.wait()
        counts = (border.count(), world.frames - frames) + border.steps() if counted else ()
        print(world.relayed - first, meter.allocated, *counts)

    async def _poll(self):
        while True:
            await asyncio.sleep_ms(_POLL_MS)
            look()


def call(function, argument):
    function(argument)


counted = hasattr(border, "count")
interrupt = border.interrupt if counted else call
held = border.held if counted else lambda coroutine: coroutine
nonces.os = NotRandom
nonces.moment = bytes
meter = Meter()
bench = Bench()
world = World()
asyncio.run(bench.run())
