"""The client's I2C buses for the server: what a program at the server writes and reads on them (docs/remote-i2c.md).

    def start(self):
        i2c = SoftI2C(Pin("Y9"), Pin("Y10"))
        self.i2c_service = I2CService(self, {0: i2c}, addresses={0: (0x48, 0x76)})

No address may be used that is not named. In place of machine.I2C or SoftI2C a bus can be a SensorBus, which goes on
polling: a transfer is carried out between two of its transactions. While a transfer runs, nothing else of this program
does; so it has at most MAX_TRANSFER_BYTES. What comes is not trusted: a request is measured before any of it is carried
out. protocol/i2c_messages.py has its bytes.
"""

import os
from errno import EAGAIN, EIO, ENODEV, ETIMEDOUT

from primitives.platform import sleep_ms
from protocol import const
from protocol.i2c_messages import (
    ADDRESS_ALONE,
    BAD_REQUEST,
    BARRED,
    BUSY,
    CANNOT,
    COUNTED,
    DONE,
    HEAD_BYTES,
    HELD,
    I2C_CHANNEL,
    I2C_VERSION,
    LATE,
    LENGTH,
    LIFE_AT,
    LIFE_BYTES,
    MAX_COUNT,
    MAX_I2C_BYTES,
    MAX_MESSAGES,
    MAX_TRANSFER_BYTES,
    NO_ANSWER,
    NO_BUS,
    NO_MEMORY,
    NOT_ALLOWED,
    OTHER_LIFE,
    STOPPED,
    UNKNOWN,
)  # fmt: skip

# How long a transfer may wait for its turn on a SensorBus.
_TURN_MS = const(500)
_UNACKNOWLEDGED = (EIO, ENODEV)  # which of them depends on the board
_MESSAGE_HEAD = const(3)


class I2CService:
    """Serves from now on, until the application is started again: call it in `start`.

    Args: app: AppBase; buses: {number 0..255: machine.I2C, machine.SoftI2C or SensorBus}; addresses: {number: the
    addresses of that bus that the server may use, 0x00..0x7f}. Raises: ValueError."""

    def __init__(self, app, buses, *, addresses=None):
        self._buses = {}
        addresses = addresses or {}
        for number in addresses:
            if number not in buses:
                raise ValueError("addresses has bus %r, which buses has not" % (number,))
        for number in buses:
            if not isinstance(number, int) or not 0 <= number <= 255:
                raise ValueError("the number of a bus must be 0..255, not %r" % (number,))
            allowed = list(addresses.get(number, ()))
            for address in allowed:
                if not isinstance(address, int) or not 0 <= address <= 0x7F:
                    raise ValueError("an address must be 0x00..0x7f, not %r" % (address,))
            self._buses[number] = (buses[number], bytes(allowed))
        self._life = os.urandom(LIFE_BYTES)
        app.channel(I2C_CHANNEL, 1).on_request(self._answer)

    async def _answer(self, data):
        """The handler of the requests. Returns the answer's bytes."""
        if len(data) < HEAD_BYTES or data[0] != I2C_VERSION:
            return bytes((BAD_REQUEST, UNKNOWN))
        if data[LIFE_AT:HEAD_BYTES] != self._life:
            return bytes((OTHER_LIFE,)) + self._life
        if data[1] not in self._buses:
            return bytes((NO_BUS, UNKNOWN))
        try:
            out = _Out(_measured_all(data))
        except ValueError:
            return bytes((BAD_REQUEST, UNKNOWN))
        except MemoryError:
            return bytes((NO_MEMORY, UNKNOWN))
        bus, allowed = self._buses[data[1]]
        at = HEAD_BYTES
        while at < len(data):
            work = _Work(data, at, out, allowed)
            await work.do_on(bus)
            if work.code != DONE:
                return out.failed(work)
            at = work.at
            await sleep_ms(0)
        return out.data()


def _measured_all(data):
    """Returns how many bytes the answer has at most. Raises: ValueError: it is no request."""
    if len(data) > MAX_I2C_BYTES:
        raise ValueError
    at, size = HEAD_BYTES, 0
    while at < len(data):
        at, read = _measured(data, at)
        size += 2 + read
    if size > MAX_I2C_BYTES or at == HEAD_BYTES:
        raise ValueError
    return size


def _measured(data, at):
    """Returns (where the transfer ends, bytes that it reads at most). Raises: ValueError."""
    messages = data[at]
    at += 1
    if messages == ADDRESS_ALONE:
        if at == len(data):
            raise ValueError
        return at + 1, 0
    read = written = 0
    if messages > MAX_MESSAGES:
        raise ValueError
    for _ in range(messages):
        if at + _MESSAGE_HEAD > len(data):
            raise ValueError
        length = data[at + 1] << 8 | data[at + 2]
        reads = data[at] & 1
        at += _MESSAGE_HEAD
        if reads:
            read += (length & LENGTH) + (1 + MAX_COUNT if length & COUNTED else 0)
        else:
            at += length
            written += length
    if at > len(data) or read + written > MAX_TRANSFER_BYTES:
        raise ValueError
    return at, read


