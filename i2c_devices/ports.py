"""All that differs between MicroPython's ports as I2C targets, decided at construction.

A device asks its `TargetPort` what the board can do, and raises at once, with a sentence, for what it cannot. The
facts are those of docs/i2c-devices.md, read in MicroPython's documentation and source; not run on hardware.
"""

import sys
from collections import namedtuple

try:
    from micropython import schedule
except ImportError:  # CPython

    def schedule(function, argument):
        """Have the function called soon, outside of the interrupt."""
        function(argument)


if sys.implementation.name == "micropython":
    from io import IOBase as Pollable  # `select.poll` and asyncio's streams call its `ioctl`
else:

    class Pollable:
        """A base class that CPython does not need."""


# name: sys.platform of the port.
# byte_events: a target without memory works, and asks Python for each byte in a hard interrupt.
# hard: `irq(.., hard=True)` works.
# call_bytes: one call of `readinto` brings at most this many bytes; 1: a data register, more: a FIFO.
# prefetched: bytes that a read asks for beyond those that the controller takes.
# whole_memory: no transfer may be longer than the memory, memory address included, and every read must select its
#     address first: the port hands the whole memory to its driver when a read begins.
Port = namedtuple("Port", "name byte_events hard call_bytes prefetched whole_memory")

STM32 = Port("pyboard", True, True, 1, 1, False)
RP2 = Port("rp2", True, True, 16, 1, False)
SAMD = Port("samd", True, True, 1, 1, False)
MIMXRT = Port("mimxrt", True, True, 1, 1, False)
ALIF = Port("alif", True, True, 16, 1, False)
ZEPHYR = Port("zephyr", False, False, 1, 0, False)
ESP32 = Port("esp32", False, False, 1, 0, True)
PORTS = (STM32, RP2, SAMD, MIMXRT, ALIF, ZEPHYR, ESP32)


def port_named(name):
    """The Port of that sys.platform. One that is not in the table can do what all can: memory and soft events."""
    for port in PORTS:
        if port.name == name:
            return port
    return Port(name, False, False, 1, 0, False)


# Pins. Of what `Pin.init` takes, only this is the same everywhere: after `init(OPEN_DRAIN, value=0)` a pin of samd is
# not low, and zephyr's OPEN_DRAIN is no output.


def drive(pin, level):
    """Make the Pin an output of this level, whatever it was before. A level written to an input is lost."""
    pin.init(pin.OUT, value=level)


def let_go(pin):
    """Make the Pin an input, pulled up."""
    pin.init(pin.IN, pin.PULL_UP)


class TargetPort:
    """The way in which this board becomes an I2C target.

    It is kept, because the target is opened again each time the bus has been released.

    Args:
        factory: machine.I2CTarget, or something like it.
        *args, **kwargs: its arguments without mem and mem_addrsize, e.g.
            TargetPort(I2CTarget, "X", addr=0x12) on a Pyboard,
            TargetPort(I2CTarget, 0, addr=0x12, scl=Pin(1), sda=Pin(0)) on a Pico.
        port: Port; None: that of this board.
    """

    def __init__(self, factory, *args, port=None, **kwargs):
        self.port = port or port_named(sys.platform)
        self._factory = factory
        self._args = args
        self._kwargs = kwargs

    def lines(self, pin_class):
        """scl and sda as a list of (name, Pin), for validate_pins; [] if the port does not say which they are.

        Raises: ValueError if they are absent on a port whose boards differ in them.
        """
        from i2c_devices.pins import lines  # here, because only the start needs it

        return lines(self.port.name, self._args, self._kwargs, pin_class)

    def open(self, mem, mem_addrsize):
        """The I2CTarget that is a memory."""
        return self._factory(*self._args, mem=mem, mem_addrsize=mem_addrsize, **self._kwargs)

    def open_bytes(self):
        """The I2CTarget that asks for each byte."""
        return self._factory(*self._args, **self._kwargs)

    def schedule(self, function):
        """Have function(0) called soon, outside of the interrupt. False if the scheduler's queue is full."""
        try:
            schedule(function, 0)
        except RuntimeError:
            return False
        return True

    def validate_memory(self, size, address_bits):
        """Raise ValueError if this board cannot be a memory of this size."""
        if address_bits not in (8, 16):
            raise ValueError("a memory address has 8 or 16 bits, not %r" % (address_bits,))
        if size < 1:
            raise ValueError("a memory has at least 1 byte: MicroPython's driver divides by its length")
        if size > 1 << address_bits:
            raise ValueError("%d bytes of memory need more than %d address bits" % (size, address_bits))
        if self.port.whole_memory and size <= address_bits // 8:
            raise ValueError(
                "on %s a transfer is no longer than the memory, so %d bytes have no room for an address and data"
                % (self.port.name, size)
            )

    def validate_byte_events(self, wanted):
        """Raise ValueError if this board's target cannot ask Python for each byte. wanted: what needs it."""
        if not self.port.byte_events:
            raise ValueError(
                "%s needs an I2CTarget that interrupts for each byte, and that of %s does not"
                % (wanted, self.port.name)
            )

    def validate_hard(self):
        """Raise ValueError if this board has no hard interrupts of the target."""
        if not self.port.hard:
            raise ValueError("on %s the interrupts of an I2CTarget are soft only" % self.port.name)
