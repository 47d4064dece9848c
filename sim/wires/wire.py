"""The I2C bus: effect and duration of a transfer, and the state of the wires when it is cut.

Pure: no clock, no I/O. A transfer is a generator that yields `Pause(us)`, time that passes on the bus, and
`Piece(..)`, which the driver has the target's model answer with an `Answer`. It returns a `Result`. Bed *mpy* drives
it with real time and sends the pieces to another process, bed *virtual* with a clock that jumps; both get the same
bytes. A transfer is computed whole, in chunks of `Bus.chunk_bytes`, byte by byte when a `tap` is set, or bit by bit
(i2c_bits.py) when the bus is not idle or `expand_bits` is set: with the same result, tests/sim/wires/test_wire.py.
"""

from errno import ENODEV, ETIMEDOUT

from sim.wires.i2c_bit_target import BitTarget
from sim.wires.i2c_bits import Lines, bit_transfer
from sim.wires.on_board.i2c_target import NACK, READ, START, STOP
from sim.wires.pieces import CUT, LOST, NACKED, REPEATED, Cut, Pause, Piece, Result, crossed  # noqa: F401

START_CLOCKS = 1
STOP_CLOCKS = 1
BYTE_CLOCKS = 9  # 8 bits and the acknowledgement, NXP UM10204 3.1.5


class Port:
    """A target's place on a bus: its owner and its address."""

    def __init__(self, owner, address):
        self.owner = owner
        self.address = address
        self.bits = None  # its BitTarget, while attached
        self.may_refuse = False  # it may not acknowledge its address, so it is asked before anything else crosses

    def __repr__(self):
        return f"Port({self.owner}, {self.address:#x})"


class Bus:
    """Two nets and the targets on them."""

    def __init__(self, scl, sda, chunk_bytes=None):
        self.scl = scl
        self.sda = sda
        self.chunk_bytes = chunk_bytes  # None: a transfer is one piece
        self.expand_bits = False  # every transfer bit by bit on the nets, for traces
        self.tap = None  # tap(address, read, index, value) -> value | LOST | REPEATED | NACKED | CUT
        self.gives_up = False  # a fault: the controller ends its transfer here, bit by bit, with ETIMEDOUT
        self.ports = []
        self.bytes = 0
        self.transactions = 0  # start conditions on the wires, without repeated ones
        self.cuts = 0

    def attach(self, port):
        port.bits = BitTarget(port, self.scl, self.sda)
        self.ports.append(port)

    def detach(self, port):
        """Switches the target off: it releases the bus."""
        if port in self.ports:
            self.ports.remove(port)
            port.bits.detach()

    def find(self, address):
        for port in self.ports:
            if port.address == address:
                return port
        return None

    def by_bits(self, address):
        """Returns whether a transfer to this address must go bit by bit: it could not be computed whole."""
        return self.expand_bits or not self.idle()

    def idle(self):
        return self.scl.level == 1 and self.sda.level == 1


