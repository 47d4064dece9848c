"""i2c_msg and I2cFunc, as programs know them from smbus2. Layout and numbers are the kernel's.

Source: the kernel's include/uapi/linux/i2c.h, struct i2c_msg and I2C_FUNC_*.
"""

import ctypes
from enum import IntFlag

from remote_i2c import bus

I2C_M_RD = 0x0001


class I2cFunc(IntFlag):
    """What a bus can do: bits of `SMBus.funcs`."""

    I2C = bus.I2C
    ADDR_10BIT = bus.TEN_BIT
    PROTOCOL_MANGLING = bus.PROTOCOL_MANGLING
    SMBUS_PEC = bus.SMBUS_PEC
    NOSTART = 0x00000010
    SLAVE = 0x00000020
    SMBUS_BLOCK_PROC_CALL = bus.SMBUS_BLOCK_PROC_CALL
    SMBUS_QUICK = bus.SMBUS_QUICK
    SMBUS_READ_BYTE = bus.SMBUS_READ_BYTE
    SMBUS_WRITE_BYTE = bus.SMBUS_WRITE_BYTE
    SMBUS_READ_BYTE_DATA = bus.SMBUS_READ_BYTE_DATA
    SMBUS_WRITE_BYTE_DATA = bus.SMBUS_WRITE_BYTE_DATA
    SMBUS_READ_WORD_DATA = bus.SMBUS_READ_WORD_DATA
    SMBUS_WRITE_WORD_DATA = bus.SMBUS_WRITE_WORD_DATA
    SMBUS_PROC_CALL = bus.SMBUS_PROC_CALL
    SMBUS_READ_BLOCK_DATA = bus.SMBUS_READ_BLOCK_DATA
    SMBUS_WRITE_BLOCK_DATA = bus.SMBUS_WRITE_BLOCK_DATA
    SMBUS_READ_I2C_BLOCK = bus.SMBUS_READ_I2C_BLOCK
    SMBUS_WRITE_I2C_BLOCK = bus.SMBUS_WRITE_I2C_BLOCK
    SMBUS_HOST_NOTIFY = 0x10000000

    SMBUS_BYTE = SMBUS_READ_BYTE | SMBUS_WRITE_BYTE
    SMBUS_BYTE_DATA = SMBUS_READ_BYTE_DATA | SMBUS_WRITE_BYTE_DATA
    SMBUS_WORD_DATA = SMBUS_READ_WORD_DATA | SMBUS_WRITE_WORD_DATA
    SMBUS_BLOCK_DATA = SMBUS_READ_BLOCK_DATA | SMBUS_WRITE_BLOCK_DATA
    SMBUS_I2C_BLOCK = SMBUS_READ_I2C_BLOCK | SMBUS_WRITE_I2C_BLOCK
    SMBUS_EMUL = 0x0EFF0008


class i2c_msg(ctypes.Structure):  # noqa: N801
    """A message of `SMBus.i2c_rdwr`. Made by `read` and `write`; iterating it, `bytes` and `list` give its bytes.

    addr, flags, len: ints; buf: pointer to the bytes."""

    _fields_ = [
        ("addr", ctypes.c_uint16),
        ("flags", ctypes.c_uint16),
        ("len", ctypes.c_uint16),
        ("buf", ctypes.POINTER(ctypes.c_char)),
    ]

    @staticmethod
    def read(address, length):
        """Returns the message that reads so many bytes."""
        return _message(address, I2C_M_RD, bytes(length))

    @staticmethod
    def write(address, buf):
        """Returns the message that writes buf: bytes, a str of characters up to U+00FF, or an iterable of ints."""
        return _message(address, 0, buf.encode("latin-1") if isinstance(buf, str) else bytes(buf))

    def __len__(self):
        return self.len

    def __bytes__(self):
        return ctypes.string_at(self.buf, self.len)

    def __iter__(self):
        return iter(bytes(self))

    def __repr__(self):
        return f"i2c_msg({self.addr},{self.flags},{bytes(self)!r})"

    def __str__(self):
        return bytes(self).decode("ascii", "replace")


def _message(address, flags, data):
    # The array is kept by the pointer that is made of it.
    buffer = ctypes.create_string_buffer(data, len(data)) if data else ctypes.create_string_buffer(1)
    return i2c_msg(address, flags, len(data), ctypes.cast(buffer, ctypes.POINTER(ctypes.c_char)))


def put(message, data):
    """Put what was read into a message: of this module, or of smbus2."""
    ctypes.memmove(message.buf, data, len(data))
