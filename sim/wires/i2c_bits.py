"""The controller's end of the I2C bus, bit by bit on the nets.

It is used where the bus is not idle (a target or a fault holds a wire), for SoftI2C's primitives, and for traces.
Pure. It behaves as MicroPython's SoftI2C: it does not look at the bus before it starts, and it waits for scl with a
time-out. Source: NXP UM10204 3.1. The target's end is sim/wires/i2c_bit_target.py.
"""

from errno import ENODEV, ETIMEDOUT

from sim.wires.pieces import CUT, NACKED, Pause, Result, crossed


def bit_transfer(controller, address, read, data, size, stop):
    """Generator: a transfer like those of `Controller.read` and `write`, bit by bit."""
    line = Lines(controller)
    result = yield from line.transfer(address, read, data, size, stop)
    if stop or result.errno:
        line.release()
    return result


class Lines:
    """The controller's end of the wires. Steps return None or an errno."""

    def __init__(self, controller):
        self._controller = controller
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
        """Lets time pass and answers waiting targets. Returns an errno if one held the clock too long."""
        yield Pause(us)
        for port in list(self.bus.ports):
            while (wanted := port.bits.wanted(self.timeout_us)) is not None:
                answer = yield wanted
                port.bits.give(answer)
                if answer.held_us:
                    yield Pause(answer.held_us)
                if not answer.ok:
                    return ETIMEDOUT
        if self.bus.gives_up:
            self.bus.gives_up = False
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
        self._controller.in_transfer = False
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
        run = self._read_bytes(address, size) if read else self._write_bytes(address, data)
        errno, acks, got = yield from run
        if errno:
            return Result(errno, acks, got)
        if stop:
            errno = yield from self.stop()
        else:
            self.sda(1)
            errno = yield from self.clock_high()
        return Result(errno or 0, acks, got)

    def _tapped(self, address, read, index, value):
        """Returns what the tap (a fault) makes of a byte."""
        said = value if self.bus.tap is None else self.bus.tap(address, read, index, value)
        self.bus.cuts += said is CUT
        return said

    def _write_bytes(self, address, data):
        """Writes bytes. Returns (errno or None, acknowledged bytes, b"")."""
        for acks, value in enumerate(data):
            said = self._tapped(address, False, acks, value)
            if said is CUT:
                return ETIMEDOUT, acks, b""
            if said is NACKED:
                return None, acks, b""
            for one in crossed(said, value):
                errno, ack = yield from self.write_byte(one)
                if errno or not ack:
                    return errno, acks, b""
        return None, len(data), b""

    def _read_bytes(self, address, size):
        """Reads bytes. Returns (errno or None, 0, the bytes)."""
        got = bytearray()
        while len(got) < size:
            errno, value = yield from self.read_byte(len(got) == size - 1)
            if errno:
                return errno, 0, bytes(got)
            said = self._tapped(address, True, len(got), value)
            if said is CUT:
                return ETIMEDOUT, 0, bytes(got)
            got += bytes(crossed(said, value))
        return None, 0, bytes(got[:size])

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
        falls = self.bus.sda.level == 1  # if not, something holds sda low: no target sees a start
        self.sda(0)
        if falls:
            self._controller.begins()
        return (yield from self.settle(0)) or (yield from self.clock_low())

    def stop(self):
        self.sda(0)
        errno = yield from self.clock_high()
        self.sda(1)
        return (yield from self.settle(self.half_us)) or errno
