"""The environment of the emulated bridge: the client, and the socket's other end. Loaded by bridge_program.py."""

import sys

import border

from i2c_devices.mailbox_target import MailboxTarget
from i2c_devices.ports import TargetPort
from protocol import control
from protocol.config_record import encode_config
from protocol.framing import PREFIX
from protocol.mailbox import CONTROL, DATA, FRAME_END, KIND

_MODE = sys.argv[1]
_FRAME_BYTES = int(sys.argv[2])
_FRAMES = int(sys.argv[3])
_WARM_UP = 50  # frames
_BYTE_NS = 22500  # at 400 kHz
_EVERY = 8  # exchanges: garbage is collected to see what is free


class World:
    """The client, and the socket's other end. Methods are called by lx106_c/chip.c."""

    def __init__(self):
        self._config = encode_config(8123, "10.0.0.1", 60000, 0, "net", "password")
        size = _FRAME_BYTES - PREFIX
        self._frame = bytes((size >> 8, size & 0xFF)) + bytes(size)
        self.box = MailboxTarget(TargetPort(Target), 0x1234, lambda: None)
        self.box.open()
        self._configured = False
        self._connection = 0
        self._taken = 0  # of the frame that the socket gives
        self._part = 0  # of the frame that the socket takes
        self.relayed = 0
        self._until = _WARM_UP
        self._measuring = False
        self._exchanges = 0
        self._ns = 0
        self._least = 1 << 30

    # The bus

    def exchange(self, reading, at, buf):
        memory = self.box.device.memory
        if reading:
            buf[:] = memoryview(memory)[at : at + len(buf)]
        else:
            memory[at : at + len(buf)] = buf
        self._ns += (len(buf) + (4 if reading else 3)) * _BYTE_NS
        border.pass_us(self._ns // 1000)
        self._ns %= 1000
        self._exchanges += 1
        if self._act():
            border.edge()
        if _MODE == "heap" and self._connection and self._exchanges % _EVERY == 0:
            self._least = min(self._least, border.free())
        if self.relayed >= self._until:
            self._reached()
        return True

    def _reached(self):
        count = border.count()
        if self._measuring:
            print("frames", self.relayed - self._until + _FRAMES)
            print("instructions", count)
            print("exchanges", self._exchanges)
            print("longest", border.longest())
            print("collections", border.collections())
            if _MODE == "heap":
                print("free", self._least)
                print("collecting", border.collecting())
            border.exit()
        self._measuring = True
        self._until = self.relayed + _FRAMES
        self._exchanges = 0
        border.longest()
        border.collections()

    def _act(self):
        """Returns True if the bridge should look."""
        box = self.box
        box.poll()
        box.beat()
        for kind, _, payload in box.transfers():
            if kind & KIND == CONTROL:
                if payload[0] == control.UP:
                    self._connection = payload[1]
            else:
                self.relayed += 1
        slot = box.slot()
        while slot and (not self._configured or self._connection and _MODE != "down"):
            self._offer(slot)
            slot = box.slot()
        return box.publish()

    def _offer(self, slot):
        buf, at = slot
        data = self._frame if self._configured else self._config
        buf[at : at + len(data)] = data
        if self._configured:
            self.box.offer(DATA | FRAME_END, self._connection, len(data))
        else:
            self.box.offer(CONTROL, 0, len(data))
        self._configured = True

    def pulse(self, level):
        pass

    def feed(self):
        pass

    # The socket

    def polled(self, flags):
        return flags & (4 if _MODE == "up" else 5)

    def received(self, buf):
        count = min(len(buf), _FRAME_BYTES - self._taken)
        buf[:count] = memoryview(self._frame)[self._taken : self._taken + count]
        self._taken = (self._taken + count) % _FRAME_BYTES
        return count

    def sent(self, buf):
        if len(buf) == _FRAME_BYTES:
            self.relayed += 1
        return len(buf)


class Target:
    """machine.I2CTarget without events: the client is told by the bridge's memory."""

    def __init__(self, mem, mem_addrsize):
        pass

    def irq(self, handler):
        return self


border.environment(World())
