"""MAX30101: an optical sensor for pulse and oxygen, with a FIFO.

Source: Maxim Integrated, MAX30101 data sheet, 19-7740 revision 3 (2020), "Register maps and descriptions".
"""

from sim.wires.sensors.device import Registers, clamped, full_periods

INT_STATUS, FIFO_WRITE, OVERFLOW, FIFO_READ, FIFO_DATA, FIFO_CONFIG, MODE, SPO2 = 0x00, 4, 5, 6, 7, 8, 9, 0x0A
SLOTS, TEMPERATURE, TEMPERATURE_ENABLE, REVISION, PART = 0x11, 0x1F, 0x21, 0xFE, 0xFF
RESET_BIT, SHUT_DOWN, ROLL_OVER, POWER_READY, NEW_SAMPLE = 0x40, 0x80, 0x10, 0x01, 0x40
HEART_RATE, OXYGEN, MULTI_LED = 2, 3, 7
RATE_HZ = (50, 100, 200, 400, 800, 1000, 1600, 3200)
DEPTH = 32
LEDS = ("", "red", "ir", "green")


class MAX30101(Registers):
    """The currents of the LEDs, the range, the pulse width, proximity and interrupt outputs are not modelled: a value
    is the counts of 18 bits that are to be read. A FIFO that rolls over loses its oldest samples, and both pointers
    move.
    """

    ADDRESSES = (0x57,)
    VALUES = {"red": 100000, "ir": 120000, "green": 50000, "temperature": 30.0}  # counts of 18 bits; deg C
    IDENTITY = 0x15
    AGE_S = 0.02

    RESET = {INT_STATUS: POWER_READY, REVISION: 0x03}
    WRITABLE = frozenset((2, 3, FIFO_WRITE, OVERFLOW, FIFO_READ, FIFO_CONFIG, MODE, SPO2, *range(0x0C, 0x14), 0x30))

    def reset(self):
        super().reset()
        self._samples = [b""] * DEPTH
        self._count = 0  # in the FIFO
        self._taken = 0  # bytes of the one that is read
        self._began = self.now
        self._done = 0

    def following(self, register):
        return register if register == FIFO_DATA else register + 1 & 0xFF

    def store(self, register, value):
        self.refresh(self.now)
        if register == MODE and value & RESET_BIT:
            self.reset()
            self.memory[INT_STATUS] = 0
            return
        if register == TEMPERATURE_ENABLE and value & 1:
            self._measure_temperature()
        if register in (FIFO_WRITE, OVERFLOW, FIFO_READ):
            value &= DEPTH - 1
        super().store(register, value)
        if register in (FIFO_WRITE, FIFO_READ):
            self._count = (self.memory[FIFO_WRITE] - self.memory[FIFO_READ]) % DEPTH
            self._taken = 0
        elif register in (MODE, SPO2, FIFO_CONFIG, SLOTS, SLOTS + 1):
            self._began, self._done = self.now, 0

    def _measure_temperature(self):
        sixteenths = clamped(self.value("temperature", self.now) * 16, -2048, 2047)
        self.memory[TEMPERATURE] = sixteenths >> 4 & 0xFF
        self.memory[TEMPERATURE + 1] = sixteenths & 15

    def _leds(self):
        mode = self.memory[MODE] & 7
        if self.memory[MODE] & SHUT_DOWN:
            return ()
        if mode == MULTI_LED:
            slots = [self.memory[SLOTS] & 7, self.memory[SLOTS] >> 4 & 7]
            slots += [self.memory[SLOTS + 1] & 7, self.memory[SLOTS + 1] >> 4 & 7]
            return tuple(LEDS[min(slot, 3)] for slot in slots if slot)
        return {HEART_RATE: ("red",), OXYGEN: ("red", "ir")}.get(mode, ())

    def refresh(self, now):
        leds = self._leds()
        if not leds:
            return
        average = 1 << min(self.memory[FIFO_CONFIG] >> 5, 5)
        period_s = average / RATE_HZ[self.memory[SPO2] >> 2 & 7]
        done = full_periods(self._began, period_s, now)
        new = done - self._done
        for number in range(done - min(new, 2 * DEPTH) + 1, done + 1):
            self._push(leds, self._began + number * period_s)
        if new:
            self.memory[INT_STATUS] |= NEW_SAMPLE
        self._done = done

    def _push(self, leds, when):
        memory = self.memory
        if self._count == DEPTH and not memory[FIFO_CONFIG] & ROLL_OVER:
            memory[OVERFLOW] = min(memory[OVERFLOW] + 1, DEPTH - 1)
            return
        counts = [clamped(self.value(led, when), 0, 0x3FFFF) for led in leds]
        self._samples[memory[FIFO_WRITE]] = b"".join(count.to_bytes(3, "big") for count in counts)
        memory[FIFO_WRITE] = (memory[FIFO_WRITE] + 1) % DEPTH
        if self._count == DEPTH:
            memory[FIFO_READ] = memory[FIFO_WRITE]
        else:
            self._count += 1

    def load(self, register):
        if register == PART:
            return self.identity
        if register == FIFO_DATA:
            return self._take_byte()
        value = self.memory[register]
        if register == INT_STATUS:
            self.memory[INT_STATUS] = 0
        return value

    def _take_byte(self):
        if not self._count:
            return 0
        sample = self._samples[self.memory[FIFO_READ]]
        value = sample[self._taken] if self._taken < len(sample) else 0
        self._taken += 1
        if self._taken >= len(sample):
            self._taken = 0
            self._count -= 1
            self.memory[FIFO_READ] = (self.memory[FIFO_READ] + 1) % DEPTH
            self.memory[OVERFLOW] = 0
        return value
