"""`machine` of a pyboard or rp2, what is loaded when a program names it: ADC, PWM, Timer, RTC, SPI, SoftSPI.

Each asks the wire process (sim/mpy/peripherals.py). What the ports differ in is in the tables here.
"""

import struct
import sys

import simlink
import simrtc
from machine import Pin
from simlink import call

_STM32 = sys.platform == "pyboard"
_ANALOG, _PWM, _TIMER, _TICKED, _SPI = 20, 21, 22, 23, 26
_NONE = 255


class ADC:
    """Reads the volts that the world says, of 3.3, else those of a PWM output or the level of the pin's wire."""

    CORE_TEMP = 4
    # rp2: analog inputs by number.
    _NUMBERS = {} if _STM32 else {0: "GP26", 1: "GP27", 2: "GP28", 3: "GP29"}

    def __init__(self, id):
        if id == self.CORE_TEMP and not _STM32 and isinstance(id, int):
            self._handle = _NONE
        else:
            pin = Pin(self._NUMBERS.get(id, id) if isinstance(id, int) else id)
            self._handle = pin._handle
            try:
                self.read_u16()
            except OSError:
                raise ValueError("Pin(%s) doesn't have ADC capabilities" % pin._name)

    def read_u16(self):
        return call(_ANALOG, self._handle)

    def read_uv(self):
        return self.read_u16() * 3300000 // 65535


class PWM:
    def __init__(self, dest, **settings):
        self._pin = Pin(dest)
        self._hz = 0
        self._duty = 0
        self.init(**settings)

    def init(self, *, freq=None, duty_u16=None, duty_ns=None):
        if freq is not None:
            self._set_freq(freq)
        if duty_u16 is not None:
            self._duty = max(0, min(65535, duty_u16))
        elif duty_ns is not None:
            self._duty = max(0, min(65535, duty_ns * self._hz * 65535 // 1000000000))
        self._apply()

    def _set_freq(self, hz):
        if not 1 <= hz <= 62500000:
            raise ValueError("freq out of range")
        self._hz = int(hz)

    def _apply(self):
        if self._hz:
            call(_PWM, self._pin._handle, 1, data=struct.pack("<IH", self._hz, self._duty))

    def freq(self, *hz):
        if not hz:
            return self._hz
        self._set_freq(hz[0])
        self._apply()

    def duty_u16(self, *duty):
        if not duty:
            return self._duty
        self.init(duty_u16=duty[0])

    def duty_ns(self, *duty):
        if not duty:
            return self._duty * 1000000000 // (65535 * self._hz) if self._hz else 0
        self.init(duty_ns=duty[0])

    def deinit(self):
        call(_PWM, self._pin._handle, 0)


class Timer:
    """A timer whose callback is a soft interrupt, or with hard=True a hard one."""

    ONE_SHOT = 1
    PERIODIC = 2
    _timers = {}  # id at the wire process -> Timer

    def __init__(self, id=-1, **settings):
        if id != -1:
            raise ValueError("Timer(%s) doesn't exist: -1 is a virtual one" % id)
        self._id = None
        self._callback = None
        if settings:
            self.init(**settings)

    def init(self, *, mode=PERIODIC, freq=-1, period=-1, callback=None, hard=False):
        us = int(1000000 / freq) if freq != -1 else int(period) * 1000
        if us < 1:
            raise ValueError("a timer needs freq or period, in ms")
        self.deinit()
        self._callback = callback
        self._hard = hard
        self._mode = mode
        for number in range(16):
            if number not in Timer._timers:
                self._id = number
                Timer._timers[number] = self
                call(_TIMER, number, mode, data=struct.pack("<Q", us))
                return
        raise OSError(12)

    def deinit(self):
        if self._id is not None:
            del Timer._timers[self._id]
            number, self._id = self._id, None
            call(_TIMER, number, 0)

    def _fire(self):
        if self._callback is None:
            return
        if not self._hard:
            simlink.schedule(self._callback, self)
        elif not simlink.run_hard(self._callback, self):
            self._callback = None


def _tick(id, b, d, size):
    simlink.send(_TICKED, id, 0, 0, 0, 0)
    timer = Timer._timers.get(id)
    if timer is not None:
        if timer._mode == Timer.ONE_SHOT:
            del Timer._timers[id]
            timer._id = None
        timer._fire()


simlink.on[5] = _tick


class RTC:
    """The clock: this computer's, and from the first `datetime(..)` on that which was set, through resets too."""

    def __init__(self, id=0):
        pass

    def datetime(self, *new):
        if not new:
            now = simrtc.time_ns()
            year, month, day, hour, minute, second, weekday, _ = simrtc.gmtime(now // 1000000000)
            part = now % 1000000000 * 256 // 1000000000 if _STM32 else 0
            return (year, month, day, weekday + 1 if _STM32 else weekday, hour, minute, second, part)
        year, month, day, _, hour, minute, second, _ = new[0]
        simrtc.set((year, month, day, hour, minute, second, 0, 0))

    def init(self, *new):
        if new:
            self.datetime(new[0])


class SoftSPI:
    MSB = 0
    LSB = 1

    def __init__(self, baudrate=500000, *, sck, mosi=None, miso=None, **settings):
        self._wires = [_NONE if pin is None else Pin(pin)._handle for pin in (sck, mosi, miso)]
        self.init(baudrate=baudrate, **settings)

    def init(self, baudrate=500000, *, polarity=0, phase=0, bits=8, firstbit=MSB, **pins):
        if bits != 8 or firstbit != self.MSB:
            raise ValueError("only 8 bits, the most significant first")

    def deinit(self):
        pass

    def _exchange(self, data, into):
        sck, mosi, miso = self._wires
        at = 0
        view = memoryview(data)
        while at < len(data):  # a frame of the link has at most 64 KiB
            piece = view[at : at + 4096]
            call(_SPI, sck, mosi, miso, data=piece, into=memoryview(into)[at : at + len(piece)])
            at += len(piece)

    def write(self, data):
        data = data.encode() if isinstance(data, str) else data
        self._exchange(data, bytearray(len(data)))

    def read(self, size, write=0x00):
        buf = bytearray(size)
        self.readinto(buf, write)
        return bytes(buf)

    def readinto(self, buf, write=0x00):
        self._exchange(bytes((write,)) * len(buf), buf)

    def write_readinto(self, write, read):
        if len(write) != len(read):
            raise ValueError("buffers must be the same length")
        self._exchange(bytes(write), read)


class SPI(SoftSPI):
    _PINS = {1: ("X6", "X8", "X7"), 2: ("Y6", "Y8", "Y7")} if _STM32 else {
        0: ("GP18", "GP19", "GP16"), 1: ("GP10", "GP11", "GP8")
    }
    _NAMES = {"X": 1, "Y": 2} if _STM32 else {}

    def __init__(self, id, baudrate=1000000, *, sck=None, mosi=None, miso=None, **settings):
        number = self._NAMES.get(id, id)
        if number not in self._PINS:
            raise ValueError("SPI(%s) doesn't exist" % id)
        if _STM32 and not sck is mosi is miso is None:
            raise TypeError("extra keyword arguments given")
        usual = self._PINS[number]
        given = [default if pin is None else pin for pin, default in zip((sck, mosi, miso), usual)]
        super().__init__(baudrate, sck=given[0], mosi=given[1], miso=given[2], **settings)
