"""set: write one register of a device."""

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

USAGE = """Usage: pb-link i2c set [-f] [-y] [-m MASK] [-r] [-a] BUS CHIP-ADDRESS DATA-ADDRESS [VALUE] ... [MODE]
  BUS is /dev/i2c-N, sim:FILE, grpc://HOST:PORT/BUS, client:ID:BUS, or the name of a bus of the running server
  CHIP-ADDRESS is a number, 0x08 to 0x77, or 0x00 to 0x7f with -a
  MODE is c (the data address alone, the default without a VALUE), b (byte, the default), w (word),
    i (I2C block) or s (SMBus block); a p behind it: with a PEC
  -m: only the bits of MASK are changed; -r: the value is read back, and compared"""

_NEEDED = {
    "c": (bits.SMBUS_WRITE_BYTE, "SMBus send byte"),
    "b": (bits.SMBUS_WRITE_BYTE_DATA, "SMBus write byte"),
    "w": (bits.SMBUS_WRITE_WORD_DATA, "SMBus write word"),
    "s": (bits.SMBUS_WRITE_BLOCK_DATA, "SMBus block write"),
    "i": (bits.SMBUS_WRITE_I2C_BLOCK, "I2C block write"),
}
_HIGHEST = {"b": 0xFF, "w": 0xFFFF, "s": 0xFF, "i": 0xFF}

# values: list; mask: int or None; readback: whether the value is read and compared.
Plan = namedtuple("Plan", "bus yes force address register mode pec values mask readback")


def parse(words):
    """Returns the Plan. Raises: UsageError."""
    found, words = options(words, "fyra", "m")
    if len(words) < 3:
        raise UsageError(None)
    bus = bus_of(words)
    address = chip_address(words.pop(0), "a" in found)
    register = number(words.pop(0))
    if register is None or register > 0xFF:
        raise UsageError("Data address invalid!")
    mode, pec, words = _mode(words)
    if mode in ("s", "i") and "m" in found:
        raise UsageError("Mask not supported for block writes!")
    if mode in ("s", "i") and "r" in found:
        raise UsageError("Readback not supported for block writes!")
    values = [_value(word, mode) for word in words]
    return Plan(
        bus, "y" in found, "f" in found, address, register, mode, pec, values, _mask(found, mode), "r" in found
    )


def _mode(words):
    """Returns (mode, with a PEC, the words of the values)."""
    if not words:
        return "c", False, []
    last = words[-1]
    if len(words) == 1:
        return ("c", last == "cp", []) if last in ("c", "cp") else ("b", False, words)
    mode, pec = last[:1], last[1:] == "p"
    if mode not in ("b", "w", "s", "i") or len(last) > 1 and not pec:
        raise UsageError(f"Invalid mode '{last}'!")
    if mode == "i" and pec:
        raise UsageError("PEC not supported for I2C block writes!")
    words = words[:-1]
    if len(words) > (MAX_BLOCK if mode in ("s", "i") else 1):
        raise UsageError("Too many arguments!")
    return mode, pec, words


def _value(word, mode):
    value = number(word)
    if value is None:
        raise UsageError("Data value invalid!")
    if value > _HIGHEST[mode]:
        raise UsageError("Data value out of range!")
    return value


def _mask(found, mode):
    if "m" not in found:
        return None
    mask = number(found["m"])
    if not mask:
        raise UsageError("Data value mask invalid!")
    if mask > _HIGHEST.get(mode, 0xFF):
        raise UsageError("Data value mask out of range!")
    return mask


def question(plan):
    data = "".join(f" {value:#04x}" for value in plan.values)
    more = f", data{data}" if data else ""
    mask = "" if plan.mask is None else f", mask {plan.mask:#04x}"
    address = f"chip address {plan.address:#04x}, data address {plan.register:#04x}"
    return f"I will write to bus {plan.bus}, {address}{more}{mask}."


async def run(plan, bus, console):
    need(bus, *_NEEDED[plan.mode])
    values = plan.values
    if plan.mask is not None and values:
        try:
            old = await call(bus, _read(plan))
        except BusError as error:
            _refuse(error, "Error: Failed to read old value")
        values = [values[0] & plan.mask | old & ~plan.mask]
    try:
        await call(bus, _write(plan, values))
    except BusError as error:
        _refuse(error, "Error: Write failed")
    if plan.readback:
        await _read_back(plan, bus, console, values[0] if values else plan.register)
    return 0


def _refuse(error, text):
    if not is_no_answer(error):
        raise error
    raise ToolError(text)


async def _read_back(plan, bus, console, value):
    try:
        found = await call(bus, _read(plan))
    except BusError as error:
        if not is_no_answer(error):
            raise
        console.out("Warning - readback failed")
        return
    digits = 4 if plan.mode == "w" else 2
    if found == value:
        console.out(f"Value 0x{value:0{digits}x} written, readback matched")
    else:
        console.out(f"Warning - data mismatch - wrote 0x{value:0{digits}x}, read back 0x{found:0{digits}x}")


def _write(plan, values):
    address, register, pec = plan.address, plan.register, plan.pec
    if plan.mode == "c":
        return smbus.write_byte(address, register, pec=pec)
    if plan.mode == "i":
        return smbus.write_i2c_block_data(address, register, values)
    if plan.mode == "s":
        return smbus.write_block_data(address, register, values, pec=pec)
    make = smbus.write_word_data if plan.mode == "w" else smbus.write_byte_data
    return make(address, register, values[0], pec=pec)


def _read(plan):
    if plan.mode == "c":
        return smbus.read_byte(plan.address, pec=plan.pec)
    make = smbus.read_word_data if plan.mode == "w" else smbus.read_byte_data
    return make(plan.address, plan.register, pec=plan.pec)
