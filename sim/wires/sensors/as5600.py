"""AS5600: a magnetic angle sensor.

Source: ams, AS5600 data sheet, DS000365, version 1-06 (2018), "Register description", figures 21 to 32: the register
number goes back from the low byte of RAW ANGLE, ANGLE and MAGNITUDE to their high byte.
"""

from sim.wires.sensors.device import Registers, clamped, full_periods

ZMCO, ZPOS, MPOS, MANG, CONF, STATUS, RAW_ANGLE, ANGLE, AGC, MAGNITUDE = (
    0x00, 0x01, 0x03, 0x05, 0x07, 0x0B, 0x0C, 0x0E, 0x1A, 0x1B,
)  # fmt: skip
DETECTED = 0x20
STEPS = 4096


class AS5600(Registers):
    """The zero position counts; a maximum position or angle, burning, hysteresis, filters and the output pin are not
    modelled: their registers hold what is written."""

    ADDRESSES = (0x36,)
    VALUES = {"angle": 0.0, "magnet": 1}  # degrees; 1: there is a magnet
    IDENTITY = 0x00  # ZMCO: how often it was burned
    AGE_S = 0.00015

    RESET = {AGC: 0x40, MAGNITUDE: 0x06}
    WRITABLE = frozenset(range(ZPOS, STATUS - 2))
    SAMPLE_S = 0.00015

    def reset(self):
        super().reset()
        self.memory[ZMCO] = self.identity
        self._began = self.now

    def following(self, register):
        return register - 1 if register in (RAW_ANGLE + 1, ANGLE + 1, MAGNITUDE + 1) else register + 1 & 0xFF

    def refresh(self, now):
        when = self._began + full_periods(self._began, self.SAMPLE_S, now) * self.SAMPLE_S
        self.memory[STATUS] = DETECTED if self.value("magnet", when) else 0
        raw = clamped(self.value("angle", when) % 360 / 360 * STEPS, 0, STEPS) % STEPS
        zero = int.from_bytes(self.memory[ZPOS : ZPOS + 2], "big") % STEPS
        self.memory[RAW_ANGLE : RAW_ANGLE + 2] = raw.to_bytes(2, "big")
        self.memory[ANGLE : ANGLE + 2] = ((raw - zero) % STEPS).to_bytes(2, "big")
