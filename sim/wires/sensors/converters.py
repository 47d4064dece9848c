"""Converters with 16-bit registers: ADS1115, ADS1015 and INA219.

Sources: Texas Instruments, ADS1115 data sheet, SBAS444E (2024), 7.3, 7.4, 8.1; ADS1015 data sheet, SBAS473F (2024),
8.1: the same registers, 12 bits, other rates; INA219 data sheet, SBOS448G (2015), 8.5, 8.6.
"""

from sim.wires.sensors.device import Words, clamped, full_periods


class ADS1115(Words):
    """The comparator is not modelled: its registers hold what is written."""

    ADDRESSES = (0x48, 0x49, 0x4A, 0x4B)
    VALUES = {"a0": 1.0, "a1": 0.5, "a2": 0.25, "a3": 0.0}  # V against ground
    AGE_S = 1 / 128

    CONVERSION, CONFIG, LOW, HIGH = range(4)
    RESET = {CONVERSION: 0, CONFIG: 0x8583, LOW: 0x8000, HIGH: 0x7FFF}
    WRITABLE = frozenset((LOW, HIGH))
    START, SINGLE = 0x8000, 0x0100
    INPUTS = (("a0", "a1"), ("a0", "a3"), ("a1", "a3"), ("a2", "a3"), ("a0",), ("a1",), ("a2",), ("a3",))
    RANGE_V = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256)
    RATE_HZ = (8, 16, 32, 64, 128, 250, 475, 860)
    BITS = 16  # of a result, which stands at the left of its word

    def reset(self):
        super().reset()
        self._began = None  # the conversion that runs, or the first of a series
        self._done = 0

    def store(self, register, word):
        if register != self.CONFIG:
            super().store(register, word)
            return
        self.refresh(self.now)
        single = self._began is not None and self.words[self.CONFIG] & self.SINGLE
        if not word & self.SINGLE or word & self.START and not single:
            self._began, self._done = self.now, 0
        elif self._began is not None and not single:  # it completes the one that runs, 7.4.2.2
            self._began += self._done * self._period_s()
            self._done = 0
        self.words[self.CONFIG] = word & ~self.START

    def _period_s(self):
        return 1 / self.RATE_HZ[self.words[self.CONFIG] >> 5 & 7]

    def refresh(self, now):
        if self._began is None:
            return
        config = self.words[self.CONFIG]
        period_s = self._period_s()
        done = full_periods(self._began, period_s, now)
        if done > self._done:
            done = 1 if config & self.SINGLE else done
            self._done = done
            self.words[self.CONVERSION] = self._converted(self._began + done * period_s)
            if config & self.SINGLE:
                self._began = None

    def _converted(self, when):
        config = self.words[self.CONFIG]
        plus, *minus = self.INPUTS[config >> 12 & 7]
        volts = self.value(plus, when) - (self.value(minus[0], when) if minus else 0)
        most = 1 << self.BITS - 1
        raw = clamped(volts / self.RANGE_V[config >> 9 & 7] * most, -most, most - 1)
        return raw << 16 - self.BITS & 0xFFFF

    def load(self, register):
        word = super().load(register)
        if register == self.CONFIG and self._began is None:
            word |= self.START  # it does not convert
        return word


class ADS1015(ADS1115):
    """The ADS1115 with 12 bits and faster."""

    AGE_S = 1 / 1600
    RATE_HZ = (128, 250, 490, 920, 1600, 2400, 3300, 3300)
    BITS = 12


class INA219(Words):
    """Averaging has its time; the value is that of its end."""

    ADDRESSES = tuple(range(0x40, 0x50))
    VALUES = {"voltage": 5.0, "current": 0.1}  # V at the load, A through the shunt
    AGE_S = 0.0011

    CONFIG, SHUNT, BUS, POWER, CURRENT, CALIBRATION = range(6)
    RESET = {CONFIG: 0x399F, SHUNT: 0, BUS: 0, POWER: 0, CURRENT: 0, CALIBRATION: 0}
    WRITABLE = frozenset((CALIBRATION,))
    SOFT_RESET, WIDE, READY, OVERFLOW = 0x8000, 0x2000, 2, 1
    SHUNT_V, BUS_V = 0.00001, 0.004  # of one bit
    CONVERSION_S = (84e-6, 148e-6, 276e-6, 532e-6)  # 9 to 12 bits; then 532 us for each of 2 to 128 that are averaged

    def __init__(self, values=None, identity=None, *, shunt_ohm=0.1):
        super().__init__(values, identity)
        self.shunt_ohm = shunt_ohm

    def reset(self):
        super().reset()
        self._began = self.now
        self._done = 0

    def store(self, register, word):
        self.refresh(self.now)
        if register == self.CONFIG:
            if word & self.SOFT_RESET:
                self.reset()
                return
            self.words[self.CONFIG] = word
            self.words[self.BUS] &= ~self.READY
            self._began, self._done = self.now, 0
        elif register == self.CALIBRATION:
            self.words[register] = word & 0xFFFE

    def _time_s(self, code):
        return self.CONVERSION_S[code & 3] if code < 8 else self.CONVERSION_S[3] * (1 << (code & 7))

    def refresh(self, now):
        config = self.words[self.CONFIG]
        mode = config & 7
        shunt, bus = mode & 1, mode & 2
        if not shunt and not bus:
            return
        period_s = bool(shunt) * self._time_s(config >> 3 & 15) + bool(bus) * self._time_s(config >> 7 & 15)
        done = full_periods(self._began, period_s, now)
        done = done if mode & 4 else min(done, 1)
        if done > self._done:
            self._done = done
            self._measure(self._began + done * period_s, shunt, bus)

    def _measure(self, when, shunt, bus):
        config, words = self.words[self.CONFIG], self.words
        if shunt:
            most = 4000 << (config >> 11 & 3)
            raw = clamped(self.value("current", when) * self.shunt_ohm / self.SHUNT_V, -most, most)
            words[self.SHUNT] = raw & 0xFFFF
        if bus:
            most = 8000 if config & self.WIDE else 4000
            words[self.BUS] = clamped(self.value("voltage", when) / self.BUS_V, 0, most) << 3
        current = int(_signed(words[self.SHUNT]) * words[self.CALIBRATION] / 4096)
        power = abs(current) * (words[self.BUS] >> 3) // 5000
        overflow = not -32768 <= current <= 32767 or power > 0xFFFF
        words[self.CURRENT], words[self.POWER] = current & 0xFFFF, power & 0xFFFF
        words[self.BUS] = words[self.BUS] & 0xFFF8 | self.READY | (self.OVERFLOW if overflow else 0)

    def load(self, register):
        word = super().load(register)
        if register == self.POWER:
            self.words[self.BUS] &= ~self.READY
        return word


def _signed(word):
    return word - 0x10000 if word & 0x8000 else word
