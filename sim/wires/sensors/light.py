"""Light and proximity sensors with 16-bit registers, low byte first: VEML7700, VCNL4040.

Sources: Vishay, VEML7700 data sheet, document 84286, revision 1.8 (2024), tables 1 to 4, and application note 84323
(resolution 0.0042 lx at gain 2 and 800 ms); Vishay, VCNL4040 data sheet, document 84274, revision 1.7 (2020), tables 1
to 15.
"""

from sim.wires.sensors.device import Words, clamped, full_periods

SHUT_DOWN = 1


class VEML7700(Words):
    """Interrupts and the power-saving mode are not modelled: their registers hold what is written."""

    ADDRESSES = (0x10,)
    VALUES = {"als": 300.0, "white": 400.0}  # lx
    IDENTITY = 0xC481
    AGE_S = 0.1
    ORDER = "little"

    CONF, HIGH, LOW, SAVING, ALS, WHITE, STATUS, ID = range(8)
    RESET = {CONF: SHUT_DOWN, HIGH: 0, LOW: 0, SAVING: 0, ALS: 0, WHITE: 0, STATUS: 0}
    WRITABLE = frozenset((CONF, HIGH, LOW, SAVING))
    START_UP_S = 0.0025
    GAIN = (1.0, 2.0, 0.125, 0.25)
    INTEGRATION_S = {0b1100: 0.025, 0b1000: 0.05, 0b0000: 0.1, 0b0001: 0.2, 0b0010: 0.4, 0b0011: 0.8}
    FINEST_LX = 0.0042  # of one bit, with gain 2 and 800 ms

    def reset(self):
        super().reset()
        self._began = self.now

    def store(self, register, word):
        self.refresh(self.now)
        super().store(register, word)
        if register == self.CONF:
            self._began = self.now + self.START_UP_S

    def _integration_s(self):
        return self.INTEGRATION_S.get(self.words[self.CONF] >> 6 & 15, 0.1)

    def resolution_lx(self):
        """Returns what one bit stands for."""
        gain = self.GAIN[self.words[self.CONF] >> 11 & 3]
        return self.FINEST_LX * (2 / gain) * (0.8 / self._integration_s())

    def refresh(self, now):
        integration_s = self._integration_s()
        done = full_periods(self._began, integration_s, now)
        if done > 0 and not self.words[self.CONF] & SHUT_DOWN:
            when = self._began + done * integration_s
            for register, name in ((self.ALS, "als"), (self.WHITE, "white")):
                self.words[register] = clamped(self.value(name, when) / self.resolution_lx(), 0, 0xFFFF)

    def load(self, register):
        return self.identity if register == self.ID else super().load(register)


class VCNL4040(Words):
    """Interrupts, cancellation, the forced mode, and what the LED's current does to proximity are not modelled."""

    ADDRESSES = (0x60,)
    VALUES = {"als": 300.0, "white": 400.0, "proximity": 100}  # lx, lx, counts
    IDENTITY = 0x0186
    AGE_S = 0.08
    ORDER = "little"

    ALS_CONF, PS_CONF, PS_MODE, PROXIMITY, ALS, WHITE, FLAGS, ID = 0, 3, 4, 8, 9, 10, 11, 12
    RESET = {
        ALS_CONF: SHUT_DOWN, 1: 0, 2: 0, PS_CONF: SHUT_DOWN, PS_MODE: 0, 5: 0, 6: 0, 7: 0, PROXIMITY: 0, ALS: 0,
        WHITE: 0, FLAGS: 0,
    }  # fmt: skip
    WRITABLE = frozenset(range(8))
    ALS_S = 0.08  # by bits 7:6, times 1, 2, 4, 8
    COARSEST_LX = 0.1  # of one bit, at 80 ms
    PULSE_S = 0.000125  # 1T
    PULSES = (1, 1.5, 2, 2.5, 3, 3.5, 4, 8)
    DUTY = (40, 80, 160, 320)
    PS_16_BITS = 0x0800

    def reset(self):
        super().reset()
        self._light_began = self._proximity_began = self.now

    def store(self, register, word):
        self.refresh(self.now)
        super().store(register, word)
        if register == self.ALS_CONF:
            self._light_began = self.now
        elif register == self.PS_CONF:
            self._proximity_began = self.now

    def refresh(self, now):
        conf = self.words[self.ALS_CONF]
        factor = 1 << (conf >> 6 & 3)
        done = full_periods(self._light_began, self.ALS_S * factor, now)
        if done and not conf & SHUT_DOWN:
            when = self._light_began + done * self.ALS_S * factor
            for register, name in ((self.ALS, "als"), (self.WHITE, "white")):
                self.words[register] = clamped(self.value(name, when) / self.COARSEST_LX * factor, 0, 0xFFFF)
        conf = self.words[self.PS_CONF]
        period_s = self.PULSE_S * self.PULSES[conf >> 1 & 7] * self.DUTY[conf >> 6 & 3]
        done = full_periods(self._proximity_began, period_s, now)
        if done and not conf & SHUT_DOWN:
            most = 0xFFFF if conf & self.PS_16_BITS else 0x0FFF
            when = self._proximity_began + done * period_s
            self.words[self.PROXIMITY] = clamped(self.value("proximity", when), 0, most)

    def load(self, register):
        return self.identity if register == self.ID else super().load(register)
