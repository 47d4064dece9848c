"""The I2C bus bit by bit, on the nets: needed where the bus is not idle (a target or a fault holds a wire), where a
program moves the pins itself, and for traces.

Pure. `BitTarget` is the target's end: it follows the nets and asks for pieces; `bit_transfer` is the controller's
end, in the order of MicroPython's SoftI2C: it does not look at the bus before it starts, and it waits for scl with a
time-out. Source: NXP UM10204 3.1.
"""

from errno import ENODEV, ETIMEDOUT

from sim.boards.common.i2c_target import NACK, READ, START, STOP
from sim.pieces import Pause, Piece, Result

_IDLE, _RECEIVING, _ACKING, _SENDING, _ACKED, _IGNORING = range(6)


class BitTarget:
    """Follows scl and sda. Before scl rises again the driver must have `wanted` answered, with `give` (in nature: clock
    stretching)."""

    def __init__(self, port, scl, sda):
        self.port = port
        self.scl = scl
        self.sda = sda
        self.wants = None
        self._addressed = False
        self._attached = True
        self._reset(_IDLE)
        self._scl_was, self._sda_was = scl.level, sda.level
        scl.listen(self._changed)
        sda.listen(self._changed)

    def detach(self):
        self._attached = False
        self._hold(None)

    def begin(self):
        """A transfer that is computed whole addresses this target."""
        self._reset(_IGNORING)
        self._addressed = True

    def end(self):
        self._reset(_IDLE)
        self._addressed = False

    def stick(self, value, bit):
        """The clock stops for good while the target sends bit `bit` (0: the highest) of `value`."""
        self._addressed = True
        self._state, self._shift, self._count, self._reading = _SENDING, value, bit, True
        # sda changed while scl was low; the nets stood still during the transfer, and this is no start condition.
        self._sda_was = value >> (7 - bit) & 1
        self._hold_bit()

    def wanted(self, limit_us):
        """The Piece to be answered now, or None."""
        if self.wants is None:
            return None
        flags, data, size = self.wants
        return Piece(self.port, flags, limit_us, data, size)

    def give(self, answer):
        """The answer to `wanted`."""
        flags = self.wants[0]
        self.wants = None
        if flags & STOP or flags & NACK:
            return
        if flags & START:
            self._hold(0)
        elif flags & READ:
            if answer.moved:
                self._state, self._shift, self._count = _SENDING, answer.data[0], 0
                self._hold_bit()
            else:
                self._reset(_IGNORING)
        elif answer.moved:
            self._hold(0)

    def _reset(self, state):
        self._state = state
        self._count = 0
        self._shift = 0
        self._is_address = False
        self._reading = False
        self._hold(None)

    def _hold(self, level):
        self.sda.drive(self.port, level)

    def _hold_bit(self):
        self._hold(None if self._shift >> (7 - self._count) & 1 else 0)

    def _changed(self, net):
        if not self._attached:
            return
        scl, sda = self.scl.level, self.sda.level
        if net is self.scl and scl != self._scl_was:
            self._scl_was = scl
            if scl:
                self._rise(sda)
            else:
                self._fall()
        elif net is self.sda and sda != self._sda_was:
            self._sda_was = sda
            if scl:
                self._start_or_stop(sda)

    def _start_or_stop(self, sda):
        if sda:
            self._reset(_IDLE)
            if self._addressed:
                self._addressed = False
                self.wants = (STOP, b"", 0)
        else:
            self._reset(_RECEIVING)
            self._is_address = True

    def _rise(self, sda):
        if self._state == _RECEIVING:
            self._shift = (self._shift << 1 | sda) & 0xFF
            self._count += 1
        elif self._state == _ACKED:
            self._shift = sda

    def _fall(self):
        if self._state == _RECEIVING and self._count == 8:
            self._received()
        elif self._state == _ACKING:
            self._acknowledged()
        elif self._state == _SENDING:
            self._count += 1
            if self._count < 8:
                self._hold_bit()
            else:
                self._state = _ACKED
                self._hold(None)
        elif self._state == _ACKED:
            if self._shift:
                self._reset(_IGNORING)
                self.wants = (NACK | READ, b"", 0)
            else:
                self.wants = (READ, b"", 1)

    def _received(self):
        if not self._is_address:
            self._state = _ACKING
            self.wants = (0, bytes((self._shift,)), 0)
        elif self._shift >> 1 == self.port.address:
            self._state = _ACKING
            self._addressed = True
            self._reading = bool(self._shift & 1)
            self.wants = (START | (READ if self._reading else 0), b"", 0)
        else:
            self._reset(_IGNORING)
            self._addressed = False

    def _acknowledged(self):
        self._hold(None)
        self._is_address = False
        self._count = self._shift = 0
        if self._reading:
            self.wants = (READ, b"", 1)
        else:
            self._state = _RECEIVING