class _Out:
    """The answer. Its place is taken before anything is carried out."""

    def __init__(self, size):
        self._bytes = bytearray(size)
        self.view = memoryview(self._bytes)
        self.count = 0

    def failed(self, work):
        """Returns the answer that ends with this."""
        view, at = self.view, work.begin
        view[at] = work.code
        view[at + 1] = work.index
        return bytes(view[: at + 2])

    def data(self):
        return bytes(self.view[: self.count])


class _Work:
    """One transfer. Args: data, at: where it begins in the request; out: _Out; allowed: addresses."""

    def __init__(self, data, at, out, allowed):
        self.code = DONE
        self.index = UNKNOWN  # of the message that failed
        self.begin = out.count
        self.at = at
        self._data = data
        self._out = out
        self._allowed = allowed
        self._begun = self._given_up = False

    async def do_on(self, bus):
        """Carry it out. bus: machine.I2C, or SensorBus."""
        if not self._may(bus):
            return
        if not hasattr(bus, "exclusive"):
            try:
                self.do(bus)
            except OSError:
                pass  # `code` says it
            return
        try:
            await bus.exclusive(self.do, _TURN_MS)
        except OSError as error:
            if not self._begun:
                self._given_up = True
                # As sensor_bus/errors.py: BusStuck is EIO, TimedOut ETIMEDOUT, QueueFull EAGAIN.
                self.code = {EIO: HELD, ETIMEDOUT: LATE, EAGAIN: BUSY}.get(error.errno, NO_ANSWER)
            # A wire that is low behind it has spoilt it, whatever was read.
            elif self.code == DONE and error.errno != ETIMEDOUT:
                self.code = HELD

    def _may(self, bus):
        """Returns whether all addresses may be used."""
        at, messages = self.at, self._data[self.at]
        at += 1
        for index in range(messages or 1):
            address = self._data[at] >> 1
            code = DONE
            if address not in self._allowed:
                code = NOT_ALLOWED
            elif hasattr(bus, "is_barred") and bus.is_barred(address, bus.now()):
                code = BARRED
            if code != DONE:
                self.code, self.index = code, index
                return False
            if messages:
                length = self._data[at + 1] << 8 | self._data[at + 2]
                at += _MESSAGE_HEAD + (0 if self._data[at] & 1 else length)
        return True

    def do(self, i2c):
        """Carry it out on a machine.I2C. Raises: OSError(ETIMEDOUT): a wire is held."""
        if self._given_up:
            return
        self._begun = True
        try:
            self._do(i2c)
        except OSError as error:
            number = error.args[0] if error.args else None
            if number == ETIMEDOUT:
                self.code = HELD
                raise
            self.code = NO_ANSWER if number in _UNACKNOWLEDGED else CANNOT
        except MemoryError:
            self.code = NO_MEMORY
        except Exception:  # of a driver: it does not take such a transfer
            self.code = CANNOT

    def _do(self, i2c):
        data, at, out = self._data, self.at, self._out
        messages = data[at]
        at += 1
        out.view[out.count] = DONE
        count = out.count + 1
        if messages == ADDRESS_ALONE:
            self.index = 0
            self._alone(i2c, data[at])
            at += 1
        for index in range(messages):
            self.index = index
            address, length = data[at], data[at + 1] << 8 | data[at + 2]
            at += _MESSAGE_HEAD
            stop = index == messages - 1
            if not address & 1:
                acknowledged = i2c.writeto(address >> 1, memoryview(data)[at : at + length], stop)
                at += length
                if acknowledged is not None and acknowledged != length:
                    self.code = STOPPED
                    if not stop:
                        _end(i2c, address >> 1)
                    return
            elif length & COUNTED:
                read = _read_counted(i2c, address, out.view[count:], length & LENGTH, stop)
                if not read:
                    self.code = STOPPED
                    return
                count += read
            else:
                i2c.readfrom_into(address >> 1, out.view[count : count + length], stop)
                count += length
        self.at = at
        out.count = count

    def _alone(self, i2c, address):
        if address & 1:
            i2c.readfrom_into(address >> 1, bytearray(0))
        else:
            i2c.writeto(address >> 1, b"")


def _end(i2c, address):
    """End a transfer with a stop condition. Hardware makes none alone: so this addresses a target first."""
    try:
        i2c.writeto(address, b"")
    except OSError:
        pass  # the stop was made


def _read_counted(i2c, address, view, behind, stop):
    """Read a count, so many bytes, and those behind them. Returns how many in all, or 0: it cannot be right.

    Only SoftI2C can do so; a machine.I2C raises OSError. address: with the bit for reading."""
    i2c.start()
    if i2c.write(bytes((address,))) != 1:
        i2c.stop()
        raise OSError(ENODEV, "nobody is there")
    i2c.readinto(view[:1], False)
    size = view[0] + behind
    good = view[0] <= MAX_COUNT and size > 0
    if not good:
        size = 1  # a byte that is not acknowledged ends it
    i2c.readinto(view[1 : 1 + size], True)
    if stop or not good:
        i2c.stop()
    return 1 + size if good else 0
