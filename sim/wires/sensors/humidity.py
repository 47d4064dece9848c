"""Sensors of temperature and humidity that take commands: AHT20, SHT40, SHT31.

Sources: ASAIR, Data Sheet AHT20, version 1.1 (2020), 5.3 and 5.4, 6; Sensirion, Datasheet SHT4x, version 6 (2023), 3.1,
4.4 to 4.6; Sensirion, Datasheet SHT3x-DIS, version 7 (2022), 2.2, 4.
"""

from sim.wires.sensors.device import Commands, clamped, crc8, full_periods


def _word(value):
    data = value.to_bytes(2, "big")
    return data + bytes((crc8(data),))


class AHT20(Commands):
    """Not calibrated after power-on, until it is initialised: then a measurement is not done. While it measures, a read
    gives the busy bit and the previous values."""

    ADDRESSES = (0x38,)
    VALUES = {"temperature": 20.0, "humidity": 50.0}  # deg C, %
    AGE_S = 0.08

    POWER_ON_S = 0.02  # not reachable before
    MEASURE_S = 0.08

    def reset(self):
        super().reset()
        self._up = self.now + self.POWER_ON_S
        self._calibrated = False
        self._measured_at = None  # when the measurement that runs ends
        self._data = bytes(5)

    def ready(self, now):
        return now >= self._up

    def command(self, command, now):
        self._settle(now)
        if command[0] == 0xBA:
            self._up = now + self.POWER_ON_S
            self._data, self._measured_at = bytes(5), None
        elif command == b"\xbe\x08\x00":
            self._calibrated = True
        elif command == b"\xac\x33\x00" and self._calibrated and self._measured_at is None:
            self._measured_at = now + self.MEASURE_S

    def answer(self, now):
        if now < self._up:
            return None
        self._settle(now)
        status = 0x10 | (0x08 if self._calibrated else 0) | (0x80 if self._measured_at is not None else 0)
        data = bytes((status,)) + self._data
        return data + bytes((crc8(data),))

    def _settle(self, now):
        if self._measured_at is not None and now >= self._measured_at:
            when, self._measured_at = self._measured_at, None
            humidity = clamped(self.value("humidity", when) / 100 * (1 << 20), 0, (1 << 20) - 1)
            temperature = clamped((self.value("temperature", when) + 50) / 200 * (1 << 20), 0, (1 << 20) - 1)
            self._data = (humidity << 20 | temperature).to_bytes(5, "big")


class SHT40(Commands):
    """While it measures it does not acknowledge its address, and a result can be read once. The heater is not
    modelled: its commands take their time and measure without heat."""

    ADDRESSES = (0x44, 0x45, 0x46)
    VALUES = {"temperature": 20.0, "humidity": 50.0}  # deg C, %
    IDENTITY = 0x0F5A1234  # serial number; it has no other identification
    AGE_S = 0.0083

    POWER_ON_S = 0.001
    RESET_S = 0.001
    SERIAL, RESET = 0x89, 0x94
    MEASURE_S = {
        0xFD: 0.0083, 0xF6: 0.0045, 0xE0: 0.0016,
        0x39: 1.1, 0x2F: 1.1, 0x1E: 1.1, 0x32: 0.11, 0x24: 0.11, 0x15: 0.11,
    }  # fmt: skip

    def reset(self):
        super().reset()
        self._busy_until = self.now + self.POWER_ON_S
        self._result = None  # what the next read gives; a time: what is measured then

    def ready(self, now):
        return now >= self._busy_until

    def acceptable(self, begun):
        return len(begun) == 1 and (begun[0] in self.MEASURE_S or begun[0] in (self.SERIAL, self.RESET))

    def command(self, command, now):
        if not self.acceptable(command):
            return
        if command[0] == self.RESET:
            self._busy_until, self._result = now + self.RESET_S, None
        elif command[0] == self.SERIAL:
            self._result = _word(self.identity >> 16) + _word(self.identity & 0xFFFF)
        else:
            self._busy_until = self._result = now + self.MEASURE_S[command[0]]

    def answer(self, now):
        if now < self._busy_until or self._result is None:
            return None
        result, self._result = self._result, None
        return result if type(result) is bytes else self._measured(result)

    def _measured(self, when):
        temperature = clamped((self.value("temperature", when) + 45) / 175 * 65535, 0, 65535)
        humidity = clamped((self.value("humidity", when) + 6) / 125 * 65535, 0, 65535)
        return _word(temperature) + _word(humidity)


