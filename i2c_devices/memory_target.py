"""A memory device: an I2C target whose memory the controller reads and writes.

    write  START addr+W  memory address  data ...  STOP
    read   START addr+W  memory address  START addr+R  data ...  STOP

The memory address is big-endian, 1 or 2 bytes, taken modulo the memory's size; reads and writes wrap.

Two engines move the bytes. The *memory engine* is MicroPython's own, in C inside the interrupt handler: it works on
every port, and no Python runs for a byte; soft events tell that something was moved, and may coalesce or be lost, so
look at the memory, never count events. The *byte engine* (`byte_engine.py`) answers each byte in a hard interrupt
handler: slower, on some ports only, but it counts bytes, guards ranges and shows updates whole.
"""

from i2c_devices.guarded_engine import GuardedEngine
from i2c_devices.port_table import validate_byte_events, validate_memory


class MemoryTarget:
    """A memory in its own program.

    Args:
        port: i2c_devices.ports.TargetPort.
        size: bytes of memory.
        on_use: function of no arguments, called after the controller has read
            or written. It may be called from a soft interrupt handler.
        address_bits: of the memory address, 8 or 16.
        memory_read, memory_written: functions (offset, length), called from a
            soft interrupt handler after the controller has moved data. length:
            bytes; None with the memory engine, whose ports do not report it;
            offset is then the last address that was selected, by this or by a
            later transaction.
        read_only: (first, end) pairs of offsets that the controller cannot
            change. With the memory engine what it wrote there is undone by the
            next event, or `restore`; with the byte engine it is never stored.
            `refused` counts: ranges that were restored, or bytes.
        atomic: `with update()` can be used.
        exact: lengths are known, and read-only ranges hold at each byte.
            Either one takes the byte engine.

    Raises:
        ValueError: the board's port cannot do it; the text says why.
    """

    def __init__(
        self,
        port,
        size,
        on_use=None,
        address_bits=16,
        *,
        memory_read=None,
        memory_written=None,
        read_only=(),
        atomic=False,
        exact=False,
    ):
        validate_memory(port.port, size, address_bits)
        for first, end in read_only:
            if not 0 <= first < end <= size:
                raise ValueError("read_only: no range of the memory: %r" % ((first, end),))
        if atomic or exact:
            validate_byte_events(port.port, "atomic=True" if atomic else "exact=True")
            from i2c_devices.byte_engine import ByteEngine

            engine = ByteEngine(port, size, address_bits, read_only, atomic)
        else:
            engine = GuardedEngine(port, size, address_bits, read_only)
        engine.on_use = on_use
        engine.on_read = memory_read
        engine.on_written = memory_written
        self._engine = engine
        # Function (at, data): write data into the memory: the only way to change a read-only range. It does not wrap.
        self.put = engine.put
        # What the controller sees; with `atomic`, what it sees after the next update.
        self.memory = engine.memory

    def open(self):
        """Answer on the bus."""
        self._engine.open()

    def close(self):
        """Leave the bus: scl and sda are released, whatever the controller was doing."""
        self._engine.close()

    def set_hard(self, hard):
        """Call on_use from a hard or a soft interrupt handler. Raises: ValueError if the port has no hard ones."""
        self._engine.set_hard(hard)

    def restore(self):
        """Undo what the controller wrote into read-only ranges. Does not allocate. Returns the ranges restored."""
        return self._engine.restore()

    def poll(self):
        """Call the callbacks that an interrupt could not call."""
        self._engine.poll()

    def update(self):
        """Change several bytes as one: `with target.update() as memory:`.

        A read that has begun sees the old block to its end, a later one the new block. After an exception the old
        block stands. An update in a callback, in the middle of another one, is shown or given up with that.
        """
        return self._engine.update()

    @property
    def refused(self):
        return self._engine.refused

    @property
    def lost_reports(self):
        """Callbacks that were not called, because too many waited."""
        return self._engine.lost_reports
