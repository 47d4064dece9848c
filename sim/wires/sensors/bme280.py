"""BME280: temperature, pressure and humidity, with calibration.

Source: Bosch Sensortec, BME280 data sheet, BST-BME280-DS002-15 (1.6), 3 (modes), 4.2.2 and 4.2.3 (calibration and
compensation), 5.4 (registers), 6.2 (I2C: writes are pairs of register and value), 9.1 (times).
"""

from struct import pack

from sim.wires.sensors.device import Registers, full_periods

CALIBRATION, ID, CALIBRATION_H, RESET, CTRL_HUM, STATUS, CTRL_MEAS, CONFIG, DATA = (
    0x88, 0xD0, 0xE1, 0xE0, 0xF2, 0xF3, 0xF4, 0xF5, 0xF7,
)  # fmt: skip
SLEEP, NORMAL = 0, 3  # mode; 1 and 2 are forced
OVERSAMPLING = (0, 1, 2, 4, 8, 16, 16, 16)
STANDBY_S = (0.0005, 0.0625, 0.125, 0.25, 0.5, 1.0, 0.010, 0.020)


class Calibration:
    """The constants of one chip. Compensation as in the data sheet (4.2.3 for whole numbers), and its inverse."""

    t = (27504, 26435, -1000)
    p = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
    h = (75, 362, 0, 324, 50, 30)

    def registers(self):
        """Returns the bytes of 0x88..0xA1, and of 0xE1..0xE7."""
        h1, h2, h3, h4, h5, h6 = self.h
        first = pack("<H2h", *self.t) + pack("<H8h", *self.p) + bytes((0, h1))
        return first, pack("<hBbBbb", h2, h3, h4 >> 4, h4 & 15 | (h5 & 15) << 4, h5 >> 4, h6)

    def fine(self, raw):
        """Returns t_fine; the temperature in 0.01 deg C is `(t_fine * 5 + 128) >> 8`."""
        t1, t2, t3 = self.t
        first = ((raw >> 3) - (t1 << 1)) * t2 >> 11
        second = (((raw >> 4) - t1) * ((raw >> 4) - t1) >> 12) * t3 >> 14
        return first + second

    def temperature(self, raw):
        """Returns deg C."""
        return (self.fine(raw) * 5 + 128 >> 8) / 100

    def pressure(self, raw, fine):
        """Returns hPa."""
        p1, p2, p3, p4, p5, p6, p7, p8, p9 = self.p
        first = fine - 128000
        second = first * first * p6 + (first * p5 << 17) + (p4 << 35)
        first = (first * first * p3 >> 8) + (first * p2 << 12)
        first = ((1 << 47) + first) * p1 >> 33
        if first == 0:
            return 0
        value = 1048576 - raw
        value = ((value << 31) - second) * 3125 // first
        first = p9 * (value >> 13) * (value >> 13) >> 25
        second = p8 * value >> 19
        return ((value + first + second >> 8) + (p7 << 4)) / 25600

    def humidity(self, raw, fine):
        """Returns %."""
        h1, h2, h3, h4, h5, h6 = self.h
        value = fine - 76800
        scaled = (raw << 14) - (h4 << 20) - h5 * value + 16384 >> 15
        factor = ((value * h6 >> 10) * ((value * h3 >> 11) + 32768) >> 10) + 2097152
        value = scaled * (factor * h2 + 8192 >> 14)
        value -= ((value >> 15) * (value >> 15) >> 7) * h1 >> 4
        return (min(max(value, 0), 419430400) >> 12) / 1024

    def raw_temperature(self, value):
        return _inverse(lambda raw: self.temperature(raw) >= value, 20)

    def raw_pressure(self, value, fine):
        return _inverse(lambda raw: self.pressure(raw, fine) <= value, 20)

    def raw_humidity(self, value, fine):
        return _inverse(lambda raw: self.humidity(raw, fine) >= value, 16)


def _inverse(reached, bits):
    """Returns the smallest number of this many bits for which `reached` holds, which holds for all above it; the
    largest number if there is none."""
    low, high = 0, (1 << bits) - 1
    while low < high:
        middle = low + high >> 1
        if reached(middle):
            high = middle
        else:
            low = middle + 1
    return low


