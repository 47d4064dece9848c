"""`machine` of a board whose I2C peripheral can be a target: `pyboard` (stm32) and `rp2`.

Pins, the watchdog and resets; the I2C classes are in sim_i2c.py.
"""

import struct
import sys

import simlink
from simlink import call

_STM32 = sys.platform == "pyboard"

PWRON_RESET = 1
WDT_RESET = 3
if _STM32:
    HARD_RESET = 2
    DEEPSLEEP_RESET = 4
    SOFT_RESET = 5

# Of the counter that wakes it: stm32's has 17 bits of seconds, rp2's 32 of microseconds.
_MAX_SLEEP_MS = 131072999 if _STM32 else 4294966
_WITHOUT_END = 0xFFFFFFFF

_pins = {}  # name -> Pin
_by_handle = {}


class Pin:
    IN = 0
    OUT = 1
    OPEN_DRAIN = 17 if _STM32 else 2
    ALT = 2 if _STM32 else 3
    PULL_UP = 1
    PULL_DOWN = 2
    IRQ_RISING = 0x10110000 if _STM32 else 8
    IRQ_FALLING = 0x10210000 if _STM32 else 4

    def __new__(cls, id, *args, **kwargs):
        if isinstance(id, Pin):
            return id
        name = id if isinstance(id, str) else "GP%d" % id
        pin = _pins.get(name)
        if pin is None:
            pin = object.__new__(cls)
            try:
                pin._handle = call(2, data=name.encode())
            except OSError:
                raise ValueError("Pin(%s) doesn't exist" % name if _STM32 else "invalid pin")
            pin._name = name
            pin._handler = None
            pin._hard = False
            pin._flags = 0
            _pins[name] = _by_handle[pin._handle] = pin
        return pin

    def __init__(self, id, *args, **kwargs):
        if args or kwargs:
            self.init(*args, **kwargs)

    def __repr__(self):
        return "Pin(%s)" % self._name

    def init(self, mode=-1, pull=-1, *, value=None, drive=0, alt=-1):
        kinds = {-1: 255, Pin.IN: 0, Pin.OUT: 1, Pin.OPEN_DRAIN: 2, Pin.ALT: 3}
        if mode not in kinds:
            raise ValueError("invalid pin mode: %d" % mode)
        if pull not in (-1, None, 0, Pin.PULL_UP, Pin.PULL_DOWN):
            raise ValueError("invalid pin pull: %d" % pull)
        call(3, self._handle, kinds[mode], 0 if pull in (-1, None) else pull, 2 if value is None else 1 if value else 0)

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

    high = on
    low = off

    def toggle(self):
        self.value(1 - self.value())

    def irq(self, handler=None, trigger=IRQ_RISING | IRQ_FALLING, *, hard=False):
        rising = trigger & Pin.IRQ_RISING == Pin.IRQ_RISING
        falling = trigger & Pin.IRQ_FALLING == Pin.IRQ_FALLING
        if not rising and not falling:
            raise ValueError("invalid pin irq trigger: %d" % trigger)
        self._handler = handler
        self._hard = hard
        call(6, self._handle, (rising | falling << 1) if handler else 0)
        return _PinIRQ(self, trigger)


class _PinIRQ:
    def __init__(self, pin, trigger):
        self._pin = pin
        self._trigger = trigger

    def flags(self):
        return self._pin._flags

    def trigger(self, *new):
        old = self._trigger
        if new:
            self._trigger = new[0]
            self._pin.irq(self._pin._handler, new[0], hard=self._pin._hard)
        return old


def _edge(handle, edge, d, size):
    pin = _by_handle[handle]
    pin._flags = Pin.IRQ_RISING if edge == 1 else Pin.IRQ_FALLING
    if pin._handler is None:
        return
    if not pin._hard:
        simlink.schedule(pin._handler, pin)
    elif not simlink.run_hard(pin._handler, pin):
        pin._handler = None


simlink.on[simlink.EDGE] = _edge


class WDT:
    def __init__(self, id=0, timeout=5000):
        if id:
            raise ValueError("WDT(%d) doesn't exist" % id)
        if timeout < 1 or timeout > (32000 if _STM32 else 8388):
            raise ValueError("WDT timeout out of range")
        call(13, 1, d=timeout)

    def feed(self):
        call(13)


def reset():
    call(14)  # the wire process ends this process, so there is no reply


def reset_cause():
    return call(17)


def lightsleep(*time_ms):
    _sleep(0, *time_ms)


def deepsleep(*time_ms):
    if _STM32:
        _sleep(1, *time_ms)
    else:
        lightsleep(*time_ms)
        reset()


def _sleep(deep, ms=None):
    """Asks the wire process to wait for so long. It takes the board off its buses meanwhile (sim/mpy/sleep.py)."""
    if ms is None:
        ms = _WITHOUT_END
    elif ms > _MAX_SLEEP_MS:
        raise ValueError("wakeup value too large" if _STM32 else "sleep too long")
    call(27, deep, data=struct.pack("<I", max(0, ms)))


def unique_id():
    return b"simboard" if not _STM32 else b"sim-pyboard\0"


def freq(*hz):
    return 168000000 if _STM32 else 125000000


def idle():
    simlink.service()


def disable_irq():
    return True


def enable_irq(state=True):
    simlink.service()


from sim_i2c import I2C, I2CTarget, SoftI2C  # noqa: E402,F401  (needs Pin)


def __getattr__(name):
    """Loads what only some programs use."""
    if name in ("ADC", "PWM", "RTC", "SPI", "SoftSPI", "Timer"):
        import simmore

        return getattr(simmore, name)
    raise AttributeError(name)
