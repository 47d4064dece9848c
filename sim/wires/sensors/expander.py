"""PCA9535: sixteen pins, which may switch the supply of slots.

Source: NXP, PCA9535 product data sheet, revision 6 (2017), 6.2: registers in pairs; reading and writing alternate
within a pair; all pins are inputs after power-on. An output changes at the acknowledgement of its byte.
"""

from sim.wires.sensors.device import Device


class PCA9535(Device):
    """`on_pins()` is told when an output may have changed. The interrupt output is not modelled."""

    ADDRESSES = tuple(range(0x20, 0x28))
    PINS = 16
    on_pins = None

    INPUT, OUTPUT, POLARITY, CONFIGURATION = 0, 2, 4, 6
    SELECTED = 7  # bits of the command byte that the device looks at

    def __init__(self, values=None, identity=None, *, floating=0):
        """Args: floating: what pulls outside make of a pin that is an input, one bit each."""
        super().__init__(values, identity)
        self.floating = floating
        self.reset()

    def reset(self):
        self.registers = bytearray((0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF))
        self._pointer = 0
        self._selects = False

    def power_on(self, now):
        super().power_on(now)
        self._changed()

    def power_off(self, now):
        self.reset()
        self._changed()

    def pins(self):
        """Returns the levels of the pins, one bit each."""
        output, inputs = self._pair(self.OUTPUT), self._pair(self.CONFIGURATION)
        return output & ~inputs | self.floating & inputs

    def _pair(self, register):
        return self.registers[register] | self.registers[register + 1] << 8

    def start(self, read, now):
        self.now = now
        self._selects = not read
        return True

    def receive(self, value):
        if self._selects:
            self._selects = False
            self._pointer = value & self.SELECTED
            return True
        if self._pointer >= self.OUTPUT:
            self.registers[self._pointer] = value
        self._pointer ^= 1
        self._changed()
        return True

    def send(self):
        register = self._pointer
        self._pointer ^= 1
        if register >= self.OUTPUT:
            return self.registers[register]
        levels = self.pins() ^ self._pair(self.POLARITY)
        return levels >> 8 * register & 0xFF

    def _changed(self):
        if self.on_pins is not None:
            self.on_pins()
