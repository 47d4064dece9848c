"""LPS25H and LPS25HB: a barometer.

Source: ST, LPS25H data sheet, DocID023722 revision 6 (2016), 5.1.1 (the register number goes up only if its highest bit
is set), 7, 8 and 9.
"""

from sim.wires.sensors.device import Registers, clamped, full_periods

WHO_AM_I, RES_CONF, CTRL1, CTRL2, STATUS, PRESSURE, TEMPERATURE = 0x0F, 0x10, 0x20, 0x21, 0x27, 0x28, 0x2B
POWER, ONE_SHOT, SOFT_RESET, BOOT = 0x80, 0x01, 0x04, 0x80
RATE_HZ = (0, 1, 7, 12.5, 25, 25, 25, 25)


class LPS25(Registers):
    """FIFO, interrupts, reference pressure and offset are not modelled: their registers hold what is written."""

    ADDRESSES = (0x5C, 0x5D)
    VALUES = {"pressure": 1013.25, "temperature": 20.0}  # hPa, deg C
    IDENTITY = 0xBD
    AGE_S = 0.04

    RESET = {RES_CONF: 0x05}
    WRITABLE = frozenset((0x08, 0x09, 0x0A, RES_CONF, CTRL1, CTRL2, 0x22, 0x23, 0x24, 0x2E, 0x30, 0x31, 0x39, 0x3A))
    ONE_SHOT_S = 0.04  # the data sheet gives a period of the fastest rate

    def reset(self):
        super().reset()
        self._increments = False
        self._began = self._one_shot = None
        self._done = 0

    def select(self, value):
        self._increments = bool(value & 0x80)
        return value & 0x7F

    def following(self, register):
        return register + 1 & 0x7F if self._increments else register

    def store(self, register, value):
        self.refresh(self.now)
        if register == CTRL2 and value & (SOFT_RESET | BOOT):
            self.reset()
            return
        super().store(register, value)
        on = self.memory[CTRL1] & POWER
        if register == CTRL1:
            self._began, self._done, self._one_shot = self.now, 0, None
        elif register == CTRL2 and value & ONE_SHOT and on and not self._rate_hz():
            self._one_shot = self.now + self.ONE_SHOT_S

    def _rate_hz(self):
        return RATE_HZ[self.memory[CTRL1] >> 4 & 7]

    def refresh(self, now):
        hz = self._rate_hz()
        if not self.memory[CTRL1] & POWER:
            return
        if hz:
            done = full_periods(self._began, 1 / hz, now)
            if done > self._done:
                self._done = done
                self._measure(self._began + done / hz)
        elif self._one_shot is not None and now >= self._one_shot:
            self._measure(self._one_shot)
            self._one_shot = None
            self.memory[CTRL2] &= ~ONE_SHOT

    def _measure(self, when):
        pressure = clamped(self.value("pressure", when) * 4096, 0, 0x7FFFFF)
        temperature = clamped((self.value("temperature", when) - 42.5) * 480, -32768, 32767)
        self.memory[PRESSURE : PRESSURE + 3] = pressure.to_bytes(3, "little")
        self.memory[TEMPERATURE : TEMPERATURE + 2] = (temperature & 0xFFFF).to_bytes(2, "little")
        unread = self.memory[STATUS] & 3
        self.memory[STATUS] |= 3 | unread << 4

    def load(self, register):
        if register == WHO_AM_I:
            return self.identity
        value = self.memory[register]
        if register == PRESSURE + 2:
            self.memory[STATUS] &= ~0x22
        elif register == TEMPERATURE + 1:
            self.memory[STATUS] &= ~0x11
        return value