def bit_transfer(controller, address, read, data, size, stop):
    """Generator as `Controller.read` and `write`, bit by bit."""
    line = Lines(controller)
    result = yield from line.transfer(address, read, data, size, stop)
    if stop or result.errno:
        line.release()
    return result


class Lines:
    """The controller's end of the wires. Steps return None or an errno."""

    def __init__(self, controller):
        self.bus = controller.bus
        self.owner = (controller.owner, "i2c")
        self.half_us = controller.clock_us / 2
        self.timeout_us = controller.timeout_us

    def release(self):
        self.bus.scl.drive(self.owner, None)
        self.bus.sda.drive(self.owner, None)

    def scl(self, level):
        self.bus.scl.drive(self.owner, 0 if level == 0 else None)

    def sda(self, level):
        self.bus.sda.drive(self.owner, 0 if level == 0 else None)

    def settle(self, us):
        """Time passes and targets that want something get it. Returns an errno if one held the clock too long."""
        yield Pause(us)
        for port in list(self.bus.ports):
            while (wanted := port.bits.wanted(self.timeout_us)) is not None:
                answer = yield wanted
                port.bits.give(answer)
                if answer.held_us:
                    yield Pause(answer.held_us)
                if not answer.ok:
                    return ETIMEDOUT
        return None

    def clock_high(self):
        self.scl(1)
        errno = yield from self.settle(self.half_us)
        if errno is None and self.bus.scl.level == 0:
            yield Pause(self.timeout_us)
            errno = None if self.bus.scl.level else ETIMEDOUT
        return errno

    def clock_low(self):
        self.scl(0)
        return (yield from self.settle(self.half_us))

    def run_start(self):
        errno = yield from self.start()
        return Result(errno or 0, 0, b"")

    def run_stop(self):
        errno = yield from self.stop()
        self.release()
        return Result(errno or 0, 0, b"")

    def run_write(self, data):
        for acks, value in enumerate(data):
            errno, ack = yield from self.write_byte(value)
            if errno or not ack:
                return Result(errno or 0, acks, b"")
        return Result(0, len(data), b"")

    def run_read(self, size, nack):
        got = bytearray()
        for index in range(size):
            errno, value = yield from self.read_byte(nack and index == size - 1)
            if errno:
                return Result(errno, 0, b"")
            got.append(value)
        return Result(0, 0, bytes(got))

    def transfer(self, address, read, data, size, stop):
        errno = yield from self.start()
        if errno:
            return Result(errno, 0, b"")
        errno, ack = yield from self.write_byte(address << 1 | (1 if read else 0))
        if errno:
            return Result(errno, 0, b"")
        if not ack:
            yield from self.stop()
            return Result(ENODEV, 0, b"")
        got, acks = bytearray(), 0
        for index in range(size if read else len(data)):
            if read:
                errno, value = yield from self.read_byte(index == size - 1)
                got.append(value)
            else:
                errno, ack = yield from self.write_byte(data[index])
                if not errno and not ack:
                    break
                acks += 1
            if errno:
                return Result(errno, acks, bytes(got))
        if stop:
            errno = yield from self.stop()
        else:
            self.sda(1)
            errno = yield from self.clock_high()
        return Result(errno or 0, acks, bytes(got))

    def write_byte(self, value):
        self.bus.bytes += 1
        for bit in range(7, -1, -1):
            self.sda(value >> bit & 1)
            errno = (yield from self.clock_high()) or (yield from self.clock_low())
            if errno:
                self.sda(1)
                return errno, False
        self.sda(1)
        errno = yield from self.clock_high()
        ack = self.bus.sda.level == 0
        errno = errno or (yield from self.clock_low())
        return errno, ack

    def read_byte(self, last):
        self.bus.bytes += 1
        value = 0
        self.sda(1)
        for _ in range(8):
            errno = yield from self.clock_high()
            value = value << 1 | self.bus.sda.level
            errno = errno or (yield from self.clock_low())
            if errno:
                return errno, value & 0xFF
        self.sda(1 if last else 0)
        errno = (yield from self.clock_high()) or (yield from self.clock_low())
        self.sda(1)
        return errno, value

    def start(self):
        self.sda(1)
        errno = yield from self.clock_high()
        if errno:
            return errno
        self.sda(0)
        return (yield from self.settle(0)) or (yield from self.clock_low())

    def stop(self):
        self.sda(0)
        errno = yield from self.clock_high()
        self.sda(1)
        return (yield from self.settle(self.half_us)) or errno
