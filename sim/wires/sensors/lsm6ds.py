"""LSM6DS3: accelerometer and gyroscope with a FIFO.

Source: ST, LSM6DS3 data sheet, DocID026899 revision 10 (2017), 5.5 (FIFO), 8 and 9 (registers), table 3
(sensitivities).
"""

from sim.wires.sensors.device import NotModelled, Registers, clamped, full_periods

AXES = ("gx", "gy", "gz", "ax", "ay", "az")

FIFO_CTRL3, FIFO_CTRL5, WHO_AM_I = 0x08, 0x0A, 0x0F
CTRL1_XL, CTRL2_G, CTRL3_C = 0x10, 0x11, 0x12
STATUS, OUT_TEMP, OUT_G, OUT_XL = 0x1E, 0x20, 0x22, 0x28
FIFO_STATUS1, FIFO_DATA = 0x3A, 0x3E
BOOT, IF_INC, SW_RESET = 0x80, 0x04, 0x01
BYPASS, STOP_AT_FULL, CONTINUOUS = 0, 1, 6
FIFO_WORDS = 4096
ODR_HZ = (0, 13, 26, 52, 104, 208, 416, 833, 1666, 3332, 6664)


class LSM6DS(Registers):
    """FIFO modes bypass, FIFO and continuous, without decimation, threshold output, step counter and time stamps; each
    sensor in the FIFO is measured at the FIFO's rate. Interrupt outputs, filters and embedded functions are not
    modelled. Writing anything else into the FIFO's registers raises NotModelled."""

    ADDRESSES = (0x6A, 0x6B)
    VALUES = {"gx": 0.0, "gy": 0.0, "gz": 0.0, "ax": 0.0, "ay": 0.0, "az": 1.0, "temperature": 25.0}  # deg/s, g, deg C
    IDENTITY = 0x69
    AGE_S = 1 / 104

    RESET = {CTRL3_C: IF_INC, 0x18: 0x38, 0x19: 0x38}
    WRITABLE = frozenset((*range(0x00, 0x0F), *range(0x10, 0x1B), *range(0x4A, 0x60)))
    ACCELERATION_G = (0.000061, 0.000488, 0.000122, 0.000244)  # of one bit, by FS_XL
    RATE_DPS = (0.00875, 0.0175, 0.035, 0.070)  # of one bit, by FS_G
    RATE_125_DPS = 0.004375

    def reset(self):
        super().reset()
        self._began = [self.now, self.now]  # of accelerometer and gyroscope: since when they run as they are set
        self._fifo_began = self.now
        self._taken = 0  # words that were read or lost
        self._full = self._overrun = False
        self._word = b"\0\0"  # the one that is being read

    # Registers.

    def following(self, register):
        if register == FIFO_DATA + 1:
            return FIFO_DATA
        return register + 1 & 0xFF if self.memory[CTRL3_C] & IF_INC else register

    def store(self, register, value):
        if register == CTRL3_C and value & (SW_RESET | BOOT):
            self.reset()
            return
        super().store(register, value)
        if register in (CTRL1_XL, CTRL2_G):
            self._began[register - CTRL1_XL] = self.now
        if register in (FIFO_CTRL3, FIFO_CTRL5):
            self._start_fifo()

    def load(self, register):
        if register == WHO_AM_I:
            return self.identity
        if register == FIFO_DATA:
            self._word = self._take_word(self.now)
            return self._word[0]
        if register == FIFO_DATA + 1:
            return self._word[1]
        return self.memory[register]

    def refresh(self, now):
        pointer = self.pointer
        if FIFO_STATUS1 <= pointer < FIFO_STATUS1 + 4:
            self._show_fifo(now)
        elif STATUS <= pointer < OUT_XL + 6:
            self._show_outputs(now)

    # What is measured.

    def _hz(self, register):
        return ODR_HZ[min(self.memory[register] >> 4, 10)]

    def _scale(self, axis):
        if axis in ("ax", "ay", "az"):
            return self.ACCELERATION_G[self.memory[CTRL1_XL] >> 2 & 3]
        gyroscope = self.memory[CTRL2_G]
        return self.RATE_125_DPS if gyroscope & 2 else self.RATE_DPS[gyroscope >> 2 & 3]

    def raw(self, axis, when):
        """Returns the two bytes that this axis measures at this time."""
        raw = clamped(self.value(axis, when) / self._scale(axis), -32768, 32767)
        return (raw & 0xFFFF).to_bytes(2, "little")

    def _show_outputs(self, now):
        self.memory[STATUS] = 0
        for bit, (register, out, axes) in enumerate(((CTRL1_XL, OUT_XL, AXES[3:]), (CTRL2_G, OUT_G, AXES[:3]))):
            hz = self._hz(register)
            done = full_periods(self._began[bit], 1 / hz, now) if hz else 0
            if done:
                when = self._began[bit] + done / hz
                self.memory[out : out + 6] = b"".join(self.raw(axis, when) for axis in axes)
                raw = clamped((self.value("temperature", when) - 25) * 16, -32768, 32767)
                self.memory[OUT_TEMP : OUT_TEMP + 2] = (raw & 0xFFFF).to_bytes(2, "little")
                self.memory[STATUS] |= 1 << bit | 4

    # The FIFO.

    def _start_fifo(self):
        mode, rate = self.memory[FIFO_CTRL5] & 7, self.memory[FIFO_CTRL5] >> 3 & 15
        if mode not in (BYPASS, STOP_AT_FULL, CONTINUOUS) or rate > 10:
            raise NotModelled(f"LSM6DS: FIFO_CTRL5 = {self.memory[FIFO_CTRL5]:#04x}")
        if self.memory[FIFO_CTRL3] & ~9:
            raise NotModelled(f"LSM6DS: decimation in the FIFO: FIFO_CTRL3 = {self.memory[FIFO_CTRL3]:#04x}")
        self._fifo_began = self.now
        self._taken = 0
        self._full = self._overrun = False

    def _axes(self):
        sensors = self.memory[FIFO_CTRL3]
        return (AXES[:3] if sensors & 8 else ()) + (AXES[3:] if sensors & 1 else ())

    def _waiting(self, now):
        """Returns the number of words in the FIFO."""
        axes, mode = self._axes(), self.memory[FIFO_CTRL5] & 7
        hz = ODR_HZ[self.memory[FIFO_CTRL5] >> 3 & 15]
        if not axes or mode == BYPASS or not hz:
            return 0
        waiting = full_periods(self._fifo_began, 1 / hz, now) * len(axes) - self._taken
        self._full = waiting >= FIFO_WORDS
        if waiting > FIFO_WORDS:
            self._overrun = True
            if mode == CONTINUOUS:
                self._taken += waiting - FIFO_WORDS
            waiting = FIFO_WORDS
        elif mode == CONTINUOUS:
            self._overrun = False
        return waiting

    def _take_word(self, now):
        if not self._waiting(now):
            return self._word
        axes = self._axes()
        sample, axis = divmod(self._taken, len(axes))
        self._taken += 1
        hz = ODR_HZ[self.memory[FIFO_CTRL5] >> 3 & 15]
        return self.raw(axes[axis], self._fifo_began + (sample + 1) / hz)

    def _show_fifo(self, now):
        waiting = self._waiting(now)
        threshold = self.memory[0x06] | (self.memory[0x07] & 15) << 8
        flags = (waiting >= threshold > 0) << 7 | self._overrun << 6 | self._full << 5 | (waiting == 0) << 4
        shown = min(waiting, FIFO_WORDS - 1)  # DIFF_FIFO has twelve bits
        axes = self._axes()
        pattern = self._taken % len(axes) if axes else 0
        self.memory[FIFO_STATUS1 : FIFO_STATUS1 + 4] = bytes((shown & 0xFF, shown >> 8 | flags, pattern, 0))