class Controller:
    """A controller on a bus: MicroPython's SoftI2C, and I2C as far as they behave alike.

    Args: owner: whose pins drive the nets in bit-by-bit transfers; timeout_us: longest tolerated clock stretch.
    """

    def __init__(self, bus, owner, *, clock_hz=400000, timeout_us=50000):
        self.bus = bus
        self.owner = owner
        self.clock_us = 1e6 / clock_hz
        self.timeout_us = timeout_us
        self.in_transfer = False  # a transaction has begun on the wires, and no stop has ended it

    def write(self, address, data, stop=True, *, by_bits=False):
        """Generator: Result with the number of acknowledged bytes; ENODEV if no target answers to the address."""
        return self._transfer(address, False, bytes(data), 0, stop, by_bits)

    def read(self, address, size, stop=True, *, by_bits=False):
        """Generator: Result with `size` bytes; the last one is not acknowledged, which ends the target's sending."""
        return self._transfer(address, True, b"", size, stop, by_bits)

    # SoftI2C's primitives; always bit by bit.

    def line_start(self):
        return Lines(self).run_start()

    def line_stop(self):
        return Lines(self).run_stop()

    def line_write(self, data):
        """Generator: Result with the number of acknowledged bytes. It ends at the first that is not acknowledged."""
        return Lines(self).run_write(data)

    def line_read(self, size, nack):
        return Lines(self).run_read(size, nack)

    def _transfer(self, address, read, data, size, stop, by_bits):
        bus = self.bus
        bus.gives_up = False
        if by_bits or bus.by_bits(address):
            try:
                result = yield from bit_transfer(self, address, read, data, size, stop)
            except Cut:
                self.in_transfer = False
                raise
        else:
            self.begins()
            result = yield from self._whole(address, read, data, size, stop)
        if stop or result.errno:
            self.in_transfer = False
        return result

    def begins(self):
        """To be called at each start condition on the wires."""
        if not self.in_transfer:
            self.bus.transactions += 1
        self.in_transfer = True

    def _whole(self, address, read, data, size, stop):
        bus = self.bus
        port = bus.find(address)
        bus.bytes += 1
        head_us = (START_CLOCKS + BYTE_CLOCKS) * self.clock_us
        if port is None:
            yield Pause(head_us + STOP_CLOCKS * self.clock_us)
            return Result(ENODEV, 0, b"")
        port.bits.begin()
        if bus.tap is not None:
            run = self._tapped(port, read, data, size, stop)
        else:
            run = self._chunks(port, read, data, size, stop)
        try:
            yield Pause(head_us)
            result = yield from run
        except Cut:
            bus.cuts += 1
            self.in_transfer = False
            return Result(ETIMEDOUT, 0, b"")
        if result.errno == 0 and stop:
            port.bits.end()
            yield Pause(STOP_CLOCKS * self.clock_us)
        return result

    def _chunks(self, port, read, data, size, stop):
        total = size if read else len(data)
        chunk = self.bus.chunk_bytes or max(total, 1)
        got = bytearray()
        done = 0
        first = START | (READ if read else 0)
        if port.may_refuse:
            answer = yield Piece(port, first, self.timeout_us, b"", 0)
            if answer.moved < 0:
                yield Pause(STOP_CLOCKS * self.clock_us)
                return Result(ENODEV, 0, b"")
            first &= READ
        while True:
            n = min(chunk, total - done)
            last = done + n >= total
            flags = (first if done == 0 else first & READ) | self._closing(read, total, stop, last)
            run = self._read_chunk if read else self._write_chunk
            answer = yield from run(port, flags, data[done : done + n], n)
            done += answer.moved
            got += answer.data
            if last or answer.moved < n or not answer.ok:
                return Result(0 if answer.ok else ETIMEDOUT, 0 if read else done, bytes(got))

    def _closing(self, read, total, stop, last):
        if not last:
            return 0
        return (NACK if read and total else 0) | (STOP if stop else 0)

    def _write_chunk(self, port, flags, data, n):
        # The target gets bytes once they have crossed. So a cut leaves it those that had crossed.
        try:
            yield Pause(n * BYTE_CLOCKS * self.clock_us)
        except Cut as cut:
            crossed = int(cut.elapsed_us / (BYTE_CLOCKS * self.clock_us))
            self.bus.bytes += crossed
            if crossed or flags & START:
                yield Piece(port, flags & START, self.timeout_us, data[:crossed], 0)
            raise
        self.bus.bytes += n
        answer = yield Piece(port, flags, self.timeout_us, data, 0)
        if answer.held_us:
            yield Pause(answer.held_us)
        return answer

    def _read_chunk(self, port, flags, data, n):
        answer = yield Piece(port, flags, self.timeout_us, b"", n)
        try:
            yield Pause(answer.moved * BYTE_CLOCKS * self.clock_us + answer.held_us)
        except Cut as cut:
            self._leave_sending(port, answer, cut.elapsed_us - answer.held_us)
            raise
        self.bus.bytes += answer.moved
        return answer

    def _leave_sending(self, port, answer, elapsed_us):
        """The controller stops clocking while the target sends: its current bit stays on sda."""
        clocks = max(0, int(elapsed_us / self.clock_us))
        byte, bit = divmod(clocks, BYTE_CLOCKS)
        self.bus.bytes += byte
        if byte < answer.moved and bit < 8:
            port.bits.stick(answer.data[byte], bit)

    def _tapped(self, port, read, data, size, stop):
        """Generator: the transfer byte by byte, each passed to the tap."""
        tap, total = self.bus.tap, size if read else len(data)
        answer = yield Piece(port, START | (READ if read else 0), self.timeout_us, b"", 0)
        if answer.moved < 0:
            return Result(ENODEV, 0, b"")
        if not answer.ok:
            return Result(ETIMEDOUT, 0, b"")
        got = bytearray()
        index = 0
        while index < total:
            value = None if read else data[index]
            if read:
                answer = yield from self._read_chunk(port, READ, b"", 1)
                if not answer.ok:
                    return Result(ETIMEDOUT, 0, bytes(got))
                value = answer.data[0]
            said = tap(port.address, read, index, value)
            if said is CUT:
                self.bus.cuts += 1
                return Result(ETIMEDOUT, index, bytes(got))
            if said is NACKED and not read:
                break
            values = crossed(said, value)
            if read:
                got += bytes(values)
                index = len(got)
                continue
            for value in values:
                answer = yield from self._write_chunk(port, 0, bytes((value,)), 1)
                if not answer.ok:
                    return Result(ETIMEDOUT, index, b"")
                if not answer.moved:
                    return Result(0, index, b"")
            index += 1
        flags = self._closing(read, total, stop, True) | (READ if read else 0)
        yield Piece(port, flags, self.timeout_us, b"", 0)
        return Result(0, 0 if read else index, bytes(got[:total]))
