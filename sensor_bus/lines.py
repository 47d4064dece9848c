"""How a target that holds a wire of the bus is made to let go of it, by hand. Loaded with recovery.py."""

import time

from protocol import const

# Clocks that free a target which was left in the middle of a byte: 9 for one byte and its acknowledgement. Some targets
# need more. Source: NXP UM10204 rev 7.0, 3.1.16.
FEWEST_CLOCKS = const(9)
MOST_CLOCKS = const(24)
_HALF_US = const(5)  # 100 kHz, which every target can follow


def clear(port):
    """Clock until sda is high, then make a stop condition, and the I2C object anew. Args: port: MachineI2C with lines.

    It takes at most MOST_CLOCKS clocks of 10 us."""
    scl, sda, make = port.lines
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
    port.i2c = make()


def _wait():
    if hasattr(time, "sleep_us"):
        time.sleep_us(_HALF_US)
    else:
        time.sleep(_HALF_US / 1e6)
