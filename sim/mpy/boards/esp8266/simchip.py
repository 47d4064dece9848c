"""The ESP8266's stand-ins, all in one module: `machine`, `network`, `esp`, `time`, `select`, `socket`, and the board's
looks in `sys` and `micropython`. simboot.py puts it into sys.modules under all these names.

For any interpreter; the bridge's own has the same in C, without any of this heap: sim/mpy/boards/esp8266_c. What a
bridge does not use is in simchip_more.py and loaded when it is asked for; what the interpreter's own modules do well
is passed on by `__getattr__`. There are no hard interrupts on this chip.
"""

import gc

import micropython
import simlink
import usys
import utime
from micropython import const
from simi2c import SoftI2C
from simlink import call
from uselect import POLLIN, POLLOUT
from uselect import poll as _poll

_MEASURED = const(19)

platform = "esp8266"

_irqs = {}  # pin -> handler and what it is called with


def _edge(handle, edge, d, size):
    handler, pin = _irqs[handle]
    if handler:
        simlink.schedule(handler, pin)


def _measure(a, b, d, size):
    """The wire process asks how much heap is free."""
    gc.collect()
    simlink.send(_MEASURED, 0, 0, 0, min(gc.mem_free(), 65535), 0)


simlink.on[simlink.EDGE] = _edge
simlink.on[simlink.MEASURE] = _measure


class Pin:
    IN = 0
    OUT = PULL_UP = IRQ_RISING = 1
    OPEN_DRAIN = IRQ_FALLING = 2

    def __init__(self, id, mode=None, pull=None, value=None):
        if isinstance(id, Pin):
            id = id._handle
        if not 0 <= id <= 16 or id in (6, 7, 8, 11):
            raise ValueError("invalid pin")
        self._handle = id
        if mode is not None:
            self.init(mode, pull, value=value)

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
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=3, hard=False):
        if self._handle == 16:
            raise OSError("pin does not have IRQ capabilities")
        if hard:
            raise ValueError("hard IRQ not supported")
        _irqs[self._handle] = (handler, self)
        call(6, self._handle, trigger if handler else 0)
        return self


class WLAN:
    def __init__(self, interface=0):
        if interface not in (0, 1):
            raise ValueError
        self._interface = interface

    def isconnected(self):
        return self.status() == 5

    def status(self, *what):
        if not what:
            return call(15, self._interface, 3)
        if what[0] != "rssi":
            raise ValueError("unknown status param")
        return -60

    def __getattr__(self, name):
        return _more(name, self)


class poll:
    """Interrupts come in while it waits; all else is the interpreter's own poll."""

    def __init__(self):
        self._files = _poll()
        self._files.register(simlink.file, POLLIN)
        self._ready = []

    def ipoll(self, timeout=-1, flags=0):
        ready = self._ready
        ready.clear()
        end = utime.ticks_add(utime.ticks_ms(), timeout)
        while True:
            served = False
            for thing, event in self._files.ipoll(timeout):
                if thing is simlink.file:
                    served = True
                else:
                    ready.append((thing, event))
            if served:
                simlink.service()
            if timeout >= 0:
                timeout = max(0, utime.ticks_diff(end, utime.ticks_ms()))
            if ready or not (served or timeout):
                return ready

    def __getattr__(self, name):
        return getattr(self._files, name)


def feed():
    """The watchdog that simchip_more.WDT returns is this module."""
    call(13)


def _more(name, this=None):
    """What simchip_more.py has under this name; that module does not stay in memory."""
    from simchip_more import names

    found = names.get(name)
    del usys.modules["simchip_more"]
    if found is None:
        raise AttributeError(name)
    return (lambda *args, **kwargs: found(this, *args, **kwargs)) if this else found


def __getattr__(name):
    if not name.startswith("sleep"):  # those of `time` have to let interrupts in, `esp.sleep_type` is not there
        for module in (usys, utime, micropython):
            if hasattr(module, name):
                return getattr(module, name)
    return _more(name)
