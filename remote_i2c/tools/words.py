"""What the tools have in common: options, numbers as C reads them, addresses, and what is said when they fail."""

import re
from errno import EIO, ENXIO

from remote_i2c.errors import BUS

FIRST_ADDRESS, LAST_ADDRESS = 0x08, 0x77  # those that are not reserved
HIGHEST_ADDRESS = 0x7F
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")


class UsageError(Exception):
    """The words are wrong. The text is shown with the usage; None: the usage alone."""


class ToolError(Exception):
    """The tool ends with this text, and a status."""

    def __init__(self, text, status=1):
        super().__init__(text)
        self.status = status


def options(words, known, with_value=""):
    """Returns (dict from letter to True or its value, the other words). Options stand in front, as in i2c-tools.

    Args: known: letters; with_value: letters that are followed by a value."""
    words, found = list(words), {}
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        for letter in word[1:]:
            if letter in with_value:
                if not words:
                    raise UsageError(None)
                found[letter] = words.pop(0)
            elif letter in known:
                found[letter] = True
            else:
                raise UsageError(f'Unsupported option "{word}"!')
    return found, words


def number(text):
    """Returns the int of a text as C writes it: 0x1f, 037, 31; None for anything else."""
    if not _NUMBER.fullmatch(text):
        return None
    return int(text, 16 if text[:2] in ("0x", "0X") else 8 if text[0] == "0" else 10)


def chip_address(text, every, error=UsageError):
    """Returns the address. every: reserved ones may be used, too. error: kind of what is raised."""
    address = number(text)
    if address is None:
        raise error("Chip address is not a number!")
    first, last = address_range(every)
    if not first <= address <= last:
        raise error(f"Chip address out of range ({first:#04x}-{last:#04x})!")
    return address


def address_range(every):
    """Returns the first and the last address that may be used."""
    return (0, HIGHEST_ADDRESS) if every else (FIRST_ADDRESS, LAST_ADDRESS)


def bus_of(words):
    """Takes the bus off the words, and returns it."""
    if not words:
        raise UsageError("No i2c-bus specified!")
    return words.pop(0)


def is_no_answer(error):
    """Returns whether a BusError is that of a device that is not there, or refuses. Others are of the way to it."""
    return error.errno in (ENXIO, EIO) and error.place == BUS


def need(bus, function, what):
    """Raises: ToolError: the bus cannot do this. function: bit of bus.py."""
    if not bus.functions & function:
        raise ToolError(f"Error: Adapter does not have {what} capability")


def hex_bytes(data):
    """Returns "0x01 0x02"."""
    return " ".join(f"{byte:#04x}" for byte in data)


def call(bus, made):
    """Coroutine: do a Call of smbus.py. Returns its result."""
    return _done(bus, made)


async def _done(bus, made):
    return made.result(await bus.transfer(made.messages))
