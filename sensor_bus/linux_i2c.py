"""A bus of Linux, /dev/i2c-N, as SensorBus uses it: over smbus2, the extra `linux`.

Each transaction is one `i2c_rdwr`. It holds the loop until the adapter's driver has ended it; with a wire held low that
is the driver's own time limit, often 1 s. The program cannot use the wires itself, so `lines` is None.
"""

import os
from errno import EAGAIN, EBUSY, ETIMEDOUT

from smbus2 import I2cFunc, SMBus, i2c_msg

# How drivers say that a wire is held: the bus is never free, or arbitration is lost, with no other controller there.
# Source: the kernel's Documentation/i2c/fault-codes.rst.
_HELD = (EAGAIN, EBUSY)
_DRIVER = "/sys/bus/i2c/devices/%d-%04x/driver"


class LinuxI2C:
    """Args: number: N of /dev/i2c-N. Raises: ValueError: it cannot be opened, or its adapter has no plain I2C."""

    lines = None

    def __init__(self, number):
        self._number = number
        path = "/dev/i2c-%d" % number
        try:
            self._bus = SMBus(path)
        except FileNotFoundError:
            raise ValueError("there is no %s: enable I2C, and load the kernel's module i2c-dev" % path)
        except PermissionError:
            raise ValueError("%s must not be opened: add the user to its group, often i2c" % path)
        except OSError as error:
            raise ValueError("%s cannot be opened: %s" % (path, error))
        if not self._bus.funcs & I2cFunc.I2C:
            self._bus.close()
            raise ValueError("%s: its adapter has only SMBus, which cannot carry these transactions" % path)
        self._writes_nothing = bool(self._bus.funcs & I2cFunc.SMBUS_QUICK)

    def close(self):
        """The bus is not to be used any longer."""
        self._bus.close()

    def transfer(self, address, write, into=None):
        """Do one transaction, as MachineI2C.transfer does.

        Raises: OSError: ETIMEDOUT: a wire was held; else the kernel's: ENXIO, EREMOTEIO, EIO: no acknowledgement."""
        if into is None:
            self._do(i2c_msg.write(address, write))
            return
        received = i2c_msg.read(address, len(into))
        if write:
            self._do(i2c_msg.write(address, write), received)
        else:
            self._do(received)
        into[:] = bytes(received)

    def probe(self, address):
        """Returns whether a target acknowledges this address; False for one that a driver of the kernel has.

        Adapters that cannot write nothing read one byte instead, as i2cdetect does.
        Raises: OSError(ETIMEDOUT): a wire is held low."""
        if os.path.exists(_DRIVER % (self._number, address)):
            return False
        try:
            self._do(i2c_msg.write(address, b"") if self._writes_nothing else i2c_msg.read(address, 1))
        except OSError as error:
            if error.errno == ETIMEDOUT:
                raise
            return False
        return True

    def _do(self, *messages):
        try:
            self._bus.i2c_rdwr(*messages)
        except OSError as error:
            if error.errno in _HELD:
                raise OSError(ETIMEDOUT, "a wire of /dev/i2c-%d is held" % self._number)
            raise
