"""The address of a device on a bus with multiplexers: one int, `address | slot << 8`.

address: 7 bits, FIRST..LAST. slot: 0 is the main bus, 1..64 is a channel of a multiplexer. As text an address is hex
without 0x: "76a" is address 0x6a in slot 7. The slot has 7 bits, so slot 64 is no other name of slot 0.
"""

from protocol import const

# 0x00..0x03 and 0x78..0x7f are reserved (UM10204 rev 7.0, table 3); 0x03 and below are never probed.
FIRST = const(0x04)
LAST = const(0x77)
MAX_SLOT = const(64)
CHANNELS = const(8)  # of one multiplexer


def join(address, slot=0):
    """Returns the address of a device. Raises: ValueError if it is no address, or no slot."""
    if not FIRST <= address <= LAST:
        raise ValueError("an I2C address must be 0x%02x..0x%02x, not %r" % (FIRST, LAST, address))
    if not 0 <= slot <= MAX_SLOT:
        raise ValueError("a slot must be 0..%d, not %r" % (MAX_SLOT, slot))
    return address | slot << 8


def slot_of(index, channel):
    """Returns the slot of a multiplexer's channel. Args: index: of the multiplexer, its address less minAddr, 0..7."""
    return index * CHANNELS + channel + 1


def address_text(address):
    """Returns the text: "38", or "76a" in slot 7."""
    return "%x" % address


def parse_address(text):
    """Returns the address that address_text has written. Raises: ValueError."""
    try:
        found = int(text, 16)
    except (ValueError, TypeError):
        raise ValueError("an address must be hex without 0x, as 76a, not %r" % (text,))
    if not isinstance(text, str) or "%x" % found != text.lower():  # a sign, blanks, 0x, zeros in front
        raise ValueError("an address must be hex without 0x, as 76a, not %r" % (text,))
    return join(found & 0xFF, found >> 8)


def device_id(bus, address):
    """Returns the id of a device: "1_76a". Args: bus: number of the bus."""
    return "%d_%x" % (bus, address)


def parse_device_id(text):
    """Returns (number of the bus, address). Raises: ValueError."""
    bus, separator, address = str(text).partition("_")
    if not separator or not bus or not all("0" <= digit <= "9" for digit in bus) or len(bus) > 3:
        raise ValueError("a device id must be as 1_76a, not %r" % (text,))
    return int(bus), parse_address(address)
