"""What an I2C target peripheral does with what it sees on the bus: the rules of MicroPython's `machine.I2CTarget`.

Runs on MicroPython (in a board's process) and on CPython (bed *virtual*). Knows no wires, no clock and no link: the
bus calls `address`, `receive`, `send`, `nack`, `stop` (or `transact` for a run of bytes), the program calls `write`,
`readinto` and reads `memaddr`. Source: docs/library/machine.I2CTarget.rst and the behaviour of MicroPython 1.26 on
stm32 and rp2.

Events of a target without memory. write n: ADDR_MATCH_WRITE, WRITE_REQ x n, END_WRITE. read n: ADDR_MATCH_READ,
READ_REQ x (n+1), END_READ. With memory, END_WRITE is not emitted for a write that only selects an address.
"""

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


IRQ_ADDR_MATCH_READ = const(1)
IRQ_ADDR_MATCH_WRITE = const(2)
IRQ_READ_REQ = const(4)
IRQ_WRITE_REQ = const(8)
IRQ_END_READ = const(16)
IRQ_END_WRITE = const(32)

# These four decide what happens on the bus next, so they cannot wait for a soft callback.
IRQ_HARD_ONLY = const(15)

# What one piece of a transfer contains, in this order: start and address, bytes, nack after the last byte, stop.
START = const(1)
READ = const(2)
STOP = const(4)
NACK = const(8)

_IDLE = const(0)
_MATCHED_READ = const(1)
_MATCHED_WRITE = const(2)
_SELECTING = const(3)
_READING = const(4)
_WRITING = const(5)

# Bytes that a peripheral holds in each direction: a data register, or the RP2040's FIFO (data sheet 4.3.1).
STM32_DEPTH = const(1)
RP2_DEPTH = const(16)


