"""get: one register of a device."""

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
    hex_bytes,
    is_no_answer,
    need,
    number,
    options,
)  # fmt: skip

USAGE = """Usage: pb-link i2c get [-f] [-y] [-a] BUS CHIP-ADDRESS [DATA-ADDRESS [MODE [LENGTH]]]
  BUS is /dev/i2c-N, sim:FILE, grpc://HOST:PORT/BUS, client:ID:BUS, or the name of a bus of the running server
  CHIP-ADDRESS is a number, 0x08 to 0x77, or 0x00 to 0x7f with -a
  MODE is b (byte, the default), w (word), c (write the data address, read a byte),
    s (SMBus block) or i (I2C block of LENGTH bytes, 1 to 32, default 32); a p behind it: with a PEC"""

READ_FAILED = 2  # exit status
_RECEIVE = "receive"
_NEEDED = {
    _RECEIVE: ((bits.SMBUS_READ_BYTE, "SMBus receive byte"),),
    "c": ((bits.SMBUS_READ_BYTE, "SMBus receive byte"), (bits.SMBUS_WRITE_BYTE, "SMBus send byte")),
    "b": ((bits.SMBUS_READ_BYTE_DATA, "SMBus read byte"),),
    "w": ((bits.SMBUS_READ_WORD_DATA, "SMBus read word"),),
    "s": ((bits.SMBUS_READ_BLOCK_DATA, "SMBus block read"),),
    "i": ((bits.SMBUS_READ_I2C_BLOCK, "I2C block read"),),
}

Plan = namedtuple("Plan", "bus yes force address register mode pec length")


def parse(words):
    """Returns the Plan. Raises: UsageError."""
    found, words = options(words, "fya")
    if len(words) < 2:
        raise UsageError(None)
    bus = bus_of(words)
    address = chip_address(words.pop(0), "a" in found)
    register, mode, pec, length = None, _RECEIVE, False, MAX_BLOCK
    if words:
        register, mode = number(words.pop(0)), "b"
        if register is None or register > 0xFF:
            raise UsageError("Data address invalid!")
    if words:
        word = words.pop(0)
        mode, pec = word[:1], word[1:2] == "p"
        if mode not in ("b", "w", "c", "s", "i"):
            raise UsageError("Invalid mode!")
    if mode == "i" and pec:
        raise UsageError("PEC not supported for I2C block data!")
    if words:
        if mode != "i":
            raise UsageError("Length only valid for I2C block data!")
        length = number(words.pop(0))
        if length is None or not 1 <= length <= MAX_BLOCK:
            raise UsageError("Length invalid!")
    return Plan(bus, "y" in found, "f" in found, address, register, mode, pec, length)


def question(plan):
    register = "" if plan.register is None else f", data address {plan.register:#04x}"
    return f"I will read from bus {plan.bus}, chip address {plan.address:#04x}{register}."


async def run(plan, bus, console):
    for needed in _NEEDED[plan.mode]:
        need(bus, *needed)
    if plan.mode == "c":
        try:
            await call(bus, smbus.write_byte(plan.address, plan.register, pec=plan.pec))
        except BusError as error:
            if not is_no_answer(error):
                raise
            console.err("Warning - write failed")
    try:
        found = await call(bus, _read(plan))
    except BusError as error:
        if not is_no_answer(error):
            raise
        raise ToolError("Error: Read failed", READ_FAILED)
    if plan.mode in ("s", "i"):
        console.out(hex_bytes(found))
    else:
        console.out(f"0x{found:0{4 if plan.mode == 'w' else 2}x}")
    return 0


def _read(plan):
    address, register, pec = plan.address, plan.register, plan.pec
    if plan.mode in (_RECEIVE, "c"):
        return smbus.read_byte(address, pec=pec)
    if plan.mode == "i":
        return smbus.read_i2c_block_data(address, register, plan.length)
    make = {"b": smbus.read_byte_data, "w": smbus.read_word_data, "s": smbus.read_block_data}[plan.mode]
    return make(address, register, pec=pec)
