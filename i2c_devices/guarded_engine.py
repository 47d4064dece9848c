"""The memory engine with what a MemoryTarget offers beyond it: read-only ranges, hard interrupts, callbacks."""

from i2c_devices.memory_engine import MemoryEngine
from i2c_devices.port_table import validate_hard

END_READ = 16  # machine.I2CTarget.IRQ_END_READ
END_WRITE = 32


class GuardedEngine(MemoryEngine):
    """The engine of a MemoryTarget that is neither exact nor atomic. Arguments are those of MemoryTarget."""

    def __init__(self, port, size, address_bits, read_only):
        super().__init__(port, size, None, address_bits)
        self.on_read = self.on_written = None
        self.refused = 0  # ranges that were restored
        self.lost_reports = 0  # that is, not known
        self._on_event_ref = self._on_event  # bound once: an interrupt must not allocate
        self._irq = None
        self._hard = False
        self._putting = 0  # calls of `put` in progress: the two copies differ, and nobody else did it
        self._unrestored = False  # an event came meanwhile
        self._ranges = tuple(read_only)
        if self._ranges:
            self._kept = bytearray(size)  # what the target has put there
            self._pairs = [
                (memoryview(self.memory)[first:end], memoryview(self._kept)[first:end]) for first, end in read_only
            ]

    def _listen(self):
        if self._hard:
            self._irq = self._target.irq(self._on_event_ref, END_READ | END_WRITE, hard=True)
        else:
            self._irq = self._target.irq(self._on_event_ref)

    def set_hard(self, hard):
        if hard:
            validate_hard(self._port.port)
        if hard != self._hard:
            self._hard = hard
            if self._target is not None:
                self._listen()

    def close(self):
        super().close()
        self._irq = None

    def _on_event(self, target):
        """Handle the target's interrupt. Nothing is allocated, unless a callback does."""
        if self._ranges:
            self.restore()
        if self.on_use is not None:
            self.on_use()
        if self._target is None:
            return  # a soft event that was on its way when the target was closed
        if self.on_read is not None or self.on_written is not None:
            self._report(target)

    def _report(self, target):
        flags = (self._irq or target.irq()).flags()  # the event may come before `irq` has returned
        if flags & END_READ and self.on_read is not None:
            self.on_read(target.memaddr, None)
        if flags & END_WRITE and self.on_written is not None:
            self.on_written(target.memaddr, None)

    def put(self, at, data):
        self._putting += 1
        try:
            if self._ranges:
                self._kept[at : at + len(data)] = data
            self.memory[at : at + len(data)] = data
        finally:
            self._putting -= 1
        if self._unrestored and not self._putting:
            self.restore()

    def restore(self):
        if self._putting:
            self._unrestored = True
            return 0
        self._unrestored = False
        restored = 0
        for i in range(len(self._ranges)):
            shown, kept = self._pairs[i]
            if shown != kept:
                # Byte by byte: a slice would be an object.
                for at in range(len(shown)):
                    shown[at] = kept[at]
                restored += 1
        self.refused += restored
        return restored

    def poll(self):
        pass

    def update(self):
        raise ValueError("update: make the MemoryTarget with atomic=True")
