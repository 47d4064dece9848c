"""A program for MicroPython: the bridge relays frames between a client in its own memory and a socket that never waits.

    measuring -X heapsize=200k -c "import build.bench.relay_program" up|down FRAMES

Prints FRAMES relayed, the bytes that the bridge allocated meanwhile, and the most bytes that it clocked between two
awaits. Unlike on the board, the client lives in the same process. Its work is not counted (meter.py). The socket's is:
some hundreds of instructions a frame, as lwIP would take.
"""

import asyncio
import io
import sys

from border import mark, outside

import build.bench.lwip  # noqa: F401  (before esp_link)
from build.bench.meter import Meter, Pin
from esp_link.bridge import Bridge
from i2c_devices.mailbox_target import MailboxTarget
from i2c_devices.ports import TargetPort
from protocol import control
from protocol.config_record import encode_config
from protocol.framing import MAX_FRAME, PREFIX
from protocol.mailbox import CONTROL, DATA, FRAME_END, KIND

_DIRECTION = sys.argv[1]
_FRAMES = int(sys.argv[2])
_WARM_UP = 50  # frames
_CONFIG = encode_config(8123, "server", 60000, 0, "net", "password")
_FRAME = bytes((MAX_FRAME - PREFIX >> 8, MAX_FRAME - PREFIX & 0xFF)) + bytes(MAX_FRAME - PREFIX)


class Socket(io.IOBase):
    """A socket that takes all data, and has another frame whenever it is asked."""

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

    def send(self, buf):
        return len(buf)

    def setsockopt(self, level, option, value):
        pass

    def close(self):
        pass


class Target:
    """machine.I2CTarget without events: the client is told by the bridge's memory, below."""

    def __init__(self, mem, mem_addrsize):
        pass

    def irq(self, handler):
        return self


class Client:
    """The client: keeps the mailbox full of frames, and takes what arrives."""

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

    def __init__(self):
        self._read_ref = self._read
        self._write_ref = self._write
        self._at = 0
        self._buf = None
        self._looks = False

    def readfrom_mem_into(self, address, at, buf, addrsize):
        self._at = at
        self._buf = buf
        outside(self._read_ref)
        if self._looks:
            bench.syn.handler(bench.syn)

    def writeto_mem(self, address, at, buf, addrsize):
        self._at = at
        self._buf = buf
        outside(self._write_ref)
        if self._looks:
            bench.syn.handler(bench.syn)

    def _read(self):
        meter.leave()
        self._buf[:] = memoryview(bench.client.box.device.memory)[self._at : self._at + len(self._buf)]
        self._used(4)

    def _write(self):
        meter.leave()
        bench.client.box.device.memory[self._at : self._at + len(self._buf)] = self._buf
        self._used(3)

    def _used(self, addresses):
        meter.on_wire(addresses + len(self._buf))
        self._looks = bench.client.act()
        if bench.relayed >= bench.until:
            bench.done.set()
        meter.enter()


class Watched(Bridge):
    def _serve(self):
        meter.awaited()
        mark()
        again = super()._serve()
        mark()
        return again


class Bench:
    def __init__(self):
        self.client = Client()
        self.syn = Pin()
        self.relayed = 0
        self.until = _WARM_UP
        self.done = asyncio.Event()

    async def run(self):
        bridge = Watched(I2C(), self.syn, Pin(), join, connect, bytes, lambda: 0, lambda: None)
        asyncio.create_task(bridge.run())
        await self.done.wait()
        self.done.clear()
        self.until = self.relayed + _FRAMES
        meter.start()
        await self.done.wait()
        print(self.relayed - self.until + _FRAMES, meter.allocated, meter.longest)


async def join(ssid, password, leave):
    return True


async def connect(host, port):
    return Socket()


meter = Meter()
bench = Bench()
asyncio.run(bench.run())
