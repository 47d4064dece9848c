"""The wires of a bus as pins: whether they are free, and how a target that holds one is made to let go of it."""

import time

from protocol import const

# Clocks that free a target which was left in the middle of a byte: 9 for one byte and its acknowledgement. Some targets
# need more. Source: NXP UM10204 rev 7.0, 3.1.16.
FEWEST_CLOCKS = const(9)
MOST_CLOCKS = const(24)
_HALF_US = const(5)  # 100 kHz, which every target can follow


class Lines:
    """Args: port: MachineI2C; the rest as MachineI2C has it. Raises: ValueError: not all of them are given."""

    def __init__(self, port, scl, sda, make):
        if scl is None or sda is None or make is None:
            raise ValueError("scl, sda and make belong together: give all of them, or none")
        self._port = port
        self._scl = scl
        self._sda = sda
        self._make = make

    def free(self):
        """Returns whether both wires are high."""
        return self._scl.value() == 1 and self._sda.value() == 1

    def clear(self):
        """Clock until sda is high, then make a stop condition. Returns whether both wires are high then.

        It takes at most MOST_CLOCKS clocks of 10 us."""
        scl, sda = self._scl, self._sda
        mode = sda.OPEN_DRAIN
        sda.init(mode, value=1)
        scl.init(mode, value=1)
        for clock in range(MOST_CLOCKS):
            if clock >= FEWEST_CLOCKS and sda.value():
                break
            scl.value(0)
            _wait()
            scl.value(1)
            _wait()
        scl.value(0)
        sda.value(0)
        _wait()
        scl.value(1)
        _wait()
        sda.value(1)
        _wait()
        self._port.use(self._make())
        return self.free()


def _wait():
    if hasattr(time, "sleep_us"):
        time.sleep_us(_HALF_US)
    else:
        time.sleep(_HALF_US / 1e6)
