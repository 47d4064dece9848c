"""`machine.SoftI2C` and `machine.I2C` on a bus with sensors: a transfer costs little if nothing else happens."""

import os
from errno import ENODEV, ETIMEDOUT

from sim.virtual.chips import SoftI2C
from sim.wires.wire import BYTE_CLOCKS, START_CLOCKS, STOP_CLOCKS

HEAD_CLOCKS = START_CLOCKS + BYTE_CLOCKS


class SensorI2C(SoftI2C):
    """All transfers of machine.I2C.

    Args: hardware: as machine.I2C of a chip: on a bus that is not idle it transfers nothing and raises ETIMEDOUT after
    its time-out, and it has no primitives. Without, as machine.SoftI2C, which does not look at sda. next_event() ->
    time of the world at which something happens to the sensors next. owes: other boards of the world block too: a
    transfer is computed at once, and its time passes after it, at the program's next await.
    """

    def __init__(self, life, bus, setup_us, clock_hz, *, next_event, hardware=False, owes=False):
        super().__init__(life, bus, setup_us, clock_hz, None)
        self._next_event = next_event
        self._hardware = hardware
        self._owes = owes

    # Transfers.

    def writeto(self, address, data, stop=True):
        return self._move(address, False, data, len(data), stop)

    def readfrom_into(self, address, buf, stop=True):
        buf[:] = self._move(address, True, b"", len(buf), stop)

    def readfrom(self, address, size, stop=True):
        return self._move(address, True, b"", size, stop)

    def writevto(self, address, vector, stop=True):
        return self.writeto(address, b"".join(bytes(part) for part in vector), stop)

    def readfrom_mem_into(self, address, memaddr, buf, *, addrsize=8):
        size = addrsize // 8
        # As on the port, an address that is not fully acknowledged ends it without an error and without data.
        if self._move(address, False, memaddr.to_bytes(size, "big"), size, False) == size:
            buf[:] = self._move(address, True, b"", len(buf), True)

    def readfrom_mem(self, address, memaddr, size, *, addrsize=8):
        buf = bytearray(size)
        self.readfrom_mem_into(address, memaddr, buf, addrsize=addrsize)
        return bytes(buf)

    def writeto_mem(self, address, memaddr, data, *, addrsize=8):
        self.writeto(address, memaddr.to_bytes(addrsize // 8, "big") + bytes(data))

    def scan(self):
        return [address for address in range(0x08, 0x78) if self._answers(address)]

    def _answers(self, address):
        try:
            self.writeto(address, b"")
        except OSError:
            return False
        return True

    # SoftI2C's primitives.

    def start(self):
        self._primitive(self._controller.line_start())

    def stop(self):
        self._primitive(self._controller.line_stop())

    def write(self, data):
        return self._primitive(self._controller.line_write(bytes(data))).acks

    def readinto(self, buf, nack=True):
        buf[:] = self._primitive(self._controller.line_read(len(buf), nack)).data

    def _primitive(self, steps):
        if self._hardware:
            raise OSError("I2C operation not supported")
        result = self._run(steps)
        self._end(result)
        return result

    # One transfer.

    def _end(self, result):
        if result.errno:
            self._life.world.trace("wire", f"error {result.errno}")
            raise _error(result.errno)

    def _move(self, address, read, data, size, stop):
        """Returns the bytes that were read, or how many of those written were acknowledged. Raises: OSError."""
        life, board, bus, controller = self._life, self._board, self._bus, self._controller
        world = life.world
        if world.tracer is not None:
            world.trace("wire", f"{'read' if read else 'write'} {size} at {address:#x}")
        if self._owes:
            board.debt_us += self._setup_us
        elif self._setup_us or board.debt_us:
            life.block(self._setup_us)
        if self._hardware and not bus.idle():
            life.block(controller.timeout_us)
            raise _error(ETIMEDOUT)
        clocks = HEAD_CLOCKS + BYTE_CLOCKS * size + STOP_CLOCKS
        us = clocks * controller.clock_us
        undisturbed = self._next_event() > world.now + (board.debt_us + us) / 1e6
        if undisturbed and bus.tap is None and life.alive and (self._owes or world.quiet(board, us)):
            member = self._alone(address)
            if member is not None:
                return self._whole(member, read, data, size, stop)
        if read:
            result = self._run(controller.read(address, size, stop, by_bits=not undisturbed))
        else:
            result = self._run(controller.write(address, data, stop, by_bits=not undisturbed))
        self._end(result)
        return result.data if read else result.acks

    def _alone(self, address):
        """Returns the only member that can answer, False if nobody is there, None if the wires must tell."""
        bus = self._bus
        if bus.by_bits(address):
            return None
        members = bus.within.get(address)
        if members:
            return members[0] if members[0].stick_at is None else None
        return None if bus.ports else False

    def _whole(self, member, read, data, size, stop):
        """The transfer of `Controller.read` or `write`, at once."""
        world, bus, controller = self._life.world, self._bus, self._controller
        clock_s = controller.clock_us / 1e6
        controller.begins()
        zero = world.begin_s
        addressed = world.now + self._life.board.debt_us / 1e6 + HEAD_CLOCKS * clock_s
        if not member or not member.accept(read, addressed - zero):
            bus.bytes += 1
            self._pass_until(addressed + STOP_CLOCKS * clock_s)
            controller.in_transfer = False
            raise _error(ENODEV)
        if read:
            moved, result = size, member.give(size)
        else:
            moved = result = member.take(data)
        bus.bytes += 1 + moved
        end = addressed + BYTE_CLOCKS * clock_s * (moved if moved == size else moved + 1)
        if stop:
            self._pass_until(end)  # what this stop does happens now
            member.end(end - zero)
            controller.in_transfer = False
            end += STOP_CLOCKS * clock_s
        self._pass_until(end)
        return result

    def _pass_until(self, end):
        world = self._life.world
        if self._owes:
            self._life.board.debt_us = (end - world.now) * 1e6
        else:
            world.now = end


def _error(number):
    """Returns an OSError that has its `errno`, as in MicroPython."""
    return OSError(number, os.strerror(number))
