"""A memory device: an I2C target whose memory the controller reads and writes.

    write  START addr+W  memory address (2 bytes)  data ...  STOP
    read   START addr+W  memory address (2 bytes)  START addr+R  data ...  STOP

On the target's side bytes move inside MicroPython's interrupt handler, no
Python runs for them; soft events tell that something was moved, and may
coalesce or be lost, so look at the memory, never count events.
"""


class TargetPort:
    """How this board becomes an I2C target: kept, because the target is opened
    again each time the bus has been released.

    Args:
        factory: machine.I2CTarget, or something like it.
        *args, **kwargs: its arguments without mem and mem_addrsize, e.g.
            TargetPort(I2CTarget, "X", addr=0x12) on a Pyboard,
            TargetPort(I2CTarget, 0, addr=0x12, scl=Pin(1), sda=Pin(0)) on a Pico.
    """

    def __init__(self, factory, *args, **kwargs):
        self._factory = factory
        self._args = args
        self._kwargs = kwargs

    def open(self, mem, mem_addrsize):
        return self._factory(*self._args, mem=mem, mem_addrsize=mem_addrsize, **self._kwargs)


class MemoryTarget:
    """The target's side.

    Args:
        port: TargetPort.
        size: bytes of memory.
        on_use: function of no arguments, called after the controller has read
            or written. It may be called from a soft interrupt handler.
        address_bits: of the memory address, 8 or 16.
    """

    def __init__(self, port, size, on_use, address_bits=16):
        self.memory = bytearray(size)
        self._port = port
        self._address_bits = address_bits
        self._on_use = on_use
        self._on_event_ref = self._on_event  # bound once: an interrupt must not allocate
        self._target = None

    def open(self):
        """Answer on the bus."""
        if self._target is None:
            self._target = self._port.open(self.memory, self._address_bits)
            self._target.irq(self._on_event_ref)

    def close(self):
        """Leave the bus: scl and sda are released, whatever the controller was doing."""
        if self._target is not None:
            self._target.deinit()
            self._target = None

    def _on_event(self, target):
        self._on_use()
