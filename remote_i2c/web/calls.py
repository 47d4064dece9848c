"""What a page asks of a bus: one call at one address. Both protocols, frames.py and chirimen.py, make Requests.

Pure, but for `perform`, which uses a bus.
"""

from errno import EACCES, EHOSTDOWN, EOPNOTSUPP, ETIMEDOUT, errorcode
from typing import NamedTuple

from remote_i2c.errors import CALLER, LINK, BusError
from remote_i2c.messages import read, write

# Names of errors, as the Web I2C draft and Web IDL have them. frames.py sends their places in this tuple.
NOT_SUPPORTED = "NotSupportedError"
INVALID_ACCESS = "InvalidAccessError"
OPERATION = "OperationError"
NETWORK = "NetworkError"
NAMES = (NOT_SUPPORTED, INVALID_ACCESS, OPERATION, NETWORK)

_NAMED = {EACCES: INVALID_ACCESS, EOPNOTSUPP: NOT_SUPPORTED, EHOSTDOWN: NETWORK}


class Request(NamedTuple):
    """One call. id: what its answer is to carry; port: number of the port; written: bytes to write, or None;
    size: bytes to read, or None. Both: joined by a repeated start. Neither: whether a device is there."""

    id: object
    port: int
    address: int
    written: bytes | None = None
    size: int | None = None

    @property
    def probes(self):
        return self.written is None and self.size is None


class Failure(NamedTuple):
    """Why a call failed. name: one of NAMES; code: name of an errno, such as "ENXIO", or ""; place: one of
    errors.PLACES; text: for people."""

    name: str
    code: str
    place: str
    text: str


async def perform(bus, request):
    """Do a request on a SharedBus. Returns the bytes that were read; of a probe one byte, 1 or 0.

    Raises: BusError; ValueError, TypeError: no bus can do it."""
    if request.probes:
        return bytes((await bus.probe(request.address),))
    transfer = []
    if request.written is not None:
        transfer.append(write(request.address, request.written))
    if request.size is not None:
        transfer.append(read(request.address, request.size))
    return b"".join(await bus.transfer(transfer))


def failure_of(error):
    """Returns the Failure that tells a page of an exception of `perform`."""
    if not isinstance(error, BusError):
        return Failure(INVALID_ACCESS, "EINVAL", CALLER, str(error))
    name = _NAMED.get(error.errno, OPERATION)
    if error.errno == ETIMEDOUT and error.place == LINK:
        name = NETWORK
    where = f" (address {error.address:#04x})" if error.address is not None else ""
    return Failure(name, errorcode.get(error.errno, ""), error.place, f"{error.strerror}{where}")
