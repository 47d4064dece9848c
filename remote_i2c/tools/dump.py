"""dump: all registers of a device, as a table."""

from collections import namedtuple

from remote_i2c import bus as bits
from remote_i2c import smbus
from remote_i2c.errors import BusError
from remote_i2c.messages import MAX_BLOCK
from remote_i2c.tools.words import (
    ToolError,
    UsageError,
    bus_of,
    call,
    chip_address,
    is_no_answer,
    need,
    number,
    options,
)  # fmt: skip

USAGE = """Usage: pb-link i2c dump [-f] [-y] [-r FIRST-LAST] [-a] BUS CHIP-ADDRESS [MODE]
  BUS is /dev/i2c-N, sim:FILE, grpc://HOST:PORT/BUS, client:ID:BUS, or the name of a bus of the running server
  CHIP-ADDRESS is a number, 0x08 to 0x77, or 0x00 to 0x7f with -a
  MODE is b (byte, the default), w (word), W (word, of even registers), i (I2C block) or c (byte after byte);
    a p behind it: with a PEC"""

_NEEDED = {
    "b": ((bits.SMBUS_READ_BYTE_DATA, "SMBus read byte"),),
    "w": ((bits.SMBUS_READ_WORD_DATA, "SMBus read word"),),
    "W": ((bits.SMBUS_READ_WORD_DATA, "SMBus read word"),),
    "i": ((bits.SMBUS_READ_I2C_BLOCK, "I2C block read"),),
    "c": ((bits.SMBUS_READ_BYTE, "SMBus receive byte"), (bits.SMBUS_WRITE_BYTE, "SMBus send byte")),
}
_BYTES_HEAD = "     0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f    0123456789abcdef"
_WORDS_HEAD = "     0,8  1,9  2,a  3,b  4,c  5,d  6,e  7,f"

# implied: no mode was given; first, last: registers.
Plan = namedtuple("Plan", "bus yes force address mode pec implied first last")


def parse(words):
    """Returns the Plan. Raises: UsageError, ToolError."""
    found, words = options(words, "fya", "r")
    bus = bus_of(words)
    if not words:
        raise UsageError("No address specified!")
    address = chip_address(words.pop(0), "a" in found)
    word = words.pop(0) if words else ""
    mode, pec = word[:1] or "b", word[1:2] == "p"
    if mode not in _NEEDED or mode == "i" and pec:
        raise UsageError("Invalid mode!")
    if words:
        raise UsageError("Banks are not supported: set the register that selects one with pb-link i2c set!")
    first, last = _range(found["r"], mode) if "r" in found else (0, 0xFF)
    return Plan(bus, "y" in found, "f" in found, address, mode, pec, not word, first, last)


def _range(text, mode):
    begin, dash, end = text.partition("-")
    first, last = number(begin), number(end)
    if first is None or last is None or not first <= last <= 0xFF:
        raise ToolError("Error: Invalid range parameter!")
    if mode == "W" and (first % 2 or not last % 2):
        raise ToolError("Error: Range parameter not compatible with selected mode!")
    return first, last


def question(plan):
    return f"I will read registers of bus {plan.bus}, address {plan.address:#04x}, mode {plan.mode}."


async def run(plan, bus, console):
    if plan.implied:
        console.err("No size specified (using byte-data access)")
    for needed in _NEEDED[plan.mode]:
        need(bus, *needed)
    if plan.mode == "w":
        await _show_words(plan, bus, console)
    else:
        await _show_bytes(plan, bus, console)
    return 0


async def _show_words(plan, bus, console):
    console.out(_WORDS_HEAD)
    for row in range(plan.first & ~7, plan.last + 1, 8):
        cells = []
        for register in range(row, row + 8):
            word = await _word(plan, bus, register) if plan.first <= register <= plan.last else ()
            cells.append("    " if word == () else "XXXX" if word is None else f"{word:04x}")
        console.out(f"{row:02x}: " + "".join(f"{cell} " for cell in cells))


async def _show_bytes(plan, bus, console):
    read = await {"b": _by_register, "W": _by_word, "i": _by_block, "c": _one_after_the_other}[plan.mode](plan, bus)
    console.out(_BYTES_HEAD)
    for row in range(plan.first & ~15, plan.last + 1, 16):
        cells, characters = "", ""
        for register in range(row, row + 16):
            if not plan.first <= register <= plan.last:
                cells, characters = cells + "   ", characters + " "
                continue
            value = await read(register)
            cells += "XX " if value is None else f"{value:02x} "
            characters += _character(value)
        console.out(f"{row:02x}: {cells}   {characters}")


def _character(value):
    if value is None:
        return "X"
    if value in (0x00, 0xFF):
        return "."
    return chr(value) if 0x20 <= value < 0x7F else "?"


# Ways to read. Each returns an async function (register) that returns its byte, or None: it cannot be read.


async def _by_register(plan, bus):
    return lambda register: _or_none(bus, smbus.read_byte_data(plan.address, register, pec=plan.pec))


async def _by_word(plan, bus):
    words = {}

    async def byte(register):
        if not register % 2:
            words[register] = await _word(plan, bus, register)
        word = words[register & ~1]
        return None if word is None else word >> 8 * (register % 2) & 0xFF

    return byte


async def _by_block(plan, bus):
    data, at = b"", plan.first
    while at <= plan.last:
        size = min(MAX_BLOCK, plan.last + 1 - at)
        try:
            data += await call(bus, smbus.read_i2c_block_data(plan.address, at, size))
        except BusError as error:
            raise _failed("Block read", error)
        at += size

    async def byte(register):
        return data[register - plan.first]

    return byte


async def _one_after_the_other(plan, bus):
    try:
        await call(bus, smbus.write_byte(plan.address, plan.first, pec=plan.pec))
    except BusError as error:
        raise _failed("Write start address", error)
    return lambda register: _or_none(bus, smbus.read_byte(plan.address, pec=plan.pec))


def _failed(what, error):
    if not is_no_answer(error):
        return error
    return ToolError(f"Error: {what} failed, return code {-error.errno}")


def _word(plan, bus, register):
    return _or_none(bus, smbus.read_word_data(plan.address, register, pec=plan.pec))


async def _or_none(bus, made):
    """Returns the result of a Call, or None if the device does not answer."""
    try:
        return await call(bus, made)
    except BusError as error:
        if not is_no_answer(error):
            raise
        return None