class BME280(Registers):
    """The filter and SPI are not modelled: the filter's setting has no effect."""

    ADDRESSES = (0x76, 0x77)
    VALUES = {"temperature": 20.0, "pressure": 1013.25, "humidity": 50.0}  # deg C, hPa, %
    IDENTITY = 0x60
    AGE_S = 0.0093

    RESET = {DATA: 0x80, DATA + 3: 0x80, DATA + 6: 0x80}
    WRITABLE = frozenset((CTRL_HUM, CTRL_MEAS, CONFIG))
    START_UP_S = 0.002

    def __init__(self, values=None, identity=None, *, calibration=None):
        """Args: calibration: a Calibration (default: that of a usual chip)."""
        super().__init__(values, identity)
        self.calibration = calibration or Calibration()

    def reset(self):
        super().reset()
        first, second = self.calibration.registers()
        self.memory[CALIBRATION : CALIBRATION + len(first)] = first
        self.memory[CALIBRATION_H : CALIBRATION_H + len(second)] = second
        self._up = self.now + self.START_UP_S
        self._began = None  # the measurement, or the first one of a series
        self._done = 0
        self._hum = 0  # CTRL_HUM as it was when CTRL_MEAS was written

    def start(self, read, now):
        self._register = None  # writes are pairs
        return now >= self._up and super().start(read, now)

    def receive(self, value):
        if self._register is None:
            self._register = self.pointer = value
        else:
            self.store(self._register, value)
            self._register = None
        return True

    def store(self, register, value):
        self.refresh(self.now)
        if register == RESET and value == 0xB6:
            self.reset()
        elif register in self.WRITABLE:
            self.memory[register] = value
            if register == CTRL_MEAS:
                self._hum = self.memory[CTRL_HUM]
                self._began = self.now if value & 3 else None
                self._done = 0

    def load(self, register):
        return self.identity if register == ID else self.memory[register]

    def refresh(self, now):
        """A measurement is done at the end of its time."""
        self.memory[STATUS] = 0
        mode = self.memory[CTRL_MEAS] & 3
        if self._began is None or mode == SLEEP:
            return
        measure_s = self._measure_s()
        cycle_s = measure_s + (STANDBY_S[self.memory[CONFIG] >> 5] if mode == NORMAL else 0)
        done = full_periods(self._began - cycle_s + measure_s, cycle_s, now)
        done = done if mode == NORMAL else min(done, 1)
        if done > self._done:
            self._done = done
            self._measure(self._began + (done - 1) * cycle_s + measure_s)
            if mode != NORMAL:
                self.memory[CTRL_MEAS] &= ~3
                self._began = None
                return
        if now - self._began - done * cycle_s >= 0:
            self.memory[STATUS] = 8

    def _measure_s(self):
        """Returns the longest time of a measurement, 9.1."""
        meas = self.memory[CTRL_MEAS]
        t, p, h = OVERSAMPLING[meas >> 5], OVERSAMPLING[meas >> 2 & 7], OVERSAMPLING[self._hum & 7]
        return (1.25 + 2.3 * t + (2.3 * p + 0.575 if p else 0) + (2.3 * h + 0.575 if h else 0)) / 1000

    def _measure(self, when):
        calibration, meas = self.calibration, self.memory[CTRL_MEAS]
        temperature = calibration.raw_temperature(self.value("temperature", when))
        fine = calibration.fine(temperature)
        pressure = humidity = None
        if meas >> 2 & 7:
            pressure = calibration.raw_pressure(self.value("pressure", when), fine)
        if self._hum & 7:
            humidity = calibration.raw_humidity(self.value("humidity", when), fine)
        self.show(pressure, temperature if meas >> 5 else None, humidity)

    def show(self, pressure, temperature, humidity):
        """Puts raw results into the registers. None: it is not measured."""
        pressure = 0x80000 if pressure is None else pressure
        temperature = 0x80000 if temperature is None else temperature
        humidity = 0x8000 if humidity is None else humidity
        data = (pressure << 4).to_bytes(3, "big") + (temperature << 4).to_bytes(3, "big") + humidity.to_bytes(2, "big")
        self.memory[DATA : DATA + 8] = data
