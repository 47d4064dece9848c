"""A program for MicroPython: the bridge relays frames between a client in its own memory and a socket that never waits.

    micropython -X heapsize=400k build/bench_relay.py ROOT up|down FRAMES

Prints FRAMES relayed, the bytes that the bridge allocated meanwhile, and the most bytes that it clocked between two
awaits. Unlike on the board the client lives in the same process; what it and the socket allocate is not counted.
"""

import sys

sys.path.insert(0, sys.argv[1])

import asyncio  # noqa: E402
import gc  # noqa: E402
import io  # noqa: E402

from esp_link.bridge import Bridge  # noqa: E402
from i2c_devices.mailbox_target import MailboxTarget  # noqa: E402
from i2c_devices.ports import TargetPort  # noqa: E402
from protocol import control  # noqa: E402
from protocol.control_client import encode_config  # noqa: E402
from protocol.framing import MAX_FRAME, PREFIX  # noqa: E402
from protocol.mailbox import CONTROL, DATA, FRAME_END, KIND  # noqa: E402

_DIRECTION = sys.argv[2]
_FRAMES = int(sys.argv[3])
_WARM_UP = 50  # frames
_COLLECT_BELOW = 100000  # bytes free
_CONFIG = encode_config(8123, "server", 60000, 0, "net", "password")
_FRAME = bytes((MAX_FRAME - PREFIX >> 8, MAX_FRAME - PREFIX & 0xFF)) + bytes(MAX_FRAME - PREFIX)


class Meter:
    """Bytes allocated while it runs; garbage is collected while it does not."""

    def __init__(self):
        self.total = 0
        self._base = gc.mem_alloc()

    def pause(self):
        self.total += gc.mem_alloc() - self._base

    def go_on(self):
        if gc.mem_free() < _COLLECT_BELOW:
            gc.collect()
        self._base = gc.mem_alloc()


class Pin:
    IRQ_FALLING = 2
    handler = None

    def irq(self, handler, trigger):
        self.handler = handler

    def __call__(self, level):
        pass


class Socket(io.IOBase):
    """Takes all, and has another frame whenever it is asked."""

    def ioctl(self, request, argument):
        if request != 3:  # MP_STREAM_POLL
            return -1
        return argument & (5 if _DIRECTION == "down" else 4)

    def readinto(self, buf):
        buf[:MAX_FRAME] = _FRAME
        return MAX_FRAME

    def write(self, buf):
        bench.relayed += len(buf) == MAX_FRAME
        return len(buf)

    def close(self):
        pass


class Target:
    """machine.I2CTarget without events: the client is told by the bridge's memory, below."""

    def __init__(self, mem, mem_addrsize):
        pass

    def irq(self, handler):
        return self


class Client:
    """Keeps the mailbox full of frames, and takes what comes."""

    def __init__(self):
        self.box = MailboxTarget(TargetPort(Target), 0x1234, lambda: None)
        self.box.open()
        self._configured = False
        self._connection = 0

    def act(self):
        """Returns True if the bridge should look."""
        box = self.box
        box.poll()
        box.beat()
        for kind, _, payload in box.transfers():
            if kind & KIND == CONTROL:
                self._connection = payload[1] if payload[0] == control.UP else 0
            else:
                bench.relayed += 1
        slot = box.slot()
        while slot and (not self._configured or self._connection and _DIRECTION == "up"):
            self._offer(slot)
            slot = box.slot()
        return box.publish()

    def _offer(self, slot):
        buf, at = slot
        data = _FRAME if self._configured else _CONFIG
        buf[at : at + len(data)] = data
        self.box.offer(*((DATA | FRAME_END, self._connection) if self._configured else (CONTROL, 0)), len(data))
        self._configured = True


class I2C:
    """machine.I2C, with the client's mailbox on the bus."""

    def readfrom_mem_into(self, address, at, buf, addrsize):
        meter.pause()
        buf[:] = memoryview(bench.client.box.device.memory)[at : at + len(buf)]
        self._used(4 + len(buf))

    def writeto_mem(self, address, at, buf, addrsize):
        meter.pause()
        bench.client.box.device.memory[at : at + len(buf)] = buf
        self._used(3 + len(buf))

    def _used(self, clocked):
        bench.clocked += clocked
        bench.longest = max(bench.longest, bench.clocked)
        looks = bench.client.act()
        if bench.relayed >= bench.until:
            bench.done.set()
        meter.go_on()
        if looks:
            bench.syn.handler(bench.syn)


class Watched(Bridge):
    def _serve(self):
        bench.clocked = 0  # an await has just been
        return super()._serve()


class Bench:
    def __init__(self):
        self.client = Client()
        self.syn = Pin()
        self.relayed = self.clocked = self.longest = 0
        self.until = _WARM_UP
        self.done = asyncio.Event()

    async def run(self):
        bridge = Watched(I2C(), self.syn, Pin(), join, connect, lambda: 7, lambda: 0, lambda: None)
        asyncio.create_task(bridge.run())
        await self.done.wait()
        self.done.clear()
        self.until = self.relayed + _FRAMES
        meter.go_on()
        meter.total = 0
        await self.done.wait()
        print(self.relayed - self.until + _FRAMES, meter.total, self.longest)


async def join(ssid, password):
    return True


async def connect(host, port):
    return Socket()


gc.disable()
meter = Meter()
bench = Bench()
asyncio.run(bench.run())
