"""ADXL313: an accelerometer.

Source: Analog Devices, ADXL313 data sheet, revision B (2015), tables 1, 6, 14 and "Register definitions".
"""

from sim.wires.sensors.device import NotModelled, Registers, clamped, full_periods

SOFT_RESET, BW_RATE, POWER_CTL, INT_SOURCE, DATA_FORMAT, DATA, FIFO_CTL = 0x18, 0x2C, 0x2D, 0x30, 0x31, 0x32, 0x38
MEASURE, DATA_READY, FULL_RESOLUTION, LEFT = 0x08, 0x80, 0x08, 0x04


class ADXL313(Registers):
    """Of the FIFO only bypass; another mode raises NotModelled. Interrupts, activity, offsets and sleep are not
    modelled: their registers hold what is written."""

    ADDRESSES = (0x1D, 0x53)
    VALUES = {"ax": 0.0, "ay": 0.0, "az": 1.0}  # g
    IDENTITY = 0xAD1DCB
    AGE_S = 0.01

    RESET = {BW_RATE: 0x0A}
    WRITABLE = frozenset((0x1E, 0x1F, 0x20, *range(0x24, 0x28), BW_RATE, POWER_CTL, 0x2E, 0x2F, DATA_FORMAT, FIFO_CTL))
    LSB_G = 1024  # with full resolution, and in the smallest range

    def reset(self):
        super().reset()
        self.memory[0:3] = self.identity.to_bytes(3, "big")
        self._began = None
        self._done = 0

    def store(self, register, value):
        self.refresh(self.now)
        if register == SOFT_RESET and value == 0x52:
            self.reset()
            return
        if register == FIFO_CTL and value & 0xC0:
            raise NotModelled(f"ADXL313: FIFO_CTL = {value:#04x}")
        super().store(register, value)
        if register in (POWER_CTL, BW_RATE):
            self._began = self.now if self.memory[POWER_CTL] & MEASURE else None
            self._done = 0

    def refresh(self, now):
        if self._began is None:
            return
        hz = 3200 / (1 << 15 - max(6, self.memory[BW_RATE] & 15))
        done = full_periods(self._began, 1 / hz, now)
        if done > self._done:
            self._done = done
            when = self._began + done / hz
            self.memory[DATA : DATA + 6] = b"".join(self._axis(name, when) for name in ("ax", "ay", "az"))
            self.memory[INT_SOURCE] |= DATA_READY

    def _axis(self, name, when):
        form = self.memory[DATA_FORMAT]
        full = form & 3 if form & FULL_RESOLUTION else 0  # more bits, or coarser ones
        most = 512 << full
        scale = self.LSB_G if form & FULL_RESOLUTION else self.LSB_G >> (form & 3)
        raw = clamped(self.value(name, when) * scale, -most, most - 1)
        return ((raw << 6 - full if form & LEFT else raw) & 0xFFFF).to_bytes(2, "little")

    def load(self, register):
        value = self.memory[register]
        if DATA <= register < DATA + 6:
            self.memory[INT_SOURCE] &= ~DATA_READY
        return value
