"""`machine` of the ESP8266: software I2C only, no hard interrupts, a watchdog without a time of its own.

Small on purpose: what these stand-ins take of the 38 KiB heap is missing in what is measured of the bridge.
"""

import gc

import simlink
from simlink import call

PWRON_RESET = 0
WDT_RESET = 1
SOFT_RESET = 4
HARD_RESET = 6

simlink.queue_depth = 4
_irqs = {}


class Pin:
    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    PULL_UP = 1
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, id, *args, **kwargs):
        if isinstance(id, Pin):
            id = id._handle
        if not isinstance(id, int) or not (0 <= id <= 5 or id in (9, 10) or 12 <= id <= 16):
            raise ValueError("invalid pin")
        self._handle = id
        if args or kwargs:
            self.init(*args, **kwargs)

    def init(self, mode, pull=None, *, value=None):
        if self._handle == 16 and pull is not None:
            raise ValueError("Pin(16) doesn't support pull")
        call(3, self._handle, mode, pull or 0, 2 if value is None else 1 if value else 0)

    def value(self, *level):
        if level:
            call(4, self._handle, 1 if level[0] else 0)
        else:
            return call(5, self._handle)

    __call__ = value

    def on(self):
        call(4, self._handle, 1)

    def off(self):
        call(4, self._handle, 0)

    def irq(self, handler=None, trigger=3, hard=False):
        if self._handle == 16:
            raise OSError("pin does not have IRQ capabilities")
        if hard:
            raise ValueError("hard IRQ not supported")
        _irqs[self._handle] = (handler, self)
        call(6, self._handle, trigger if handler else 0)
        return self


def _edge(pin, trigger, d, size):
    handler, argument = _irqs[pin]
    if handler:
        simlink.schedule(handler, argument)


def _measure(a, b, d, size):
    # The wire process asks how much heap is free, between two steps of the program.
    gc.collect()
    simlink.send(19, 0, 0, 0, min(gc.mem_free(), 65535), 0)


simlink.on[simlink.EDGE] = _edge
simlink.on[simlink.MEASURE] = _measure


class WDT:
    """Bites after the time that the chip's system fixes; it is not the program's to choose."""

    def __init__(self, id=0, timeout=5000):
        if id or timeout != 5000:
            raise ValueError
        call(13, 1)

    def feed(self):
        call(13)


def reset():
    call(14)  # the wire process ends this process, so there is no reply


def reset_cause():
    return call(17)


def unique_id():
    return b"\x66\x82\x5e\x00"


def freq(hz=80000000):
    if hz not in (80000000, 160000000):
        raise ValueError("frequency can only be either 80Mhz or 160MHz")
    return hz


def idle():
    simlink.service()


def disable_irq():
    return 0


def enable_irq(state):
    pass


def __getattr__(name):
    if name == "SoftI2C":
        from simi2c import SoftI2C

        return SoftI2C
    raise AttributeError(name)