class TargetModel:
    """One target peripheral.

    Args: `fire(event) -> bool` runs or schedules the program's handler, True if there is one for this event; it adds
    the time that a hard handler holds the clock to `stretch_us`. `depth` is STM32_DEPTH or RP2_DEPTH.
    """

    def __init__(self, fire, depth=STM32_DEPTH, mem=None, mem_addrsize=8):
        self._fire = fire
        self._depth = depth
        self._mem = None
        if mem is not None:
            if mem_addrsize < 0 or mem_addrsize > 32 or mem_addrsize % 8:
                raise ValueError("mem_addrsize must be 0, 8, 16, 24 or 32")
            self._mem = memoryview(mem)
            if not len(self._mem):
                # The real driver divides by zero here (HARDWARE facts, suspected upstream bugs): stay clear of it.
                raise ValueError("mem is empty")
        self._addr_bytes = mem_addrsize // 8
        self._addr_missing = 0
        self._addr = 0
        self.memaddr = 0
        self._state = _IDLE
        self._tx = []
        self._rx = []
        self._end_pending = False
        self.per_byte = False  # True when a handler wants READ_REQ or WRITE_REQ, so bytes cannot move in bulk
        self.stretch_us = 0
        self.held_us = 0  # clock stretching of the last `transact`
        self.moved = 0  # bytes of the last `transact`

    # What the program calls.

    def write(self, data):
        """Gives bytes to send; returns how many found room."""
        n = min(len(data), 1 if self._depth == 1 else self._depth - len(self._tx))
        if self._depth == 1:
            self._tx = []
        for i in range(n):
            self._tx.append(data[i])
        return n

    def readinto(self, buf):
        """Takes received bytes; returns how many there were."""
        n = min(len(buf), len(self._rx))
        for i in range(n):
            buf[i] = self._rx.pop(0)
        if self._end_pending and not self._rx:
            self._end_pending = False
            self._finish()
        return n

    # What the bus calls.

    def address(self, read):
        """A start or repeated start with our address; the address is acknowledged."""
        self._end_pending = False
        self._finish()
        self._fire(IRQ_ADDR_MATCH_READ if read else IRQ_ADDR_MATCH_WRITE)
        self._state = _MATCHED_READ if read else _MATCHED_WRITE
        self._tx = []
        if read:
            self._read_request()

    def receive(self, value):
        """A byte from the controller; False if it finds no room, so that the clock stays low."""
        if len(self._rx) >= self._depth:
            return False
        first = not self._rx
        self._rx.append(value)
        if self._depth == 1 or first:
            self._write_request()
        return True

    def send(self):
        """The next byte for the controller, or None if the program gave none, so that the clock stays low."""
        if not self._tx:
            self._read_request()
            if not self._tx:
                return None
        value = self._tx.pop(0)
        if self._depth == 1:
            # The data register is refilled as soon as its byte starts to leave: one byte is always fetched too many.
            self._read_request()
        return value

    def nack(self):
        """The controller wants no more bytes."""
        if self._depth == 1:
            self._finish()
        else:
            self._tx = []
            self._read_request()

    def stop(self):
        if self._rx and self._depth > 1:
            self._end_pending = True
        else:
            self._finish()

    def transact(self, flags, limit_us, buf):
        """Runs one piece of a transfer; `buf` is filled (READ) or taken in.

        Returns True, or False if the clock was held longer than `limit_us`: the controller then gave up after
        `moved` bytes. `held_us` is the time that the clock was held.
        """
        self.moved = 0
        self.held_us = 0
        if flags & START:
            self.address(bool(flags & READ))
            if not self._released(limit_us):
                return False
        if len(buf) and self._mem is not None and not self.per_byte:
            if flags & READ:
                self._read_bulk(buf)
            else:
                self._write_bulk(buf)
            self.moved = len(buf)
        else:
            for i in range(len(buf)):
                if flags & READ:
                    value = self.send()
                    if value is None:
                        return self._stalled(limit_us)
                    buf[i] = value
                elif not self.receive(buf[i]):
                    return self._stalled(limit_us)
                self.moved = i + 1
                if not self._released(limit_us):
                    return False
        if flags & NACK:
            self.nack()
            if not self._released(limit_us):
                return False
        if flags & STOP:
            self.stop()
            self._released(limit_us)  # the controller is not waiting any more
        return True

    def _released(self, limit_us):
        held, self.stretch_us = self.stretch_us, 0
        self.held_us += min(held, limit_us)
        return held <= limit_us

    def _stalled(self, limit_us):
        self.stretch_us = 0
        self.held_us += limit_us
        return False

    def _finish(self):
        if self._state == _READING:
            self._fire(IRQ_END_READ)
        elif self._state == _MATCHED_WRITE or self._state == _WRITING:
            self._fire(IRQ_END_WRITE)
        self._state = _IDLE

    def _read_request(self):
        handled = self._fire(IRQ_READ_REQ)
        if self._mem is None:
            self._state = _READING
            if not handled:
                self._tx.append(0)
            return
        self._state = _READING
        if self._depth == 1:
            self._tx = []
        # A memory address that was cut short can lie beyond the memory; the real driver then reads something else.
        self._tx.append(self._mem[self._addr % len(self._mem)])
        self._addr = (self._addr + 1) % len(self._mem)

    def _write_request(self):
        handled = self._fire(IRQ_WRITE_REQ)
        if self._mem is None:
            self._state = _WRITING
            if not handled:
                self._rx.pop(0)
            return
        while self._rx:
            self._store(self._rx.pop(0))

    def _store(self, value):
        if self._select(value):
            return
        self._state = _WRITING
        self._mem[self._addr] = value
        self._addr = (self._addr + 1) % len(self._mem)

    def _select(self, value):
        """Takes a byte of the memory address, big-endian; False if the address is complete."""
        if self._state == _MATCHED_WRITE:
            self._state = _SELECTING
            self._addr = 0
            self._addr_missing = self._addr_bytes
        if self._state != _SELECTING or self._addr_missing == 0:
            return False
        self._addr = self._addr << 8 | value
        self._addr_missing -= 1
        if self._addr_missing == 0:
            self._addr %= len(self._mem)
            self.memaddr = self._addr
        return True

    def _write_bulk(self, buf):
        start = 0
        while start < len(buf) and self._select(buf[start]):
            start += 1
        if start == len(buf):
            return
        self._state = _WRITING
        while start < len(buf):
            n = min(len(buf) - start, len(self._mem) - self._addr)
            self._mem[self._addr : self._addr + n] = buf[start : start + n]
            self._addr = (self._addr + n) % len(self._mem)
            start += n

    def _read_bulk(self, buf):
        # The first byte may already be in the data register, and the byte after the last one is fetched: as `send`.
        i = 0
        size = len(self._mem)
        while i < len(buf) and self._tx:
            buf[i] = self._tx.pop(0)
            i += 1
        self._state = _READING
        while i < len(buf):
            n = min(len(buf) - i, size - self._addr)
            buf[i : i + n] = self._mem[self._addr : self._addr + n]
            self._addr = (self._addr + n) % size
            i += n
        if self._depth == 1:
            self._read_request()
