"""The bytes of channel 1 at the server: requests to a client's I2C buses, and its answers. protocol/i2c_messages.py has
the table. Pure.
"""

from errno import EACCES, EAGAIN, EBUSY, EIO, ENODEV, ENXIO, EOPNOTSUPP, EPROTO, ETIMEDOUT
from struct import pack

from protocol.i2c_messages import (
    ADDRESS_ALONE,
    BAD_REQUEST,
    BARRED,
    BUSY,
    CANNOT,
    COUNTED,
    DONE,
    HELD,
    I2C_VERSION,
    LATE,
    LIFE_BYTES,
    MAX_COUNT,
    NO_ANSWER,
    NO_BUS,
    NO_MEMORY,
    NOT_ALLOWED,
    OTHER_LIFE,
    STOPPED,
    UNKNOWN,
)  # fmt: skip
from remote_i2c.errors import BUS, CALLER, LINK, LOCK, BusError

# Of a service that has not told its life yet.
NO_LIFE = bytes(LIFE_BYTES)

_ERRORS = {
    NO_ANSWER: (ENXIO, BUS, "no device acknowledged the address"),
    STOPPED: (EIO, BUS, "the device did not acknowledge a byte"),
    HELD: (ETIMEDOUT, BUS, "a wire of the bus is held, or the device stretches the clock for too long"),
    CANNOT: (EOPNOTSUPP, CALLER, "the client's I2C cannot do this"),
    NOT_ALLOWED: (EACCES, CALLER, "the client does not allow this address: see its I2CService"),
    NO_BUS: (ENODEV, CALLER, "the client's I2CService has no bus of this number"),
    BUSY: (EAGAIN, LOCK, "too many calls wait for the client's sensor bus: try again later"),
    LATE: (ETIMEDOUT, LOCK, "the client's sensor bus has not come to it in its time"),
    BARRED: (EBUSY, CALLER, "the client's sensor bus leaves this address alone for now"),
    BAD_REQUEST: (EPROTO, LINK, "the client does not understand the request: has it another release?"),
    NO_MEMORY: (EAGAIN, LINK, "the client has no memory for it now: try again later"),
}


class OtherLife(Exception):
    """The client's service was started anew: nothing was carried out. life: bytes."""

    def __init__(self, life):
        super().__init__(life)
        self.life = life


def encode_request(bus, life, transfers):
    """Returns the bytes. Args: bus: 0..255; life: LIFE_BYTES; transfers: list of lists of Messages, or of (address,
    read) for an address alone."""
    parts = [bytes((I2C_VERSION, bus)), life]
    for transfer in transfers:
        if isinstance(transfer, tuple):
            parts.append(bytes((ADDRESS_ALONE, transfer[0] << 1 | transfer[1])))
            continue
        parts.append(bytes((len(transfer),)))
        for message in transfer:
            length = len(message.data) if message.data is not None else message.size
            length |= COUNTED if message.counted else 0
            parts.append(pack(">BH", message.address << 1 | message.reads, length) + (message.data or b""))
    return b"".join(parts)


def request_bytes(transfer):
    """Returns how many bytes a transfer takes of a request."""
    return 2 if isinstance(transfer, tuple) else 1 + sum(3 + len(message.data or b"") for message in transfer)


def answer_bytes(transfer):
    """Returns how many bytes the answer to a transfer has at most."""
    if isinstance(transfer, tuple):
        return 2
    return 2 + sum(message.most for message in transfer if message.reads)


def decode_answer(data, transfers):
    """Returns (answers, error): for each transfer that was carried out the list of what its messages have read; the
    BusError of the one that failed, or None. Raises: OtherLife; BusError(EIO): this is no answer to them."""
    if data[:1] == bytes((OTHER_LIFE,)) and len(data) == 1 + LIFE_BYTES:
        raise OtherLife(data[1:])
    reader = _Reader(data)
    answers = []
    for transfer in transfers:
        code = reader.byte()
        if code != DONE:
            error = _error_of(code, reader.byte(), transfer)
            break
        answers.append([] if isinstance(transfer, tuple) else [reader.read(one) for one in transfer if one.reads])
    else:
        error = None
    if reader.at != len(data):
        raise _damaged()
    return answers, error


def _error_of(code, index, transfer):
    if code not in _ERRORS:
        raise _damaged()
    number, place, text = _ERRORS[code]
    if isinstance(transfer, tuple):
        return BusError(number, text, place=place, address=transfer[0])
    if index == UNKNOWN:
        addresses = {message.address for message in transfer}
        return BusError(number, text, place=place, address=addresses.pop() if len(addresses) == 1 else None)
    if index >= len(transfer):
        raise _damaged()
    return BusError(number, text, place=place, address=transfer[index].address, index=index)


def _damaged():
    return BusError(EIO, "the client's answer is damaged", place=LINK)


class _Reader:
    """Takes an answer apart."""

    def __init__(self, data):
        self.at = 0
        self._data = data

    def byte(self):
        return self._take(1)[0]

    def read(self, message):
        if not message.counted:
            return self._take(message.size)
        count = self.byte()
        if count > MAX_COUNT:
            raise _damaged()
        return bytes((count,)) + self._take(count + message.size)

    def _take(self, size):
        end = self.at + size
        if end > len(self._data):
            raise _damaged()
        taken, self.at = bytes(self._data[self.at : end]), end
        return taken
