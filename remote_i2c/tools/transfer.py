"""transfer: messages as the user describes them, joined by repeated starts."""

import os
from collections import namedtuple

from remote_i2c import bus as bits
from remote_i2c.errors import BusError
from remote_i2c.messages import MAX_MESSAGES, Message, read, read_counted, write
from remote_i2c.tools.words import ToolError, UsageError, chip_address, hex_bytes, is_no_answer, need, number, options

USAGE = """Usage: pb-link i2c transfer [-f] [-y] [-v] [-a] BUS DESC [DATA] [DESC [DATA]]...
  BUS is /dev/i2c-N, sim:FILE, grpc://HOST:PORT/BUS, client:ID:BUS, or the name of a bus of the running server
  DESC is {r|w}LENGTH[@ADDRESS]; without an address it is that of the message before;
    r? reads as many bytes as the device says in the first one
  DATA are the LENGTH bytes of a write. A suffix of the last one makes the rest:
    = the same value; + one more each; - one less each; p pseudo-random, the value being the seed

Read 8 bytes from 0x64 on, of an EEPROM at 0x50:
  pb-link i2c transfer /dev/i2c-1 w1@0x50 0x64 r8
Write 0xff 0xfe .. 0xf0 from 0x42 on:
  pb-link i2c transfer /dev/i2c-1 w17@0x50 0x42 0xff-"""

_MAX_LENGTH = 0xFFFF

Plan = namedtuple("Plan", "bus yes force verbose messages")


def parse(words):
    """Returns the Plan. Raises: UsageError, ToolError."""
    found, words = options(words, "fyva")
    if not words:
        raise UsageError(None)
    bus = words.pop(0)
    return Plan(bus, "y" in found, "f" in found, "v" in found, _messages(words, "a" in found))


def _messages(words, every):
    messages, address = [], None
    while words:
        if len(messages) == MAX_MESSAGES:
            raise ToolError(f"Error: Too many messages (max: {MAX_MESSAGES})")
        word = words.pop(0)
        try:
            message, length = _described(word, address, every)
        except ToolError as error:
            raise ToolError(f"{error}\nError: faulty argument is '{word}'")
        address = message.address
        messages.append(message if message.reads else write(address, _data(words, length)))
    if not messages:
        raise ToolError("Error: Incomplete message")
    return messages


def _described(word, address, every):
    """Returns the Message that a DESC describes, and its length. That of a write has no data yet."""
    if word[:1] not in ("r", "w"):
        raise ToolError("Error: Invalid direction")
    length, at, where = word[1:].partition("@")
    counted = length == "?"
    if counted and word[0] == "w":
        raise ToolError("Error: variable length not allowed with write")
    size = 0 if counted else number(length)
    if size is None or size > _MAX_LENGTH:
        raise ToolError("Error: Length invalid")
    if at:
        address = chip_address(where, every, lambda text: ToolError(f"Error: {text}"))
    elif address is None:
        raise ToolError("Error: No address given")
    if word[0] == "w":
        return Message(address, b""), size
    return (read_counted(address) if counted else read(address, size)), size


def _data(words, length):
    """Takes the bytes of a write off the words."""
    data = bytearray()
    while len(data) < length:
        if not words:
            raise ToolError("Error: Incomplete message")
        word = words.pop(0)
        value, suffix = number(word), ""
        if value is None and word[:-1]:
            value, suffix = number(word[:-1]), word[-1]
        fault = None
        if value is None or value > 0xFF:
            fault = "Invalid data byte"
        elif suffix and suffix not in _NEXT:
            fault = "Invalid data byte suffix"
        if fault:
            raise ToolError(f"Error: {fault}\nError: faulty argument is '{word}'")
        data.append(value)
        while suffix and len(data) < length:
            value = _NEXT[suffix](value)
            data.append(value)
    return data


def _random(value):
    """Returns what follows in the sequence of i2ctransfer: (value ^ 27) + 13, rotated by one bit."""
    mixed = (value ^ 27) + 13 & 0xFF
    return (mixed << 1 | mixed >> 7) & 0xFF


_NEXT = {
    "=": lambda value: value,
    "+": lambda value: value + 1 & 0xFF,
    "-": lambda value: value - 1 & 0xFF,
    "p": _random,
}


def question(plan):
    lines = [f"I will send these messages to bus {plan.bus}:"]
    return "\n".join(lines + [_line(index, message, None) for index, message in enumerate(plan.messages)])


async def run(plan, bus, console):
    need(bus, bits.I2C, "I2C transfers")
    try:
        answers = iter(await bus.transfer(plan.messages))
    except BusError as error:
        if not is_no_answer(error):
            raise
        raise ToolError(f"Error: Sending messages failed: {os.strerror(error.errno)}")
    for index, message in enumerate(plan.messages):
        data = next(answers) if message.reads else message.data
        if plan.verbose:
            console.out(_line(index, message, data))
        elif message.reads and data:
            console.out(hex_bytes(data))
    return 0


def _line(index, message, data):
    """data: bytes, or None: they are not known, or not to be shown."""
    length = len(data) if data is not None else message.size if message.reads else len(message.data)
    if message.reads and data is None and message.counted:
        length = "TBD"
    text = f"msg {index}: addr {message.address:#04x}, {'read' if message.reads else 'write'}, len {length}"
    shown = message.data if data is None and not message.reads else data
    return f"{text}, buf {hex_bytes(shown)}" if shown else text
