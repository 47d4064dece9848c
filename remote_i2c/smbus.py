"""The calls of SMBus as transfers of messages. Pure: nothing is sent here.

    call = read_word_data(0x48, 0x00)
    value = call.result(await bus.transfer(call.messages))

Words are little-endian. Source: SMBus specification 3.2, 6.5; which calls carry a PEC: the kernel's
drivers/i2c/i2c-core-smbus.c, i2c_smbus_xfer_emulated.
"""

from typing import Callable, NamedTuple

from remote_i2c.errors import damaged
from remote_i2c.messages import MAX_BLOCK, Message, read, read_counted, write

_POLYNOMIAL = 0x07  # of the PEC: x^8 + x^2 + x + 1


class Call(NamedTuple):
    """One call: the messages of its transfer; result: a function of what `Bus.transfer` returned, which gives what the
    call returns, and raises BusError(EIO) if that cannot be right."""

    messages: list[Message]
    result: Callable[[list[bytes]], object]


def read_byte(address, *, pec=False):
    """Receive byte: an int."""
    return _call(address, None, 1, _byte, pec)


def write_byte(address, value, *, pec=False):
    """Send byte."""
    return _call(address, bytes((_octet(value, "value"),)), None, _nothing, pec)


def read_byte_data(address, register, *, pec=False):
    """An int: the byte of a register."""
    return _call(address, _register(register), 1, _byte, pec)


def write_byte_data(address, register, value, *, pec=False):
    """Write the byte of a register."""
    return _call(address, _register(register) + bytes((_octet(value, "value"),)), None, _nothing, pec)


def read_word_data(address, register, *, pec=False):
    """An int: the word of a register."""
    return _call(address, _register(register), 2, _word, pec)


def write_word_data(address, register, value, *, pec=False):
    """Write the word of a register."""
    return _call(address, _register(register) + _word_bytes(value), None, _nothing, pec)


def process_call(address, register, value, *, pec=False):
    """An int: the word that the device answers to a word."""
    return _call(address, _register(register) + _word_bytes(value), 2, _word, pec)


def read_block_data(address, register, *, pec=False):
    """Bytes, 1 to 32: the device says how many."""
    return _call(address, _register(register), "counted", _block, pec)


def write_block_data(address, register, data, *, pec=False):
    """Write 1 to 32 bytes with their count in front."""
    return _call(address, _register(register) + _counted(data), None, _nothing, pec)


def block_process_call(address, register, data, *, pec=False):
    """Bytes: the block that the device answers to a block."""
    return _call(address, _register(register) + _counted(data), "counted", _block, pec)


def read_i2c_block_data(address, register, length):
    """Bytes: so many of them, 1 to 32, from a register on. Without a PEC."""
    if not 1 <= length <= MAX_BLOCK:
        raise ValueError(f"a block has 1 to {MAX_BLOCK} bytes, not {length}")
    return _call(address, _register(register), length, _bytes, False)


def write_i2c_block_data(address, register, data):
    """Write up to 32 bytes from a register on. Without a PEC."""
    data = bytes(data)
    if len(data) > MAX_BLOCK:
        raise ValueError(f"a block has at most {MAX_BLOCK} bytes, not {len(data)}")
    return _call(address, _register(register) + data, None, _nothing, False)


def pec_of(data, crc=0):
    """Returns the packet error code of these bytes, which begin with the address as on the wire."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (_POLYNOMIAL if crc & 0x80 else 0)) & 0xFF
    return crc


def _call(address, written, size, decode, pec):
    """written: bytes, or None; size: bytes to read, "counted", or None; decode: of what was read, without its PEC."""
    messages = []
    if written is not None:
        if pec and size is None:
            written += bytes((pec_of(bytes((address << 1,)) + written),))
        messages.append(write(address, written))
    if size == "counted":
        messages.append(read_counted(address, behind=1 if pec else 0))
    elif size is not None:
        messages.append(read(address, size + (1 if pec else 0)))

    def result(answers):
        if size is None:
            return decode(b"", address)
        answer = answers[-1]
        if pec:
            before = b"" if written is None else bytes((address << 1,)) + written
            if pec_of(before + bytes((address << 1 | 1,)) + answer):
                raise damaged(address, "the packet error code (PEC) of the answer is wrong")
            answer = answer[:-1]
        return decode(answer, address)

    return Call(messages, result)


def _nothing(answer, address):
    return None


def _byte(answer, address):
    return answer[0]


def _word(answer, address):
    return int.from_bytes(answer, "little")


def _bytes(answer, address):
    return answer


def _block(answer, address):
    if not 1 <= answer[0] <= MAX_BLOCK or len(answer) != 1 + answer[0]:
        raise damaged(address, f"the device told a block of {answer[0]} bytes: 1 to {MAX_BLOCK} are possible")
    return answer[1:]


def _octet(value, what):
    if not isinstance(value, int):
        raise TypeError(f"{what} is an int, not {type(value).__name__}")
    if not 0 <= value <= 0xFF:
        raise ValueError(f"{what} {value} is not 0 to 255")
    return value


def _register(register):
    return bytes((_octet(register, "register"),))


def _word_bytes(value):
    if not isinstance(value, int):
        raise TypeError(f"value is an int, not {type(value).__name__}")
    if not 0 <= value <= 0xFFFF:
        raise ValueError(f"value {value} is not 0 to 65535")
    return value.to_bytes(2, "little")


def _counted(data):
    data = bytes(data)
    if not 1 <= len(data) <= MAX_BLOCK:
        raise ValueError(f"a block has 1 to {MAX_BLOCK} bytes, not {len(data)}")
    return bytes((len(data),)) + data
