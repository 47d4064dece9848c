"""PCA9548A: a multiplexer with eight channels.

Source: NXP, PCA9548A product data sheet, revision 5.1 (2015), 7.1 to 7.5: the control register is set at the stop
condition; several channels may be enabled; RESET low, or power-on, disables all and resets the I2C logic.
"""

from sim.wires.sensors.device import Device

CHANNELS = 8


class PCA9548A(Device):
    """Knows its register alone: `on_channels(mask)` is told what it enables."""

    ADDRESSES = tuple(range(0x70, 0x78))
    on_channels = None

    def __init__(self, values=None, identity=None):
        super().__init__(values, identity)
        self._held = False
        self.reset()

    def reset(self):
        self.channels = 0
        self._next = None

    def power_on(self, now):
        super().power_on(now)
        self._apply()

    def power_off(self, now):
        self.reset()
        self._apply()

    def hold_reset(self, held):
        """The reset pin: `held` while it is low."""
        self._held = held
        self.reset()
        self._apply()

    def start(self, read, now):
        self.now = now
        return not self._held

    def receive(self, value):
        self._next = value
        return True

    def send(self):
        return self.channels

    def stop(self, now):
        if self._next is not None:
            self.channels, self._next = self._next, None
            self._apply()

    def _apply(self):
        if self.on_channels is not None:
            self.on_channels(self.channels)
