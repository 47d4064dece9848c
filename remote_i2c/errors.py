"""What a call of a bus raises: BusError, an OSError with an errno, and with the part of the way that failed.

| errno | meaning |
|---|---|
| ENXIO | no target acknowledged the address |
| EIO | the target stopped in the middle, or the answer is damaged (PEC) |
| ETIMEDOUT | not done in its time: `place` says where it waited |
| EOPNOTSUPP | the bus, or its adapter, cannot do this |
| EACCES | the address is not allowed |
| EBUSY | a driver of the kernel has the device, or a sensor bus leaves it alone for now |
| EAGAIN | as many callers wait as may: try again later |
| ENODEV | there is no such bus, or it is closed |
| EHOSTDOWN | the client that has the bus is not connected |
"""

import os
from errno import EACCES, EAGAIN, EHOSTDOWN, EIO, ENODEV, ENXIO, EOPNOTSUPP, ETIMEDOUT

# Where a call can fail, in the order of its way.
CALLER = "caller"  # what was asked is wrong, or not allowed
LOCK = "lock"  # others had the bus
LINK = "link"  # between server and client board
BUS = "bus"  # the bus and its targets
PLACES = (CALLER, LOCK, LINK, BUS)


class BusError(OSError):
    """Args: number: errno; text: what happened; place: one of PLACES; bus: name of the bus, or None; address: of the
    target, or None; index: of the message in its transfer, or None: not known.

    done: what the transfers before the one that failed have read: of Bus.batch."""

    done = ()

    def __init__(self, number, text=None, *, place=BUS, bus=None, address=None, index=None):
        super().__init__(number, text or os.strerror(number))
        self.place = place
        self.bus = bus
        self.address = address
        self.index = index

    def at(self, bus):
        """Returns this error with the name of its bus, if it has none."""
        if self.bus is None:
            self.bus = bus
        return self

    def __str__(self):
        where = "" if self.bus is None else f"bus {self.bus}"
        if self.address is not None:
            where += f"{', ' if where else ''}address {self.address:#04x}"
        if self.index is not None:
            where += f"{', ' if where else ''}message {self.index}"
        return f"[Errno {self.errno}] {self.strerror}" + (f" ({where})" if where else "")


def no_answer(address, index=None):
    """Returns the error of an address that nobody acknowledged."""
    return BusError(ENXIO, "no device acknowledged the address", address=address, index=index)


def stopped(address, index=None):
    """Returns the error of a target that acknowledged its address, and a later byte not."""
    return BusError(EIO, "the device did not acknowledge a byte", address=address, index=index)


def damaged(address, text):
    """Returns the error of an answer that cannot be right."""
    return BusError(EIO, text, address=address)


def timed_out(place, text, address=None):
    """Returns the error of what was not done in its time."""
    return BusError(ETIMEDOUT, text, place=place, address=address)


def unsupported(text, address=None):
    """Returns the error of what this bus cannot do."""
    return BusError(EOPNOTSUPP, text, place=CALLER, address=address)


def not_allowed(address):
    """Returns the error of an address that may not be used."""
    return BusError(EACCES, "this address is not allowed: see the addresses of the bus", place=CALLER, address=address)


def busy(waiting):
    """Returns the error of a bus for which too many wait."""
    return BusError(EAGAIN, f"{waiting} calls wait for the bus already: try again later", place=LOCK)


def closed():
    """Returns the error of a bus that is closed."""
    return BusError(ENODEV, "the bus is closed", place=CALLER)


def away(client):
    """Returns the error of a client that is not connected."""
    return BusError(EHOSTDOWN, f"the client {client} is not connected", place=LINK)
