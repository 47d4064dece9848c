"""The byte engine: `machine.I2CTarget` without mem. A hard interrupt handler in Python answers each byte.

So it knows what was moved: exact lengths, read-only bytes that stay, and updates that are shown whole. The price is
speed: the controller waits, clock held low, for some bytecodes at each byte.

With `atomic` there are three copies beside the application's: one that the next read is answered from (`_front`), one
that the present read is answered from (`_shown`), and one that is free, into which an update is copied. The
controller's writes go into all of them.
"""

from i2c_devices.guarded_engine import END_READ, END_WRITE

ADDR_MATCH_READ = 1
ADDR_MATCH_WRITE = 2
READ_REQ = 4
WRITE_REQ = 8
_ALL = 63

# Transactions that may wait for their callback. One more is lost, and counted.
MAX_REPORTS = 8


class ByteEngine:
    """The engine of a MemoryTarget that is exact or atomic. Arguments are those of MemoryTarget."""

    def __init__(self, port, size, address_bits, read_only, atomic):
        self.memory = bytearray(size)
        self.on_use = self.on_read = self.on_written = None
        self.refused = 0  # bytes that the controller tried to write
        self.lost_reports = 0
        self._port = port
        self._target = None
        self._irq = None
        self._hard = False
        self._size = size
        self._address_bytes = address_bits // 8
        self._prefetched = port.port.prefetched
        self._mask = bytearray(size)  # 1: read-only
        for first, end in read_only:
            for at in range(first, end):
                self._mask[at] = 1
        self._copies = [bytearray(size) for _ in range(3)] if atomic else ()
        self._front = self._shown = self._copies[0] if atomic else self.memory
        self._stores = 0  # bytes stored, modulo 65536
        self._updates = 0  # blocks of `update` in progress, one inside the other
        self._spoilt = False  # one of them ended with an exception
        self._on_event_ref = self._on_event  # bound once: an interrupt must not allocate
        self._deliver_ref = self._deliver
        self._in = bytearray(port.port.call_bytes)
        self._out = bytearray(1)
        # The transaction that goes on.
        self._at = 0  # offset of the next byte
        self._first = 0  # offset of the first one
        self._moved = 0  # bytes of data
        self._reading = False
        self._missing = 0  # bytes of the memory address that are still to come
        self._address = 0
        # Transactions whose callback waits: a ring, filled by the interrupt and emptied by `_deliver`.
        self._report_kind = bytearray(MAX_REPORTS)
        self._report_offset = [0] * MAX_REPORTS
        self._report_length = [0] * MAX_REPORTS
        self._filled = 0
        self._emptied = 0
        self._delivering = False

    def open(self):
        if self._target is None:
            self._target = self._port.open_bytes()
            try:
                self._irq = self._target.irq(self._on_event_ref, _ALL, hard=True)
            except MemoryError:
                self.close()
                raise

    def set_hard(self, hard):
        self._hard = hard  # the interrupts are hard in any case

    def close(self):
        if self._target is not None:
            self._target.deinit()
            self._target = self._irq = None
            self._moved = 0

    # In the interrupt: nothing here allocates

    def _on_event(self, target):
        event = (self._irq or target.irq()).flags()  # the event may come before `irq` has returned
        if event & READ_REQ:
            at = self._at
            self._out[0] = self._shown[at]
            target.write(self._out)
            self._at = at + 1 if at + 1 < self._size else 0
            self._moved += 1
        elif event & WRITE_REQ:
            for i in range(target.readinto(self._in)):
                self._store(self._in[i])
        elif event & ADDR_MATCH_READ:
            self._end_write()
            self._reading = True
            self._shown = self._front
            self._first = self._at
            self._moved = 0
        elif event & ADDR_MATCH_WRITE:
            self._end_write()
            self._reading = False
            self._missing = self._address_bytes
            self._address = 0
            self._moved = 0
        elif event & END_READ:
            moved = max(0, self._moved - self._prefetched)
            self._at = (self._first + moved) % self._size
            self._end(END_READ, moved)
        elif event & END_WRITE:
            self._end_write()

    def _end_write(self):
        # alif tells no end of a write before a repeated start: the next address is its end.
        if not self._reading:
            self._end(END_WRITE, self._moved)

    def _store(self, value):
        if self._missing:
            self._address = self._address << 8 | value
            self._missing -= 1
            if not self._missing:  # one that is cut short selects nothing
                self._at = self._first = self._address % self._size
            return
        at = self._at
        if self._mask[at]:
            self.refused += 1
        else:
            self.memory[at] = value
            for i in range(len(self._copies)):
                self._copies[i][at] = value
            self._stores = self._stores + 1 & 0xFFFF
        self._at = at + 1 if at + 1 < self._size else 0
        self._moved += 1

    def _end(self, kind, moved):
        self._moved = 0
        if not moved:
            return
        if self._hard and self.on_use is not None:
            self.on_use()
        filled = self._filled
        if (filled - self._emptied) % (2 * MAX_REPORTS) >= MAX_REPORTS:
            self.lost_reports += 1
        else:
            i = filled % MAX_REPORTS
            self._report_kind[i] = kind
            self._report_offset[i] = self._first
            self._report_length[i] = moved
            self._filled = (filled + 1) % (2 * MAX_REPORTS)
        self._port.schedule(self._deliver_ref)  # or else the next transaction, or `poll`, has it delivered

    # Outside of the interrupt

    def poll(self):
        self._deliver(0)

    def _deliver(self, _):
        # A scheduled call may come in the middle of one that the application made: that one delivers the rest.
        while self._emptied != self._filled and not self._delivering:
            self._delivering = True
            try:
                self._deliver_all()
            finally:
                self._delivering = False

    def _deliver_all(self):
        while self._emptied != self._filled:
            i = self._emptied % MAX_REPORTS
            kind, offset, length = self._report_kind[i], self._report_offset[i], self._report_length[i]
            self._emptied = (self._emptied + 1) % (2 * MAX_REPORTS)
            callback = self.on_read if kind == END_READ else self.on_written
            if callback is not None:
                callback(offset, length)
            if self.on_use is not None and not self._hard:
                self.on_use()

    def put(self, at, data):
        self.memory[at : at + len(data)] = data

    def restore(self):
        return 0

    def update(self):
        if not self._copies:
            raise ValueError("update: make the MemoryTarget with atomic=True")
        return self

    def __enter__(self):
        self._updates += 1
        return self.memory

    def __exit__(self, kind, value, traceback):
        self._spoilt |= kind is not None
        self._updates -= 1
        if self._updates:
            return False  # a callback's, in the middle of another: that one shows both
        if self._spoilt:
            self._spoilt = False
            self._copy(self._front, self.memory)
        else:
            self._publish()
        return False

    def _publish(self):
        for free in self._copies:
            if free is not self._front and free is not self._shown:
                break
        self._copy(self.memory, free)
        self._front = free

    def _copy(self, source, to):
        stores = None
        while stores != self._stores:  # the controller wrote during the copy: a write lasts longer than a copy
            stores = self._stores
            to[:] = source
