"""The ESP8266's stand-ins, all in one module: `machine`, `network`, `esp`, `time`, `select`, `socket`, and the board's
looks in `sys` and `micropython`. simboot.py puts it into sys.modules under all these names.

For any interpreter; the bridge's own has the same in C, without any of this heap: sim/mpy/boards/esp8266_c. What a
bridge does not use is in simchip_more.py and loaded when it is asked for; what the interpreter's own modules do well
is passed on by `__getattr__`. The frames are those of common/simlink.py; there are no hard interrupts on this chip, so
requests are never nested.
"""

import gc

import micropython
import usys
import utime
from micropython import const
from uselect import POLLIN, POLLOUT
from uselect import poll as _poll

_QUEUE = const(8)  # twice MICROPY_SCHEDULER_DEPTH of the port: function and argument
_REPLY = const(1)
_EDGE = const(2)
_MEASURED = const(19)

platform = "esp8266"

_head = bytearray(8)
_queue = []
_in_soft = False
_irqs = {}


def attach(fd):
    global _file, _link
    _file = open(fd, "r+b")
    _link = _poll()
    _link.register(_file, POLLIN)


def _send(kind, a, b, c, d, size):
    head = _head
    head[0] = kind
    head[1] = a
    head[2] = size & 255
    head[3] = size >> 8
    head[4] = b
    head[5] = c
    head[6] = d & 255
    head[7] = d >> 8
    _file.write(head)


def call(kind, a=0, b=0, c=0, d=0, data=None, head=None, into=None):
    """One request: sends `head` and `data`, the reply's payload goes into `into`. Returns its value; OSError."""
    _send(kind, a, b, c, d, (len(head) if head else 0) + (len(data) if data else 0))
    if head:
        _file.write(head)
    if data:
        _file.write(data)
    while not _serve():
        pass
    errno = _head[4]
    value = _head[6] | _head[7] << 8
    if _head[2] or _head[3]:
        _file.readinto(into)
    _run_soft()
    if errno:
        raise OSError(errno)
    return value


def _serve():
    """Takes one frame; True if it is a reply, whose payload is left to the caller."""
    head = _head
    if _file.readinto(head) != 8:
        raise SystemExit(3)  # the wire process is gone
    if head[0] == _REPLY:
        return True
    if head[0] == _EDGE:
        handler, pin = _irqs[head[1]]
        if handler and len(_queue) < _QUEUE:
            _queue.append(handler)
            _queue.append(pin)
    else:  # the wire process asks how much heap is free
        gc.collect()
        _send(_MEASURED, 0, 0, 0, min(gc.mem_free(), 65535), 0)
    return False


def service(ms=0):
    """Takes what has arrived, or arrives within `ms`, then runs the soft callbacks. True if there was something."""
    served = False
    for _ in _link.ipoll(ms):
        served = True
    if served:
        _serve()
        while service():
            pass
    else:
        _run_soft()
    return served


def _run_soft():
    global _in_soft
    if _in_soft:
        return  # a callback is running: another one waits
    _in_soft = True
    while _queue:
        handler = _queue.pop(0)
        try:
            handler(_queue.pop(0))
        except Exception as exception:  # as the port does: printed, and the program goes on
            usys.print_exception(exception)
    _in_soft = False


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


class SoftI2C:
    """The two transfers that a bridge uses; the others are simchip_more's."""

    def __init__(self, scl, sda, *, freq=400000, timeout=50000):
        self.init(scl, sda, freq=freq, timeout=timeout)

    def _select(self, memaddr, addrsize):
        head = self._memaddr
        n = addrsize >> 3
        if len(head) != n:
            if addrsize & 7 or addrsize > 32:
                raise ValueError("invalid addrsize")
            self._memaddr = head = bytearray(n)
        while n:
            n -= 1
            head[n] = memaddr & 255
            memaddr >>= 8
        return head

    def readfrom_mem_into(self, address, memaddr, buf, *, addrsize=8):
        call(8, self._bus, address, 7, len(buf), None, self._select(memaddr, addrsize), buf)

    def writeto_mem(self, address, memaddr, data, *, addrsize=8):
        call(8, self._bus, address, 2, 0, data, self._select(memaddr, addrsize))

    def __getattr__(self, name):
        return _more(name, self)


class WLAN:
    def __init__(self, interface=0):
        if interface not in (0, 1):
            raise ValueError
        self._interface = interface

    def isconnected(self):
        return self.status() == 5

    def status(self, *what):
        return call(15, self._interface, 3) if not what else _more("rssi")(what)

    def __getattr__(self, name):
        return _more(name, self)


class poll:
    """Interrupts come in while it waits; all else is the interpreter's own poll."""

    def __init__(self):
        self._files = _poll()
        self._files.register(_file, POLLIN)
        self._ready = []

    def ipoll(self, timeout=-1, flags=0):
        ready = self._ready
        ready.clear()
        end = utime.ticks_add(utime.ticks_ms(), timeout)
        while True:
            served = False
            for thing, event in self._files.ipoll(timeout):
                if thing is _file:
                    served = True
                else:
                    ready.append((thing, event))
            if served:
                service()
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
