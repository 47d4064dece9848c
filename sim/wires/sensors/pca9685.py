"""PCA9685: sixteen outputs with pulses.

Source: NXP, PCA9685 product data sheet, revision 4 (2015), 7.3 (registers and their reset values, 7.3.5: the prescaler
can be written while it sleeps only).
"""

from sim.wires.sensors.device import Registers

MODE1, MODE2, LED0, LAST_LED, ALL_LED, PRE_SCALE, TEST = 0x00, 0x01, 0x06, 0x45, 0xFA, 0xFE, 0xFF
AUTO_INCREMENT, SLEEP = 0x20, 0x10
FULL = 0x10  # of the high byte of on or off
OSCILLATOR_HZ = 25e6
STEPS = 4096


class PCA9685(Registers):
    """Outputs as registers: `pulse_s` says how long one is high. The addresses that all listen to, the restart, the
    external clock and the output enable are not modelled."""

    ADDRESSES = tuple(range(0x40, 0x70))
    RESET = {
        MODE1: 0x11, MODE2: 0x04, 0x02: 0xE2, 0x03: 0xE4, 0x04: 0xE8, 0x05: 0xE0, PRE_SCALE: 0x1E,
        **{register: FULL for register in range(LED0 + 3, LAST_LED + 1, 4)}, ALL_LED + 3: FULL,
    }  # fmt: skip
    WRITABLE = frozenset((*range(LAST_LED + 1), *range(ALL_LED, ALL_LED + 4)))

    def following(self, register):
        if not self.memory[MODE1] & AUTO_INCREMENT:
            return register
        return MODE1 if register == LAST_LED else register + 1 & 0xFF

    def store(self, register, value):
        if register == PRE_SCALE and self.memory[MODE1] & SLEEP:
            self.memory[PRE_SCALE] = max(value, 3)
        super().store(register, value)
        if ALL_LED <= register < ALL_LED + 4:
            for led in range(LED0 + register - ALL_LED, LAST_LED + 1, 4):
                self.memory[led] = value

    def period_s(self):
        """Returns the time from one pulse to the next."""
        return STEPS * (self.memory[PRE_SCALE] + 1) / OSCILLATOR_HZ

    def pulse_s(self, channel):
        """Returns how long this output, 0 to 15, is high in each period; 0 while the device sleeps."""
        on_low, on_high, off_low, off_high = self.memory[LED0 + 4 * channel : LED0 + 4 * channel + 4]
        if self.memory[MODE1] & SLEEP or off_high & FULL:
            return 0.0
        if on_high & FULL:
            return self.period_s()
        on, off = on_low | (on_high & 15) << 8, off_low | (off_high & 15) << 8
        return (off - on) % STEPS * self.period_s() / STEPS
