"""What each of MicroPython's ports can do as an I2C target, and the errors that say so, raised at construction.

Apart from `ports.py`, because the link needs none of it. The facts are those of docs/i2c-devices.md, read in
MicroPython's documentation and source; not run on hardware.
"""

from collections import namedtuple

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


def validate_memory(port, size, address_bits):
    """Raise ValueError if a board of this Port cannot be a memory of this size."""
    if address_bits not in (8, 16):
        raise ValueError("a memory address has 8 or 16 bits, not %r" % (address_bits,))
    if size < 1:
        raise ValueError("a memory has at least 1 byte: MicroPython's driver divides by its length")
    if size > 1 << address_bits:
        raise ValueError("%d bytes of memory need more than %d address bits" % (size, address_bits))
    if port.whole_memory and size <= address_bits // 8:
        raise ValueError(
            "on %s a transfer is no longer than the memory, so %d bytes have no room for an address and data"
            % (port.name, size)
        )


def validate_byte_events(port, wanted):
    """Raise ValueError if this board's target cannot ask Python for each byte. wanted: what needs it."""
    if not port.byte_events:
        raise ValueError(
            "%s needs an I2CTarget that interrupts for each byte, and that of %s does not" % (wanted, port.name)
        )


def validate_hard(port):
    """Raise ValueError if this board has no hard interrupts of the target."""
    if not port.hard:
        raise ValueError("on %s the interrupts of an I2CTarget are soft only" % port.name)
