"""Devices that drivers of others are run against, beside those of sim/wires/sensors: an OLED, a PWM controller, an
inertial sensor, and a character LCD behind a port expander. They are modelled as far as these drivers look.

Sources: Solomon Systech, SSD1306 data sheet, rev 1.1, 8.1.5 (I2C), 9 and 10 (commands); NXP, PCA9685 data sheet, rev 4,
7.3; InvenSense, MPU-6000/6050 register map, rev 4.2; NXP, PCF8574 data sheet, rev 5; Hitachi, HD44780U data sheet,
ADE-207-272(Z), tables 6 and 7 and figure 24.
"""

from struct import pack

from sim.wires.sensors.device import Device, Registers


class SSD1306(Device):
    """128 by 64 pixels. `picture()` is what is seen on a module as they are sold, its connector above."""

    ADDRESSES = (0x3C, 0x3D)
    WIDTH, PAGES = 128, 8
    ARGUMENTS = {
        0x20: 1, 0x21: 2, 0x22: 2, 0x26: 6, 0x27: 6, 0x29: 5, 0x2A: 5, 0x81: 1, 0x8D: 1, 0xA3: 2, 0xA8: 1, 0xD3: 1,
        0xD5: 1, 0xD9: 1, 0xDA: 1, 0xDB: 1,
    }  # fmt: skip

    def reset(self):
        self.memory = [bytearray(self.WIDTH) for _ in range(self.PAGES)]
        self.on = self.inverse = self.mirrored = self.flipped = False
        self.pump = 0x10
        self._mode = 2  # page addressing
        self._columns, self._pages = (0, self.WIDTH - 1), (0, self.PAGES - 1)
        self._column = self._page = 0
        self._control = None
        self._command = bytearray()

    def start(self, read, now):
        self._control = None
        return not read

    def receive(self, value):
        if self._control is None:
            self._control = value
        elif self._control & 0x40:
            self._put(value)
        else:
            self._take(value)
        return True

    def _put(self, value):
        self.memory[self._page][self._column] = value
        self._column += 1
        if self._column > self._columns[1]:
            self._column = self._columns[0]
            if self._mode == 0:
                self._page = self._page + 1 if self._page < self._pages[1] else self._pages[0]

    def _take(self, value):
        self._command.append(value)
        if len(self._command) <= self.ARGUMENTS.get(self._command[0], 0):
            return
        code, *arguments = self._command
        self._command.clear()
        if code == 0x20:
            self._mode = arguments[0] & 3
        elif code == 0x21:
            self._columns, self._column = tuple(arguments), arguments[0]
        elif code == 0x22:
            self._pages, self._page = tuple(arguments), arguments[0]
        elif code == 0x8D:
            self.pump = arguments[0]
        elif code in (0xA0, 0xA1):
            self.mirrored = code == 0xA0
        elif code in (0xA6, 0xA7):
            self.inverse = code == 0xA7
        elif code in (0xAE, 0xAF):
            self.on = code == 0xAF
        elif code in (0xC0, 0xC8):
            self.flipped = code == 0xC0

    def picture(self):
        """Returns a list of 64 rows of 128 times "#" or ".", all of it "." while it is off."""
        rows = []
        for y in range(8 * self.PAGES):
            row = [bool(self.memory[y // 8][x] >> y % 8 & 1) ^ self.inverse for x in range(self.WIDTH)]
            lit = self.on and self.pump & 4
            rows.append("".join("#" if one and lit else "." for one in (row[::-1] if self.mirrored else row)))
        return rows[::-1] if self.flipped else rows


class PCA9685(Registers):
    """Sixteen outputs. `duty(n)` is (on, off) of output n, in 4096ths of a period."""

    ADDRESSES = tuple(range(0x40, 0x78))
    MODE1, MODE2, LEDS, ALL, PRESCALE = 0x00, 0x01, 0x06, 0xFA, 0xFE
    SLEEP, INCREMENT = 0x10, 0x20
    RESET = {MODE1: 0x11, MODE2: 0x04, PRESCALE: 0x1E}
    CLOCK_HZ = 25e6

    def following(self, register):
        return register + 1 & 0xFF if self.memory[self.MODE1] & self.INCREMENT else register

    def load(self, register):
        return 0 if self.ALL <= register < self.PRESCALE else self.memory[register]

    def store(self, register, value):
        if self.ALL <= register < self.PRESCALE:
            for output in range(16):
                self.memory[self.LEDS + 4 * output + register - self.ALL] = value
        elif register == self.MODE1:
            self.memory[register] = value & 0x7F
        elif register != self.PRESCALE or self.memory[self.MODE1] & self.SLEEP:
            self.memory[register] = value

    def hz(self):
        """Returns the frequency of the outputs, 0 while it sleeps."""
        if self.memory[self.MODE1] & self.SLEEP:
            return 0
        return self.CLOCK_HZ / 4096 / (self.memory[self.PRESCALE] + 1)

    def duty(self, output):
        at = self.LEDS + 4 * output
        on, off = self.memory[at : at + 2], self.memory[at + 2 : at + 4]
        return int.from_bytes(on, "little"), int.from_bytes(off, "little")


class MPU6050(Registers):
    """It measures while it is awake. Accelerations in g, rates in degrees a second, deg C."""

    ADDRESSES = (0x68, 0x69)
    VALUES = {"ax": 0.0, "ay": 0.0, "az": 1.0, "gx": 0.0, "gy": 0.0, "gz": 0.0, "temperature": 25.0}
    GYRO_CONFIG, ACCEL_CONFIG, DATA, POWER, WHO_AM_I = 0x1B, 0x1C, 0x3B, 0x6B, 0x75
    RESET = {POWER: 0x40, WHO_AM_I: 0x68}
    WRITABLE = frozenset((0x19, 0x1A, GYRO_CONFIG, ACCEL_CONFIG, POWER, 0x6C))
    SLEEP = 0x40

    def refresh(self, now):
        if self.memory[self.POWER] & self.SLEEP:
            return
        accel = 16384 >> (self.memory[self.ACCEL_CONFIG] >> 3 & 3)
        gyro = 131 / (1 << (self.memory[self.GYRO_CONFIG] >> 3 & 3))
        words = [self.value(name, now) * accel for name in ("ax", "ay", "az")]
        words.append((self.value("temperature", now) - 36.53) * 340)
        words += [self.value(name, now) * gyro for name in ("gx", "gy", "gz")]
        self.memory[self.DATA : self.DATA + 14] = pack(">7h", *[round(word) for word in words])


class CharacterLCD(Device):
    """Two lines of 16 characters, HD44780, with four data wires behind a PCF8574: bits rs, rw, e, light, d4..d7."""

    ADDRESSES = tuple(range(0x20, 0x28))
    RS, E, LIGHT = 0x01, 0x04, 0x08
    COLUMNS, SECOND = 16, 0x40
    LINES = (0x00, SECOND)

    def reset(self):
        self.pins = 0xFF
        self.text = bytearray(b" " * 128)
        self.shown = False
        self._cursor = 0
        self._nibbles = False
        self._high = None

    def receive(self, value):
        if self.pins & self.E and not value & self.E:
            self._latch(self.pins >> 4, self.pins & self.RS)
        self.pins = value
        return True

    def send(self):
        return self.pins

    def lines(self):
        """Returns the text of both lines, as it is seen."""
        texts = [self.text[start : start + self.COLUMNS].decode("ascii") for start in self.LINES]
        return [text.rstrip() if self.shown and self.pins & self.LIGHT else "" for text in texts]

    def _latch(self, nibble, data):
        if not self._nibbles:  # eight data wires, the lower four not connected
            self._nibbles = nibble == 2
        elif self._high is None:
            self._high = nibble
        else:
            value, self._high = self._high << 4 | nibble, None
            (self._put if data else self._do)(value)

    def _put(self, value):
        self.text[self._cursor] = value
        self._cursor = (self._cursor + 1) % 128

    def _do(self, value):
        if value & 0x80:
            self._cursor = value & 0x7F
        elif value & 0x30 == 0x30:
            self._nibbles = False
        elif value & 0xF8 == 0x08:
            self.shown = bool(value & 4)
        elif value == 1:
            self.text[:] = b" " * 128
            self._cursor = 0
        elif value & 0xFE == 2:
            self._cursor = 0


CHIPS = {kind.__name__: kind for kind in (SSD1306, PCA9685, MPU6050, CharacterLCD)}
