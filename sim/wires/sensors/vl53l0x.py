"""VL53L0X: a time-of-flight distance sensor.

Source: ST, VL53L0X data sheet, DS11555 revision 6 (2024), 3 (I2C, 3.2: reference registers), and the names and uses of
the registers in ST's API, STSW-IMG005 (user manual UM2039): the data sheet has no list of registers.
"""

from sim.wires.sensors.device import NotModelled, Registers, clamped

START, SEQUENCE, CLEAR, INTERRUPT, STATUS, DISTANCE = 0x00, 0x01, 0x0B, 0x13, 0x14, 0x1E
I2C_ADDRESS, PAGE = 0x8A, 0xFF
MODEL, MODULE, REVISION = 0xC0, 0xC1, 0xC2
# On other pages: the value that a measurement's beginning repeats, and the reference SPADs behind a strobe.
OPTIONS, STOP_VALUE, NVM, STROBE, SPADS = 0x01, 0x91, 0x07, 0x83, 0x92

SINGLE, CONTINUOUS = 0x01, 0x06
NEW_SAMPLE = 0x04
CALIBRATIONS = (0x01, 0x02)  # sequences that calibrate and do not range
OUT_OF_RANGE = 8190


class VL53L0X(Registers):
    """One measurement at a time, 33 ms. Continuous ranging, a second address, thresholds, histograms, timing budgets
    and what settings do are not modelled: the first two raise NotModelled, the registers hold the rest."""

    ADDRESSES = (0x29,)
    VALUES = {"distance": 500, "status": 11}  # mm; raw status (11: valid)
    IDENTITY = 0xEEAA10  # model, module, revision
    AGE_S = 0.033

    BOOT_S = 0.0012
    MEASURE_S = 0.033
    CALIBRATE_S = 0.005
    REFERENCE_SPADS = 0x85  # five, with aperture
    RESET = {SEQUENCE: 0xFF, 0x46: 0x26, 0x50: 0x06, 0x51: 0x00, 0x52: 0x96, 0x70: 0x04, 0x71: 0x01, 0x72: 0xFE}
    READ_ONLY = frozenset((INTERRUPT, *range(STATUS, STATUS + 12), MODEL, MODULE, REVISION))

    def reset(self):
        super().reset()
        self.memory[MODEL : REVISION + 1] = self.identity.to_bytes(3, "big")
        self.memory[0xB0:0xB6] = b"\xff" * 6  # all reference SPADs are good
        self._pages = {0: self.memory}
        self._page = 0
        self._up = self.now + self.BOOT_S
        self._due = None  # the end of what runs
        self._ranges = False

    def start(self, read, now):
        super().start(read, now)
        return now >= self._up

    def load(self, register):
        if register == PAGE:
            return self._page
        return self._of_page()[register]

    def store(self, register, value):
        self.refresh(self.now)
        page = self._of_page()
        if register == PAGE:
            self._page = value
        elif self._page:
            page[register] = value
            if self._page == NVM and register == STROBE and value == 0:
                page[STROBE], page[SPADS] = 1, self.REFERENCE_SPADS
        elif register == START:
            self._begin(value)
        elif register not in self.READ_ONLY:
            page[register] = value
            if register == CLEAR and value & 1:
                page[INTERRUPT] = 0
            elif register == I2C_ADDRESS:
                raise NotModelled("a VL53L0X cannot change its address here")

    def _of_page(self):
        if self._page not in self._pages:
            self._pages[self._page] = bytearray(256)
            if self._page == OPTIONS:
                self._pages[OPTIONS][STOP_VALUE] = 0x3C
        return self._pages[self._page]

    def _begin(self, value):
        if value & CONTINUOUS:
            raise NotModelled("a VL53L0X measures once at a time here")
        if value & SINGLE:
            self._ranges = self.memory[SEQUENCE] not in CALIBRATIONS
            self._due = self.now + (self.MEASURE_S if self._ranges else self.CALIBRATE_S)
        self.memory[START] = 0  # the bit that starts clears itself

    def refresh(self, now):
        if self._due is None or now < self._due:
            return
        when, self._due = self._due, None
        self.memory[INTERRUPT] = NEW_SAMPLE
        if self._ranges:
            self.memory[STATUS] = clamped(self.value("status", when), 0, 15) << 3
            distance = clamped(self.value("distance", when), 0, OUT_OF_RANGE)
            self.memory[DISTANCE : DISTANCE + 2] = distance.to_bytes(2, "big")
