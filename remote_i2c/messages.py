"""The messages of a transfer, as Linux's I2C_RDWR has them: each a start condition, an address, and bytes one way.

Messages of one transfer are joined by repeated starts; the last one ends with a stop. Nobody else uses the bus between.
"""

from typing import NamedTuple

# Source: the kernel's include/uapi/linux/i2c-dev.h, I2C_RDWR_IOCTL_MAX_MSGS.
MAX_MESSAGES = 42
# Of one message. Source: the kernel's drivers/i2c/i2c-dev.c, i2cdev_ioctl_rdwr.
MAX_BYTES = 8192
# Data bytes of an SMBus block. Source: SMBus specification 3.2, 6.5.7.
MAX_BLOCK = 32

LOWEST_ADDRESS = 0x00
HIGHEST_ADDRESS = 0x7F


class Message(NamedTuple):
    """One message.

    address: 7 bits; data: the bytes to write, or None: it reads; size: bytes to read;
    counted: the target's first byte says how many follow, up to MAX_BLOCK, as in an SMBus block read. Then `size` is
    what follows behind them: 1 with a PEC, else 0. The count is part of what was read.
    """

    address: int
    data: bytes | None = None
    size: int = 0
    counted: bool = False

    @property
    def reads(self):
        """Whether bytes go from the target to the controller."""
        return self.data is None

    @property
    def most(self):
        """Bytes on the wire behind the address, at most."""
        if self.data is not None:
            return len(self.data)
        return 1 + MAX_BLOCK + self.size if self.counted else self.size


def write(address, data):
    """Returns the Message that writes these bytes."""
    return Message(address, bytes(data))


def read(address, size):
    """Returns the Message that reads so many bytes."""
    return Message(address, None, size)


def read_counted(address, behind=0):
    """Returns the Message that reads a count, so many bytes, and `behind` bytes more."""
    return Message(address, None, behind, True)


def check_address(address):
    """Raises: TypeError, ValueError: it is no address of 7 bits."""
    if not isinstance(address, int) or isinstance(address, bool):
        raise TypeError(f"an address is an int, not {type(address).__name__}")
    if not LOWEST_ADDRESS <= address <= HIGHEST_ADDRESS:
        raise ValueError(f"the address {address:#x} is not one of 7 bits: 0x00 to 0x7f")


def check(messages):
    """Raises: TypeError, ValueError that name the message: the transfer cannot be made."""
    if not 1 <= len(messages) <= MAX_MESSAGES:
        raise ValueError(f"a transfer has 1 to {MAX_MESSAGES} messages, not {len(messages)}")
    for index, message in enumerate(messages):
        try:
            check_address(message.address)
        except (TypeError, ValueError) as error:
            raise type(error)(f"message {index}: {error}")
        if message.data is None and message.size < 0:
            raise ValueError(f"message {index}: its size is {message.size}")
        if message.most > MAX_BYTES:
            raise ValueError(f"message {index}: it has {message.most} bytes; at most {MAX_BYTES} are possible")
