"""Linux, as far as smbus2 uses it for /dev/i2c-N: an adapter with one device of sim/wires/sensors on its wires."""

import os
import time
from errno import ENXIO, EREMOTEIO

from remote_i2c import bus

I2C_FUNCS, I2C_RDWR = 0x0705, 0x0707
I2C_M_RD = 0x0001


class DeviceKernel:
    """Takes the place of smbus2's `os`, and of its `ioctl`. Args: address; device: it has power from now on."""

    O_RDWR = os.O_RDWR

    def __init__(self, address, device):
        self._address = address
        self._device = device
        device.power_on(time.monotonic())

    def open(self, path, flags):
        return 99

    def close(self, file):
        pass

    def ioctl(self, file, request, data):
        if request == I2C_FUNCS:
            data.value = bus.I2C | bus.SMBUS_QUICK
            return
        assert request == I2C_RDWR
        for number in range(data.nmsgs):
            self._message(data.msgs[number])
        self._device.stop(time.monotonic())

    def _message(self, message):
        reads = bool(message.flags & I2C_M_RD)
        if message.addr != self._address or not self._device.start(reads, time.monotonic()):
            raise OSError(ENXIO, os.strerror(ENXIO))
        if reads:
            for at, value in enumerate(self._device.send_bytes(message.len)):
                message.buf[at] = value
        elif not all(self._device.receive(value) for value in bytes(message)):
            raise OSError(EREMOTEIO, os.strerror(EREMOTEIO))
