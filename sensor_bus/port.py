"""A bus of machine.I2C or machine.SoftI2C, as SensorBus uses it. linux_i2c.py is that of Linux.

A port has `transfer`, `probe`, and `lines`: None, or what frees a wire that is held low.
"""

import time
from errno import EIO, ETIMEDOUT

from protocol import const

# Clocks that free a target which was left in the middle of a byte: 9 for one byte and its acknowledgement. Some targets
# need more. Source: NXP UM10204 rev 7.0, 3.1.16.
FEWEST_CLOCKS = const(9)
MOST_CLOCKS = const(24)
_HALF_US = const(5)  # 100 kHz, which every target can follow


class MachineI2C:
    """Args: i2c: machine.I2C or machine.SoftI2C; scl, sda, make: machine.Pin objects of the bus, and a function () that
    returns the I2C object anew, for the time after the pins were used by hand. Without these three a stuck bus can
    only be told by its errors, and freed by multiplexers and power."""

    def __init__(self, i2c, *, scl=None, sda=None, make=None):
        if (scl is None) != (sda is None) or (scl is None) != (make is None):
            raise ValueError("scl, sda and make belong together: give all of them, or none")
        self.i2c = i2c
        self.lines = None if scl is None else _Lines(self, scl, sda, make)

    def use(self, i2c):
        """Go on with this I2C object."""
        self.i2c = i2c

    def transfer(self, address, write, into=None):
        """Do one transaction: write bytes, if there are any, then read into a buffer, if there is one.

        Args: address: 7 bits; into: buffer of the length to read, or None. Raises: OSError: ENODEV, EIO: the target has
        not acknowledged; ETIMEDOUT: the clock or the data wire was held."""
        i2c = self.i2c
        if into is None:
            if i2c.writeto(address, write) != len(write):
                raise OSError(EIO, "a byte was not acknowledged")
            return
        if write:
            acknowledged = i2c.writeto(address, write, False)
            i2c.readfrom_into(address, into)  # also after too few acknowledgements: it ends with the stop
            if acknowledged != len(write):
                raise OSError(EIO, "a byte was not acknowledged")
        else:
            i2c.readfrom_into(address, into)

    def probe(self, address):
        """Returns whether a target acknowledges this address. Raises: OSError(ETIMEDOUT): a wire is held low."""
        try:
            self.i2c.writeto(address, b"")
        except OSError as error:
            if error.errno == ETIMEDOUT:
                raise
            return False
        return True


class _Lines:
    def __init__(self, port, scl, sda, make):
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
