"""The controller's end of the I2C bus, bit by bit on the nets: needed where the bus is not idle (a target or a fault
holds a wire), for SoftI2C's primitives, and for traces.

Pure. In the order of MicroPython's SoftI2C: it does not look at the bus before it starts, and it waits for scl with a
time-out. Source: NXP UM10204 3.1. The target's end is sim/i2c_bit_target.py.
"""

from errno import ENODEV, ETIMEDOUT

from sim.pieces import Pause, Result


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
