"""A bus of machine.I2C or machine.SoftI2C, as SensorBus uses it. linux_i2c.py is that of Linux.

A port has `transfer`, `probe`, and `lines`: None, or (scl, sda, make), with which lines.py frees a wire that is held.
"""

from errno import EIO, ETIMEDOUT


class MachineI2C:
    """Args: i2c: machine.I2C or machine.SoftI2C; scl, sda, make: machine.Pin objects of the bus, and a function () that
    returns the I2C object anew, for the time after the pins were used by hand. Without these three a stuck bus can
    only be told by its errors, and freed by multiplexers and power. Raises: ValueError: one of them is missing."""

    def __init__(self, i2c, *, scl=None, sda=None, make=None):
        self.i2c = i2c
        self.lines = None
        if scl is not None or sda is not None or make is not None:
            if scl is None or sda is None or make is None:
                raise ValueError("scl, sda and make belong together: give all of them, or none")
            self.lines = scl, sda, make

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
