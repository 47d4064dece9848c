"""The memory engine: `machine.I2CTarget` with mem. MicroPython moves the bytes; Python hears of it later, or not.

This much is all that the link needs. `guarded_engine.py` has what a MemoryTarget offers beyond it.
"""

from struct import pack_into

from protocol import const

_CELL = const(16)  # bytes of the cell that the link writes for each transfer: a slice would be its garbage


class MemoryEngine:
    """A memory that the controller reads and writes.

    Args: port: i2c_devices.ports.TargetPort; size: bytes; on_use: function of no arguments or None, called in a soft
    interrupt after the controller has read or written; address_bits: 8 or 16.
    """

    def __init__(self, port, size, on_use, address_bits=16):
        self.memory = bytearray(size)
        self.on_use = on_use
        self._port = port
        self._address_bits = address_bits
        self._target = None

    def open(self):
        if self._target is None:
            self._target = self._port.open(self.memory, self._address_bits)
            try:
                self._listen()
            except MemoryError:
                self.close()  # without events it would be slow for ever
                raise

    def _listen(self):
        self._target.irq(self._on_event)

    def close(self):
        if self._target is not None:
            self._target.deinit()
            self._target = None

    def _on_event(self, target):
        """Handle the target's interrupt. Nothing is allocated, unless a callback does."""
        self.on_use()

    def put(self, at, data):
        """Write data into the memory. It does not wrap."""
        if len(data) == _CELL and type(data) is bytearray:  # CPython packs no memoryview
            pack_into("16s", self.memory, at, data)
        else:
            self.memory[at : at + len(data)] = data
