"""`pyb` of a Pyboard: what its programs use most, on top of the stand-ins of `machine`."""

import time
from time import ticks_diff

import machine
from machine import RTC, Pin, unique_id

_COLOURS = ("LED_RED", "LED_GREEN", "LED_YELLOW", "LED_BLUE")


class LED:
    """One of the four LEDs. Those 3 and 4 have an intensity."""

    def __init__(self, number):
        if not 1 <= number <= 4:
            raise ValueError("LED(%s) doesn't exist" % number)
        self._number = number
        self._pin = Pin(_COLOURS[number - 1], Pin.OUT)
        self._level = 255 if self._pin.value() else 0

    def on(self):
        self.intensity(255)

    def off(self):
        self.intensity(0)

    def toggle(self):
        self.intensity(0 if self._level else 255)

    def intensity(self, *level):
        if not level:
            return self._level
        self._level = max(0, min(255, level[0]))
        self._pin.value(self._level > 0)

    def __repr__(self):
        return "LED(%d)" % self._number


class Switch:
    """The USR switch: pin X17, low while it is pressed. A world may press it: `"pins": {"SW": [[2, 0], [2.1, 1]]}`."""

    def __init__(self):
        self._pin = Pin("SW", Pin.IN, Pin.PULL_UP)

    def value(self):
        return not self._pin.value()

    __call__ = value

    def callback(self, function):
        self._pin.irq(None if function is None else lambda pin: function(), Pin.IRQ_FALLING)


class ADC:
    """pyb.ADC: 12 bits."""

    def __init__(self, pin):
        self._adc = machine.ADC(pin)

    def read(self):
        return self._adc.read_u16() >> 4


class Timer:
    """pyb.Timer: a callback at a frequency, and channels with PWM."""

    PWM = 0
    PWM_INVERTED = 1

    def __init__(self, id, **settings):
        if not 1 <= id <= 14 or id == 3:
            raise ValueError("Timer(%s) doesn't exist" % id)
        self._timer = machine.Timer(-1)
        self._hz = 0
        self._callback = None
        if settings:
            self.init(**settings)

    def init(self, *, freq, callback=None):
        self._hz = freq
        self.callback(callback)

    def deinit(self):
        self._timer.deinit()

    def freq(self, *hz):
        if not hz:
            return self._hz
        self._hz = hz[0]
        self.callback(self._callback)

    def callback(self, function):
        """The function gets the timer. It is a hard interrupt, as on the board."""
        self._timer.deinit()
        self._callback = function
        if function is not None:
            self._timer.init(freq=self._hz, callback=lambda timer: function(self), hard=True)

    def channel(self, number, mode, *, pin, pulse_width_percent=0):
        if mode not in (self.PWM, self.PWM_INVERTED):
            raise NotImplementedError("the simulator has channels for PWM only")
        return _Channel(self, pin, mode == self.PWM_INVERTED, pulse_width_percent)


class _Channel:
    def __init__(self, timer, pin, inverted, percent):
        self._pwm = machine.PWM(pin, freq=timer._hz)
        self._inverted = inverted
        self.pulse_width_percent(percent)

    def pulse_width_percent(self, *percent):
        if not percent:
            return self._percent
        self._percent = percent[0]
        high = 100 - self._percent if self._inverted else self._percent
        self._pwm.duty_u16(int(high * 65535 / 100))


def delay(ms):
    time.sleep_ms(ms)


def udelay(us):
    time.sleep_us(us)


def millis():
    return time.ticks_ms()


def micros():
    return time.ticks_us()


def elapsed_millis(begin):
    return ticks_diff(time.ticks_ms(), begin)


def elapsed_micros(begin):
    return ticks_diff(time.ticks_us(), begin)


def hard_reset():
    machine.reset()


def wfi():
    machine.idle()


def disable_irq():
    return machine.disable_irq()


def enable_irq(state=True):
    machine.enable_irq(state)
