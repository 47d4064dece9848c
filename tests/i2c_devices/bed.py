"""What the behaviour tests of i2c_devices stand on: a target's port, a controller, and events that may fail.

`ModelBed` is a bus in this process, with the rules of the simulator's target (sim/wires/on_board/i2c_target.py). Not
realistic: a transfer takes no time, and nothing happens during one. The other beds have the same three names: a board's
(tests/sim/mpy/programs/device_classes.py), and one whose clock jumps (tests/sim/virtual/test_i2c_devices.py).
"""

from errno import ENODEV

from i2c_devices import port_table as ports
from i2c_devices.ports import TargetPort
from primitives.platform import ticks_diff, ticks_ms
from primitives.waiting import ticks_add
from sim.wires.on_board.i2c_target import NACK, READ, RP2_DEPTH, START, STM32_DEPTH, STOP, TargetModel

try:
    from micropython import heap_lock, heap_unlock
except ImportError:  # CPython

    def heap_lock():
        pass

    heap_unlock = heap_lock

ADDRESS = 0x2A

ON_TIME = "on time"  # and under heap_lock, where there is one
LATE = "late"  # each, when the bed settles
COALESCED = "coalesced"  # one for all of them, when the bed settles
LOST = "lost"
MODES = (ON_TIME, LATE, COALESCED, LOST)


class Events:
    """Stands between a port and a device: an I2CTarget whose interrupts go through `mode`."""

    def __init__(self, make, mode):
        self._make = make
        self.mode = mode
        self._waiting = []
        self._scheduled = None
        self._locked = False

    def port(self, *args, kind=None, **kwargs):
        """A TargetPort whose target is this one, and whose scheduled functions run when the handler is done."""
        port = TargetPort(self, *args, port=kind, **kwargs)
        port.schedule = self.schedule
        return port

    def schedule(self, function):
        if self._locked:
            self._scheduled = function
        else:
            function(0)
        return True

    def __call__(self, *args, **kwargs):
        """The constructor of machine.I2CTarget."""
        self._target = self._make(*args, **kwargs)
        self._irq = None
        return self

    # The stand-ins below allocate, which the real ones do not.

    def write(self, data):
        heap_unlock()
        try:
            return self._target.write(data)
        finally:
            heap_lock()

    def readinto(self, buf):
        heap_unlock()
        try:
            return self._target.readinto(buf)
        finally:
            heap_lock()

    @property
    def memaddr(self):
        return self._target.memaddr

    def irq(self, handler=None, trigger=48, hard=False):
        if handler is None:
            return self
        self._handler = handler
        self._flags = 0
        self._irq = self._target.irq(self._on_event, trigger, hard=hard)
        return self

    def flags(self):
        return self._flags

    def deinit(self):
        self._waiting.clear()
        self._target.deinit()

    def _on_event(self, target):
        flags = self._irq.flags()
        if self.mode == ON_TIME or flags & 15:
            self._deliver(flags)
        elif self.mode == LATE:
            self._waiting.append(flags)
        elif self.mode == COALESCED:
            flags |= self._waiting.pop() if self._waiting else 0
            self._waiting.append(flags)

    def _deliver(self, flags):
        self._flags = flags
        self._locked = True
        heap_lock()
        try:
            self._handler(self)
        finally:
            heap_unlock()
            self._locked = False
        if self._scheduled is not None:
            function, self._scheduled = self._scheduled, None
            function(0)

    def settle(self):
        while self._waiting:
            self._deliver(self._waiting.pop(0))


class ModelTarget:
    """machine.I2CTarget on a ModelBed."""

    def __init__(self, bed, addr, mem=None, mem_addrsize=8):
        self._bed = bed
        self._handler = None
        self._trigger = self._flags = 0
        depth = STM32_DEPTH if bed.kind is ports.STM32 else RP2_DEPTH
        self.model = TargetModel(self._fire, depth, mem, mem_addrsize)
        self.address = addr
        bed.there = self
        self.write = self.model.write
        self.readinto = self.model.readinto

    @property
    def memaddr(self):
        return self.model.memaddr

    def irq(self, handler, trigger=48, hard=False):
        if trigger & 15 and not hard:
            raise ValueError("hard IRQ required")
        self._handler, self._trigger = handler, trigger
        self.model.per_byte = bool(trigger & 15)
        return self

    def flags(self):
        return self._flags

    def deinit(self):
        self._bed.there = None

    def _fire(self, event):
        if self._handler is None or not self._trigger & event:
            return False
        self._flags = event
        self._handler(self)
        return True


class ModelBed:
    """Args: kind: of i2c_devices.port_table; mode: one of MODES."""

    def __init__(self, kind=ports.STM32, mode=ON_TIME):
        self.kind = kind
        self.there = None
        self.events = Events(self._target, mode)
        self.port = self.events.port(addr=ADDRESS, kind=kind)
        self.i2c = self
        self.bytes = 0

    def _target(self, addr, mem=None, mem_addrsize=8):
        return ModelTarget(self, addr, mem, mem_addrsize)

    def settle(self):
        """Time passes: what is late arrives."""
        self.events.settle()

    # machine.SoftI2C

    def _move(self, address, flags, buf):
        if self.there is None or self.there.address != address:
            raise OSError(ENODEV)
        self.bytes += len(buf)
        self.there.model.transact(flags, 50000, buf)

    def readfrom_into(self, address, buf, stop=True):
        self._move(address, START | READ | (NACK if len(buf) else 0) | (STOP if stop else 0), memoryview(buf))

    def writeto(self, address, data, stop=True):
        self._move(address, START | (STOP if stop else 0), memoryview(bytes(data)))
        return len(data)

    def readfrom_mem_into(self, address, at, buf, *, addrsize=8):
        self.writeto(address, at.to_bytes(addrsize // 8, "big"), False)
        self.readfrom_into(address, buf)

    def writeto_mem(self, address, at, data, *, addrsize=8):
        self.writeto(address, at.to_bytes(addrsize // 8, "big") + bytes(data))

    def read_around(self, at, first, second, action):
        """Fills `first`, then `second`, in one read that selects address `at` (1 byte), and calls action() between."""
        self.writeto(ADDRESS, bytes((at,)), False)
        self._move(ADDRESS, START | READ, memoryview(first))
        action()
        self._move(ADDRESS, READ | NACK | STOP, memoryview(second))

    def pause(self, ms):
        """Lets this much time pass."""
        end = ticks_add(ticks_ms(), ms)
        while ticks_diff(end, ticks_ms()) > 0:
            pass

    def close(self):
        pass