class SHT31(Commands):
    """Single shots and periodic measurement. A single shot with clock stretching does not hold the clock: a read that
    comes too early gives at once what the true one waits for. Alerts, the heater's warmth and ART are not modelled."""

    ADDRESSES = (0x44, 0x45)
    VALUES = {"temperature": 20.0, "humidity": 50.0}  # deg C, %
    IDENTITY = 0x2B31C0DE  # serial number
    AGE_S = 0.0155

    POWER_ON_S = 0.0015
    SINGLE_S = {0x2400: 0.0155, 0x240B: 0.0065, 0x2416: 0.0045}
    STRETCHING_S = {0x2C06: 0.0155, 0x2C0D: 0.0065, 0x2C10: 0.0045}
    PERIODIC_S = {
        0x2032: 2.0, 0x2024: 2.0, 0x202F: 2.0, 0x2130: 1.0, 0x2126: 1.0, 0x212D: 1.0, 0x2236: 0.5, 0x2220: 0.5,
        0x222B: 0.5, 0x2334: 0.25, 0x2322: 0.25, 0x2329: 0.25, 0x2737: 0.1, 0x2721: 0.1, 0x272A: 0.1,
    }  # fmt: skip
    FETCH, BREAK, SOFT_RESET, STATUS, CLEAR = 0xE000, 0x3093, 0x30A2, 0xF32D, 0x3041
    HEATER = {0x306D: 1 << 13, 0x3066: 0}
    SERIAL = (0x3780, 0x3682)

    def reset(self):
        super().reset()
        self._status = 0x8010  # an alert is pending, and a reset was detected
        self._restart(self.now + self.POWER_ON_S)

    def _restart(self, busy_until):
        self._busy_until = busy_until
        self._result = None  # bytes, or a time: what is measured then
        self._stretches = False  # it would hold the clock until then
        self._began = self._period_s = None
        self._fetched = 0

    def ready(self, now):
        return now >= self._busy_until

    def acceptable(self, begun):
        if len(begun) == 1:
            return begun[0] in (0x20, 0x21, 0x22, 0x23, 0x24, 0x27, 0x2C, 0xE0, 0x30, 0xF3, 0x37, 0x36)
        return len(begun) == 2 and self._known(begun[0] << 8 | begun[1])

    def _known(self, code):
        shots = self.SINGLE_S | self.STRETCHING_S
        words = (self.FETCH, self.BREAK, self.SOFT_RESET, self.STATUS, self.CLEAR, *self.SERIAL)
        return code in shots or code in self.PERIODIC_S or code in self.HEATER or code in words

    def command(self, command, now):
        code = int.from_bytes(command, "big")
        if len(command) != 2 or not self._known(code):
            return
        if code == self.SOFT_RESET:
            self._status = 0x8010
            self._restart(now + self.POWER_ON_S)
        elif code == self.BREAK:
            self._restart(now + 0.001)
        elif code == self.STATUS:
            self._result = _word(self._status)
        elif code == self.CLEAR:
            self._status &= ~0x8C10
        elif code in self.HEATER:
            self._status = self._status & ~(1 << 13) | self.HEATER[code]
        elif code in self.SERIAL:
            self._result = _word(self.identity >> 16) + _word(self.identity & 0xFFFF)
        elif code == self.FETCH:
            self._fetch(now)
        elif self._period_s is not None:
            pass  # in periodic mode it takes no other measurement, 4.5
        elif code in self.PERIODIC_S:
            self._began, self._period_s, self._fetched = now, self.PERIODIC_S[code], 0
        else:
            self._stretches = code in self.STRETCHING_S
            self._busy_until = self._result = now + (self.SINGLE_S | self.STRETCHING_S)[code]

    def _fetch(self, now):
        done = 0 if self._period_s is None else full_periods(self._began, self._period_s, now)
        if done > self._fetched:
            self._fetched = done
            self._result = self._began + done * self._period_s
        else:
            self._result = None

    def answer(self, now):
        if now < self._busy_until and not self._stretches or self._result is None:
            return None
        result, self._result = self._result, None
        return result if type(result) is bytes else self._measured(result)

    def _measured(self, when):
        temperature = clamped((self.value("temperature", when) + 45) / 175 * 65535, 0, 65535)
        humidity = clamped(self.value("humidity", when) / 100 * 65535, 0, 65535)
        return _word(temperature) + _word(humidity)
