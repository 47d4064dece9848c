"""VL53L4CD: a time-of-flight distance sensor.

Source: ST, VL53L4CD data sheet, DS13812 revision 6 (2023), 3 (I2C, 16-bit register numbers), and the register names and
uses of ST's ultra lite driver, STSW-IMG026 (user manual UM2931): the data sheet has no list of registers.
"""

from sim.wires.sensors.device import Device, clamped, full_periods

GPIO_MUX, GPIO_STATUS, INTERMEASUREMENT, CLEAR, START = 0x0030, 0x0031, 0x006C, 0x0086, 0x0087
STATUS, SPADS, SIGNAL, AMBIENT, SIGMA, DISTANCE, OSCILLATOR, FIRMWARE, MODEL = (
    0x0089, 0x008C, 0x008E, 0x0090, 0x0092, 0x0096, 0x00DE, 0x00E5, 0x010F,
)  # fmt: skip
CONTINUOUS, AUTONOMOUS, ACTIVE_LOW = 0x21, 0x40, 0x10


class VL53L4CD(Device):
    """A measurement takes 50 ms; in the autonomous mode they begin in the interval that is set. Timing budgets,
    thresholds, calibration, and whether the driver's default settings were written, are not modelled: the registers
    hold it."""

    ADDRESSES = (0x29,)
    # mm; raw status (9: valid); kilocounts per second; mm
    VALUES = {"distance": 500, "status": 9, "signal": 8000, "ambient": 100, "sigma": 2}
    IDENTITY = 0xEBAA
    AGE_S = 0.05

    BOOT_S = 0.0012
    MEASURE_S = 0.05
    SIZE = 0x200

    def reset(self):
        self.memory = bytearray(self.SIZE)
        self.memory[GPIO_MUX] = 0x01 | ACTIVE_LOW
        self.memory[OSCILLATOR : OSCILLATOR + 2] = (992).to_bytes(2, "big")
        self.memory[FIRMWARE] = 3
        self.memory[MODEL : MODEL + 2] = self.identity.to_bytes(2, "big")
        self.pointer = 0
        self._index = b""
        self._up = self.now + self.BOOT_S
        self._began = None
        self._done = 0
        self._ready = False

    def start(self, read, now):
        self.now = now
        self._index = b""
        if read:
            self._refresh(now)
        return now >= self._up

    def receive(self, value):
        if len(self._index) < 2:
            self._index += bytes((value,))
            if len(self._index) == 2:
                self.pointer = int.from_bytes(self._index, "big")
        else:
            self._store(self.pointer, value)
            self.pointer = self.pointer + 1 & 0xFFFF
        return True

    def send(self):
        register, self.pointer = self.pointer, self.pointer + 1 & 0xFFFF
        if register == GPIO_STATUS:
            return self._ready ^ bool(self.memory[GPIO_MUX] & ACTIVE_LOW)
        return self.memory[register] if register < self.SIZE else 0

    def _store(self, register, value):
        self._refresh(self.now)
        if register >= self.SIZE or STATUS <= register < STATUS + 0x20 or register in (FIRMWARE, MODEL, MODEL + 1):
            return
        self.memory[register] = value
        if register == CLEAR and value & 1:
            self._ready = False
        elif register == START:
            self._began = self.now if value in (CONTINUOUS, AUTONOMOUS) else None
            self._done = 0

    def _period_s(self):
        ticks = int.from_bytes(self.memory[INTERMEASUREMENT : INTERMEASUREMENT + 4], "big")
        if self.memory[START] != AUTONOMOUS or not ticks:
            return self.MEASURE_S
        clock = int.from_bytes(self.memory[OSCILLATOR : OSCILLATOR + 2], "big") & 0x3FF
        return max(self.MEASURE_S, ticks / (clock * 1.055) / 1000)

    def _refresh(self, now):
        if self._began is None:
            return
        period_s = self._period_s()
        done = full_periods(self._began + self.MEASURE_S - period_s, period_s, now)
        if done > self._done:
            self._done = done
            self._measure(self._began + self.MEASURE_S + (done - 1) * period_s)

    def _measure(self, when):
        self._ready = True
        self.memory[STATUS] = clamped(self.value("status", when), 0, 31)
        for register, name, scale in (
            (SIGNAL, "signal", 1 / 8), (AMBIENT, "ambient", 1 / 8), (SIGMA, "sigma", 4), (DISTANCE, "distance", 1),
        ):  # fmt: skip
            word = clamped(self.value(name, when) * scale, 0, 0xFFFF)
            self.memory[register : register + 2] = word.to_bytes(2, "big")
