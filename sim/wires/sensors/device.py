"""What all device models have: values that follow a script, and the ways in which I2C devices take and give bytes.

Pure. The bus calls `start` with the address, `receive` and `send` for bytes, `stop` at the end; `power_on` and
`power_off` come from the supply. A read gives what the device had when it was addressed, so that the bytes of a
transfer do not depend on how it is computed.
"""

from sim.wires.own_code import OwnCodeFailed
from sim.wires.sensors.script import script

ROUNDING_S = 1e-9


class NotModelled(Exception):
    """The program asked a device for something that its model does not have. docs/simulator.md lists these."""


def full_periods(begin, period_s, now):
    """Returns how many periods have passed since `begin`."""
    return int((now - begin + ROUNDING_S) / period_s)


def clamped(value, lowest, highest):
    """Returns a number as a register holds it: whole, and within its bounds."""
    return max(lowest, min(highest, round(value)))


def crc8(data):
    """Returns the checksum of Sensirion and ASAIR: polynomial 0x31, begins with 0xFF."""
    crc = 0xFF
    for value in data:
        crc ^= value
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc


class Device:
    """One device. Args: values: name -> what `script` takes, of those in VALUES; identity: in place of IDENTITY, what
    its identification register holds: the wrong part was fitted."""

    ADDRESSES = ()  # those that its address pins can select
    VALUES = {}  # name -> value where the script has none; the unit stands beside it
    IDENTITY = None  # None: it has no identification register
    AGE_S = 0.0  # a value that is read was measured at most so long before, in the shortest sensible setting

    def __init__(self, values=None, identity=None):
        values = values or {}
        for name in values:
            if name not in self.VALUES:
                raise ValueError(f"{type(self).__name__} has no value {name!r}: {', '.join(self.VALUES) or 'none'}")
        if identity is not None and self.IDENTITY is None:
            raise ValueError(f"{type(self).__name__} has no identification register")
        self.values = {name: script(values.get(name, usual)) for name, usual in self.VALUES.items()}
        self.identity = self.IDENTITY if identity is None else identity
        self.now = 0.0

    def value(self, name, when):
        """Returns what it should measure at this time."""
        return self.values[name](when)

    # The supply.

    def power_on(self, now):
        """Resets its registers."""
        self.now = now
        self.reset()

    def power_off(self, now):
        self.now = now

    def reset(self):
        """Sets the registers to what the data sheet says for power-on."""

    # The bus.

    def start(self, read, now):
        """A start with its address. Returns whether it acknowledges it."""
        self.now = now
        return True

    def receive(self, value):
        """A byte from the controller. Returns whether it acknowledges it."""
        return False

    def send(self):
        """Returns the next byte for the controller."""
        return 0xFF

    def send_bytes(self, size):
        send = self.send
        values = [send() for _ in range(size)]
        try:
            return bytes(values)
        except (TypeError, ValueError):
            wrong = next(value for value in values if not isinstance(value, int) or not 0 <= value <= 0xFF)
            raise self.failed("send", wrong, "a byte")

    def failed(self, method, value, expected):
        """Returns the exception for what a method has returned."""
        return OwnCodeFailed(f"{type(self).__name__}.{method} has returned {value!r}, not {expected}")

    def stop(self, now):
        """A stop after a transfer with it."""


class Registers(Device):
    """A device with 8-bit registers, whose number is the first byte of a write and goes up with each byte."""

    RESET = {}  # register -> value after a reset; 0 for others
    WRITABLE = frozenset()

    def reset(self):
        self.memory = bytearray(256)
        for register, value in self.RESET.items():
            self.memory[register] = value
        self.pointer = 0
        self._selects = False

    def start(self, read, now):
        self.now = now
        self._selects = not read
        if read:
            self.refresh(now)
        return True

    def receive(self, value):
        if self._selects:
            self._selects = False
            self.pointer = self.select(value)
        else:
            self.store(self.pointer, value)
            self.pointer = self.following(self.pointer)
        return True

    def send(self):
        value = self.load(self.pointer)
        self.pointer = self.following(self.pointer)
        return value

    # What a device may do otherwise.

    def refresh(self, now):
        """Brings what is measured into the registers. A read begins."""

    def select(self, value):
        return value

    def following(self, register):
        return register + 1 & 0xFF

    def load(self, register):
        return self.memory[register]

    def store(self, register, value):
        if register in self.WRITABLE:
            self.memory[register] = value


class Words(Device):
    """A device with 16-bit registers, whose number is the first byte of a write. It stays there, for all words."""

    RESET = {}  # register -> value after a reset
    WRITABLE = frozenset()
    ORDER = "big"

    def reset(self):
        self.words = dict(self.RESET)
        self.pointer = 0
        self._count = 0
        self._first = 0
        self._answer = b"\xff\xff"

    def start(self, read, now):
        self.now = now
        self._count = 0
        if read:
            self.refresh(now)
            word = self.load(self.pointer)
            if not isinstance(word, int) or not 0 <= word <= 0xFFFF:
                raise self.failed("load", word, "a word of 16 bits")
            self._answer = word.to_bytes(2, self.ORDER)
        return True

    def receive(self, value):
        if self._count == 0:
            self.pointer = value
        elif self._count == 1:
            self._first = value
        elif self._count == 2:
            word = self._first << 8 | value if self.ORDER == "big" else value << 8 | self._first
            self.store(self.pointer, word)
        self._count += 1
        return True

    def send(self):
        value = self._answer[self._count & 1]
        self._count += 1
        return value

    # What a device may do otherwise.

    def refresh(self, now):
        """Brings what is measured into the registers. A read begins."""

    def load(self, register):
        return self.words.get(register, 0xFFFF)

    def store(self, register, word):
        if register in self.WRITABLE:
            self.words[register] = word


class Commands(Device):
    """A device that takes commands: what one write contains, and answers the next read."""

    LONGEST = 8  # bytes of a command; more are not acknowledged

    def reset(self):
        self._command = bytearray()
        self._answer = b""
        self._sent = 0

    def start(self, read, now):
        self._finish(now)
        self.now = now
        if not read:
            return self.ready(now)
        answer = self.answer(now)
        if answer is None:
            return False
        if not isinstance(answer, (bytes, bytearray)):
            raise self.failed("answer", answer, "bytes or None")
        self._answer, self._sent = answer, 0
        return True

    def receive(self, value):
        if len(self._command) >= self.LONGEST:
            return False
        self._command.append(value)
        return self.acceptable(self._command)

    def send(self):
        self._sent += 1
        return self._answer[self._sent - 1] if self._sent <= len(self._answer) else 0xFF

    def stop(self, now):
        self._finish(now)

    def _finish(self, now):
        if self._command:
            self.now = now
            command, self._command = bytes(self._command), bytearray()
            self.command(command, now)

    # What a device does.

    def ready(self, now):
        """Returns whether it acknowledges its address for a write."""
        return True

    def acceptable(self, begun):
        """Returns whether it acknowledges the last byte of a command that has begun like this."""
        return True

    def command(self, command, now):
        """Obeys a command, at the end of its write."""

    def answer(self, now):
        """Returns the bytes for a read, or None: it does not acknowledge its address."""
        return b""
