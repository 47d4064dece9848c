"""Errors of a bus as a status of gRPC, and back. The errno travels as its name: its number depends on the system.

    code, text, metadata = status_of(error)     # at the server
    error = error_of(rpc_error)                 # at the client
"""

import errno
from errno import (
    EACCES,
    EAGAIN,
    EBADF,
    ECONNABORTED,
    EHOSTDOWN,
    EINVAL,
    EIO,
    EMSGSIZE,
    ENODEV,
    ENXIO,
    EOPNOTSUPP,
    EPERM,
    ESTALE,
    ETIMEDOUT,
)

from grpc import StatusCode

from remote_i2c.errors import CALLER, LINK, PLACES, BusError

_CODES = {
    ENXIO: StatusCode.NOT_FOUND,
    EIO: StatusCode.DATA_LOSS,
    ETIMEDOUT: StatusCode.DEADLINE_EXCEEDED,
    EOPNOTSUPP: StatusCode.UNIMPLEMENTED,
    EACCES: StatusCode.PERMISSION_DENIED,
    EAGAIN: StatusCode.RESOURCE_EXHAUSTED,
    ENODEV: StatusCode.NOT_FOUND,
    EHOSTDOWN: StatusCode.UNAVAILABLE,
    EINVAL: StatusCode.INVALID_ARGUMENT,
    ESTALE: StatusCode.FAILED_PRECONDITION,
    EPERM: StatusCode.UNAUTHENTICATED,
}
# What a status means that comes without an errno: gRPC made it, or something between.
_NUMBERS = {
    StatusCode.UNAVAILABLE: ECONNABORTED,
    StatusCode.DEADLINE_EXCEEDED: ETIMEDOUT,
    StatusCode.CANCELLED: ECONNABORTED,
    StatusCode.RESOURCE_EXHAUSTED: EAGAIN,
    StatusCode.UNIMPLEMENTED: EOPNOTSUPP,
    StatusCode.UNAUTHENTICATED: EPERM,
    StatusCode.PERMISSION_DENIED: EACCES,
    StatusCode.INVALID_ARGUMENT: EINVAL,
    StatusCode.FAILED_PRECONDITION: EBADF,
}
_NUMBER_FIELDS = ("address", "message", "step")


def status_of(error):
    """Returns (StatusCode, text, trailing metadata) of an OSError, or of a ValueError or TypeError of the caller."""
    if not isinstance(error, OSError):
        return StatusCode.INVALID_ARGUMENT, str(error), (("errno", "EINVAL"), ("place", CALLER))
    fields = {
        "errno": errno.errorcode.get(error.errno, "EIO"),
        "place": getattr(error, "place", None),
        "bus": _shown(getattr(error, "bus", None)),
        "address": _hexadecimal(getattr(error, "address", None)),
        "message": getattr(error, "index", None),
        "step": getattr(error, "step", None),
    }
    metadata = tuple((name, str(value)) for name, value in fields.items() if value is not None)
    return _CODES.get(error.errno, StatusCode.UNKNOWN), error.strerror or str(error), metadata


def error_of(rpc_error):
    """Returns the BusError of a grpc.RpcError, with the attribute `step`: of a batch, or None."""
    metadata = {key: value for key, value in rpc_error.trailing_metadata() or () if isinstance(value, str)}
    number = getattr(errno, metadata.get("errno", ""), None)
    known = isinstance(number, int)
    place = metadata.get("place") if known else LINK
    fields = {name: _number(metadata.get(name)) for name in _NUMBER_FIELDS}
    error = BusError(
        number if known else _number_of(rpc_error),
        rpc_error.details() or rpc_error.code().name,
        place=place if place in PLACES else LINK,
        bus=metadata.get("bus"),
        address=fields["address"],
        index=fields["message"],
    )
    error.step = fields["step"]
    return error


def _number_of(rpc_error):
    """Returns the errno of a status that gRPC has made."""
    if "larger than max" in (rpc_error.details() or ""):  # of a message; the code is that of too many calls
        return EMSGSIZE
    return _NUMBERS.get(rpc_error.code(), EIO)


def of_the_bus(rpc_error):
    """Returns whether the server has said what failed. Otherwise nobody knows whether the call was made."""
    return any(key == "errno" for key, _ in rpc_error.trailing_metadata() or ())


def _shown(name):
    """Metadata is printable ASCII."""
    return None if name is None else ascii(str(name))[1:-1]


def _hexadecimal(address):
    return None if address is None else f"{address:#04x}"


def _number(text):
    try:
        return None if text is None else int(text, 0)
    except ValueError:
        return None
