"""`machine.I2CTarget` and `machine.I2C` of `pyboard` and `rp2`: arguments, pins and interrupts of the port.

The rules of the target are i2c_target.py's.
"""

import struct
import sys

import simlink
from i2c_target import IRQ_HARD_ONLY, READ, RP2_DEPTH, STM32_DEPTH, TargetModel
from machine import Pin
from simi2c import SoftI2C
from simlink import call

_STM32 = sys.platform == "pyboard"

# id -> scl, sda. Pyboard v1.1: X and Y have names and numbers. RP2: the Pico's defaults.
_PINS = {1: ("X9", "X10"), 2: ("Y9", "Y10")} if _STM32 else {0: ("GP5", "GP4"), 1: ("GP7", "GP6")}
_NAMES = {"X": 1, "Y": 2} if _STM32 else {}

_targets = {}


def _bus(kind, id, scl, sda):
    number = _NAMES.get(id, id)
    if number not in _PINS:
        raise ValueError("%s(%s) doesn't exist" % (kind, id))
    if _STM32 and (scl is not None or sda is not None):
        raise TypeError("extra keyword arguments given")
    pins = [Pin(default if given is None else given) for given, default in zip((scl, sda), _PINS[number])]
    if not _STM32:
        for name, pin, bit in (("SCL", pins[0], 1), ("SDA", pins[1], 0)):
            gpio = int(pin._name[2:])
            if gpio & 1 != bit or gpio >> 1 & 1 != number:
                raise ValueError("bad %s pin" % name)
    return number, pins


class I2C(SoftI2C):
    """The hardware controller: SoftI2C without the primitives."""

    def __init__(self, id, *, scl=None, sda=None, freq=400000, timeout=50000):
        self._id, pins = _bus("I2C", id, scl, sda)
        super().__init__(pins[0], pins[1], freq=freq, timeout=timeout)

    def start(self):
        raise OSError("I2C operation not supported")

    stop = start

    def write(self, data):
        self.start()

    def readinto(self, buf, nack=True):
        self.start()


class _TargetIRQ:
    def __init__(self):
        self.handler = None
        self.hard = False
        self._flags = 0
        self._trigger = 0

    def flags(self):
        return self._flags

    def trigger(self, *new):
        old = self._trigger
        if new:
            self._flags = 0
            self._trigger = new[0]
        return old


class I2CTarget:
    IRQ_ADDR_MATCH_READ = 1
    IRQ_ADDR_MATCH_WRITE = 2
    IRQ_READ_REQ = 4
    IRQ_WRITE_REQ = 8
    IRQ_END_READ = 16
    IRQ_END_WRITE = 32

    def __init__(self, id, addr, *, addrsize=7, mem=None, mem_addrsize=8, scl=None, sda=None):
        self._id, pins = _bus("I2CTarget", id, scl, sda)
        self._address = addr
        self._irq = None
        self._model = TargetModel(self._fire, STM32_DEPTH if _STM32 else RP2_DEPTH, mem, mem_addrsize)
        _targets[self._id] = self
        call(10, self._id, data=struct.pack("<HBB", addr, pins[0]._handle, pins[1]._handle))

    def __repr__(self):
        return "I2CTarget(%d, addr=%d)" % (self._id, self._address)

    @property
    def memaddr(self):
        return self._model.memaddr

    def deinit(self):
        if _targets.get(self._id) is self:
            del _targets[self._id]
            self._irq = None
            call(11, self._id)

    def readinto(self, buf):
        return self._model.readinto(buf)

    def write(self, data):
        return self._model.write(data.encode() if isinstance(data, str) else data)

    def irq(self, *args, **kwargs):
        if self._irq is None:
            self._irq = _TargetIRQ()
        if args or kwargs:
            self._set_irq(*args, **kwargs)
        return self._irq

    def _set_irq(self, handler=None, trigger=IRQ_END_READ | IRQ_END_WRITE, hard=False):
        if trigger & IRQ_HARD_ONLY and not hard:
            raise ValueError("hard IRQ required")
        irq = self._irq
        irq.handler = handler
        irq.hard = hard
        irq._flags = 0
        irq._trigger = trigger
        self._model.per_byte = bool(trigger & IRQ_HARD_ONLY)

    def _fire(self, event):
        irq = self._irq
        if irq is None or not irq._trigger & event or irq.handler is None:
            return False
        irq._flags = event
        if not irq.hard:
            simlink.schedule(irq.handler, self)
            return True
        # A sleep in the handler holds the clock; a handler may run inside another one's request.
        outer, simlink.held_us = simlink.held_us, 0
        if not simlink.run_hard(irq.handler, self):
            irq.handler = None
        self._model.stretch_us += simlink.held_us
        simlink.held_us = outer
        return True


def _piece(id, flags, count, size):
    """One piece of a transfer: payload is the stretch limit (4 bytes) and the bytes that the controller writes."""
    payload = bytearray(size)
    simlink.file.readinto(payload)
    limit_us = struct.unpack_from("<I", payload)[0]
    target = _targets.get(id)
    if target is None:
        simlink.send(12, id, 0, 0, 0, 4)
        simlink.file.write(bytes(4))
        return
    model = target._model
    buf = bytearray(count) if flags & READ else memoryview(payload)[4:]
    good = model.transact(flags, limit_us, memoryview(buf))
    moved = model.moved
    held = struct.pack("<I", model.held_us)
    if flags & READ and moved:
        simlink.send(12, id, 1 if good else 0, 0, moved, 4 + moved)
        simlink.file.write(held)
        simlink.file.write(memoryview(buf)[:moved])
    else:
        simlink.send(12, id, 1 if good else 0, 0, moved, 4)
        simlink.file.write(held)


simlink.on[simlink.PIECE] = _piece
