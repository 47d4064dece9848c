"""What a raw request to a device can raise. All are OSErrors, and an OSError of none of these classes is the bus's own.

    OSError
        Barred      the address is barred for now: see SensorBus.bar
        NoAnswer    no device acknowledged the address, or it stopped in the middle
        TimedOut    the request could not be made in its time, or the device held the clock for too long
        BusStuck    a wire of the bus is held low
            InDoubt     a multiplexer has not acknowledged that it is closed: nothing else may be used. Raw requests
                        wait for that, so they do not raise it
        QueueFull   as many requests wait as may
"""

from errno import EAGAIN, ETIMEDOUT

from protocol import const
from sensor_bus.faults import BusStuck
from sensor_bus.faults import NoAnswer as NoAnswer  # for programs

_EBUSY = const(16)  # which MicroPython's errno does not have


class Barred(OSError):
    """Args: address: composite."""

    def __init__(self, address):
        super().__init__(_EBUSY, "address %x is barred" % address)


class TimedOut(OSError):
    def __init__(self, address):
        super().__init__(ETIMEDOUT, "the request to address %x was not done in its time" % address)


class InDoubt(BusStuck):
    """No device is to blame, as with BusStuck. Args: address: of the multiplexer."""

    def __init__(self, address):
        super().__init__("multiplexer %x has not acknowledged that it is closed" % address)


class QueueFull(OSError):
    def __init__(self, count):
        super().__init__(EAGAIN, "%d requests wait already: try again later" % count)
