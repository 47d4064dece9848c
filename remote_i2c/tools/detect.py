"""detect: a table of the addresses at which a device answers; what a bus can do (-F)."""

from collections import namedtuple
from errno import EACCES, EBUSY

from remote_i2c import bus as bits
from remote_i2c.errors import BusError
from remote_i2c.messages import read
from remote_i2c.tools.words import ToolError, UsageError, address_range, bus_of, is_no_answer, number, options

USAGE = """Usage: pb-link i2c detect [-y] [-a] [-q|-r] BUS [FIRST LAST]
       pb-link i2c detect -F BUS
  BUS is /dev/i2c-N, sim:FILE, grpc://HOST:PORT/BUS, client:ID:BUS, or the name of a bus of the running server
  FIRST and LAST limit the addresses that are probed
  -q: by a write without data; -r: by a read of a byte; else by what harms least"""

NO_ANSWER, IN_USE, UNKNOWN = "--", "UU", "  "
_AUTO, _QUICK, _READ = "auto", "quick", "read"
# A write without data could change what stands there: EEPROMs and the like. So these are read.
_READ_RANGES = (range(0x30, 0x38), range(0x50, 0x60))
_FUNCTIONS = (
    ("I2C", bits.I2C),
    ("SMBus Quick Command", bits.SMBUS_QUICK),
    ("SMBus Send Byte", bits.SMBUS_WRITE_BYTE),
    ("SMBus Receive Byte", bits.SMBUS_READ_BYTE),
    ("SMBus Write Byte", bits.SMBUS_WRITE_BYTE_DATA),
    ("SMBus Read Byte", bits.SMBUS_READ_BYTE_DATA),
    ("SMBus Write Word", bits.SMBUS_WRITE_WORD_DATA),
    ("SMBus Read Word", bits.SMBUS_READ_WORD_DATA),
    ("SMBus Process Call", bits.SMBUS_PROC_CALL),
    ("SMBus Block Write", bits.SMBUS_WRITE_BLOCK_DATA),
    ("SMBus Block Read", bits.SMBUS_READ_BLOCK_DATA),
    ("SMBus Block Process Call", bits.SMBUS_BLOCK_PROC_CALL),
    ("SMBus PEC", bits.SMBUS_PEC),
    ("I2C Block Write", bits.SMBUS_WRITE_I2C_BLOCK),
    ("I2C Block Read", bits.SMBUS_READ_I2C_BLOCK),
)

Plan = namedtuple("Plan", "bus yes force functions mode first last")


def parse(words):
    """Returns the Plan. Raises: UsageError, ToolError."""
    found, words = options(words, "yaqrF")
    if "q" in found and "r" in found:
        raise ToolError("Error: Different modes specified!")
    mode = _QUICK if "q" in found else _READ if "r" in found else _AUTO
    bus = bus_of(words)
    first, last = address_range("a" in found)
    if words and "F" not in found:
        first, last = _range(words, first, last)
    return Plan(bus, "y" in found or "F" in found, False, "F" in found, mode, first, last)


def _range(words, lowest, highest):
    if len(words) != 2:
        raise UsageError(None)
    first, last = map(number, words)
    if first is None or last is None:
        raise UsageError(f"{'FIRST' if first is None else 'LAST'} argument is not a number!")
    if not lowest <= first <= highest:
        raise UsageError(f"FIRST argument out of range ({lowest:#04x}-{highest:#04x})!")
    if not first <= last <= highest:
        raise UsageError(f"LAST argument out of range ({first:#04x}-{highest:#04x})!")
    return first, last


def question(plan):
    return f"I will probe bus {plan.bus}, addresses {plan.first:#04x} to {plan.last:#04x}."


async def run(plan, bus, console):
    if plan.functions:
        console.out(f"Functionalities implemented by {plan.bus}:")
        for name, bit in _FUNCTIONS:
            console.out(f"{name:<32} {'yes' if bus.functions & bit else 'no'}")
        return 0
    _check(plan, bus, console)
    console.out("     " + "  ".join(f"{column:x}" for column in range(16)))
    left_out = False
    for row in range(0, 128, 16):
        cells = []
        for address in range(row, row + 16):
            inside = plan.first <= address <= plan.last
            found = await cell(bus, address, plan.mode) if inside else UNKNOWN
            left_out |= found is None
            cells.append(found or UNKNOWN)
        console.out(f"{row:02x}: " + "".join(f"{one} " for one in cells))
    if left_out:
        console.err("Warning: addresses that are not allowed were left out")
    return 0


def _check(plan, bus, console):
    for mode, bit, name in (
        (_QUICK, bits.SMBUS_QUICK, "Quick Write"), (_READ, bits.SMBUS_READ_BYTE, "Receive Byte")
    ):  # fmt: skip
        if bus.functions & bit:
            continue
        if not bus.functions & (bits.SMBUS_QUICK | bits.SMBUS_READ_BYTE):
            raise ToolError("Error: Bus doesn't support detection commands")
        if plan.mode == mode:
            raise ToolError(f"Error: Can't use SMBus {name} command on this bus")
        if plan.mode == _AUTO:
            console.err(f"Warning: Can't use SMBus {name} command, will skip some addresses")


async def cell(bus, address, mode=_AUTO):
    """Look whether a device answers, by what harms least if the mode says nothing else. Returns two characters: its
    address; NO_ANSWER; IN_USE: a driver has it; UNKNOWN: the bus cannot look. None: the address is not allowed.

    Raises: BusError: anything else."""
    reads = any(address in addresses for addresses in _READ_RANGES) if mode == _AUTO else mode == _READ
    if not bus.functions & (bits.SMBUS_READ_BYTE if reads else bits.SMBUS_QUICK):
        return UNKNOWN
    try:
        if reads:
            await bus.transfer([read(address, 1)])
        else:
            await bus.quick(address, False)
    except BusError as error:
        if error.errno == EACCES:
            return None
        if error.errno == EBUSY:
            return IN_USE
        if is_no_answer(error):
            return NO_ANSWER
        raise
    return f"{address:02x}"
