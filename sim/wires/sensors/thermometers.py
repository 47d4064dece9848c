"""Thermometers with 16-bit registers: MCP9808, TMP117.

Sources: Microchip, MCP9808 data sheet, DS20005095B (2018), 5.0; Texas Instruments, TMP117 data sheet, SNOSD82D (2022),
7.3, 7.4, 7.6.
"""

from sim.wires.sensors.device import Words, clamped, full_periods


class MCP9808(Words):
    """The alert output is not modelled; the flags in the temperature register are."""

    ADDRESSES = tuple(range(0x18, 0x20))
    VALUES = {"temperature": 20.0}  # deg C
    IDENTITY = 0x0400
    AGE_S = 0.25

    CONFIG, UPPER, LOWER, CRITICAL, AMBIENT, MANUFACTURER, DEVICE, RESOLUTION = range(1, 9)
    RESET = {CONFIG: 0, UPPER: 0, LOWER: 0, CRITICAL: 0, AMBIENT: 0xC000, MANUFACTURER: 0x0054}
    WRITABLE = frozenset((CONFIG, UPPER, LOWER, CRITICAL))
    CONVERSION_S = (0.030, 0.065, 0.130, 0.250)  # by resolution: 0.5, 0.25, 0.125, 0.0625 deg C
    SHUTDOWN = 0x0100

    def reset(self):
        super().reset()
        self._resolution = 3
        self._began = self.now

    def receive(self, value):
        if self._count == 1 and self.pointer == self.RESOLUTION:  # the only one of 8 bits
            self._resolution = value & 3
            self._began = self.now
        return super().receive(value)

    def store(self, register, word):
        if register == self.CONFIG:
            word &= 0x07FF
            if self.words[register] & self.SHUTDOWN and not word & self.SHUTDOWN:
                self._began = self.now
        elif register in self.WRITABLE:
            word &= 0x1FFC
        self._update(self.now)
        super().store(register, word)

    def refresh(self, now):
        self._update(now)

    def _update(self, now):
        period_s = self.CONVERSION_S[self._resolution]
        done = full_periods(self._began, period_s, now)
        if done and not self.words[self.CONFIG] & self.SHUTDOWN:
            step = 8 >> self._resolution
            value = self.value("temperature", self._began + done * period_s)
            sixteenths = clamped(value * 16 / step, -640 // step, 2000 // step) * step
            self.words[self.AMBIENT] = self._flags(sixteenths) | sixteenths & 0x1FFF

    def _flags(self, sixteenths):
        critical, upper, lower = (_signed13(self.words[one]) for one in (self.CRITICAL, self.UPPER, self.LOWER))
        return (sixteenths >= critical) << 15 | (sixteenths > upper) << 14 | (sixteenths < lower) << 13

    def load(self, register):
        if register == self.DEVICE:
            return self.identity
        if register == self.RESOLUTION:
            return self._resolution << 8 | self._resolution
        return super().load(register)


def _signed13(word):
    word &= 0x1FFF
    return word - 0x2000 if word & 0x1000 else word


class TMP117(Words):
    """The alert output, the offset register and the EEPROM are not modelled: their registers hold what is written."""

    ADDRESSES = (0x48, 0x49, 0x4A, 0x4B)
    VALUES = {"temperature": 20.0}  # deg C
    IDENTITY = 0x0117
    AGE_S = 1.0

    RESULT, CONFIG, HIGH, LOW, UNLOCK, EE1, EE2, OFFSET, EE3, DEVICE = 0, 1, 2, 3, 4, 5, 6, 7, 8, 15
    RESET = {RESULT: 0x8000, CONFIG: 0x0220, HIGH: 0x6000, LOW: 0x8000, UNLOCK: 0, EE1: 0, EE2: 0, OFFSET: 0, EE3: 0}
    WRITABLE = frozenset((HIGH, LOW, UNLOCK, EE1, EE2, OFFSET, EE3))
    READY, SOFT_RESET = 1 << 13, 1 << 1
    CONTINUOUS, SHUTDOWN, ONE_SHOT = 0, 1, 3  # bits 11:10
    AVERAGE_S = (0.0155, 0.125, 0.5, 1.0)  # the time that 1, 8, 32, 64 conversions take
    CYCLE_S = (0.0155, 0.125, 0.25, 0.5, 1.0, 4.0, 8.0, 16.0)

    def reset(self):
        super().reset()
        self._begin(self.now)

    def _begin(self, now):
        self._began = now
        self._done = 0

    def store(self, register, word):
        if register != self.CONFIG:
            super().store(register, word)
            return
        self._update(self.now)
        if word & self.SOFT_RESET:
            self.reset()
            return
        self.words[self.CONFIG] = word & 0x0FFC
        self._begin(self.now)

    def refresh(self, now):
        self._update(now)

    def _update(self, now):
        config = self.words[self.CONFIG]
        mode, average_s = config >> 10 & 3, self.AVERAGE_S[config >> 5 & 3]
        if mode == self.SHUTDOWN:
            return
        cycle_s = average_s if mode == self.ONE_SHOT else max(average_s, self.CYCLE_S[config >> 7 & 7])
        # The conversions stand at the beginning of a cycle; the rest of it is standby.
        done = full_periods(self._began - cycle_s + average_s, cycle_s, now)
        if done > self._done:
            done = 1 if mode == self.ONE_SHOT else done
            self._done = done
            when = self._began + (done - 1) * cycle_s + average_s
            raw = clamped(self.value("temperature", when) / 0.0078125, -32768, 32767)
            self.words[self.RESULT] = raw & 0xFFFF
            config |= self.READY
            if mode == self.ONE_SHOT:
                config = config & ~(3 << 10) | self.SHUTDOWN << 10
            self.words[self.CONFIG] = config

    def load(self, register):
        if register == self.DEVICE:
            return self.identity
        word = super().load(register)
        if register in (self.RESULT, self.CONFIG):
            self.words[self.CONFIG] &= ~self.READY
        return word
