"""I2C with the interface of CircuitPython's busio.I2C, for drivers that want one: those of Adafruit among them.

    with SMBus("grpc://mast:50051/1") as bus:
        converter = ADS1115(I2C(bus))
"""

import threading

from remote_i2c.addresses import ORDINARY
from remote_i2c.smbus_client.messages import i2c_msg


class I2C:
    """Args: bus: SMBus, or anything with smbus2's `i2c_rdwr`. Who uses it locks it: `try_lock`, `unlock`."""

    def __init__(self, bus):
        self._bus = bus
        self._lock = threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_val, exc_tb):
        self.deinit()

    def deinit(self):
        """It is not used any longer. The bus is its owner's."""

    def try_lock(self):
        """Returns whether it is this caller's now."""
        return self._lock.acquire(blocking=False)

    def unlock(self):
        """It is anybody's again."""
        self._lock.release()

    def scan(self):
        """Returns the addresses at which a device answers, in a list. Addresses that are not allowed are left out."""
        return [address for address in sorted(ORDINARY) if self._answers(address)]

    def writeto(self, address, buffer, *, start=0, end=None, stop=True):
        """Write buffer[start:end]. Raises: OSError."""
        self._bus.i2c_rdwr(i2c_msg.write(address, memoryview(buffer)[start:end]))

    def readfrom_into(self, address, buffer, *, start=0, end=None, stop=True):
        """Read as many bytes as buffer[start:end] has, into it. Raises: OSError."""
        part = memoryview(buffer)[start:end]
        message = i2c_msg.read(address, len(part))
        self._bus.i2c_rdwr(message)
        part[:] = bytes(message)

    def writeto_then_readfrom(
        self, address, out_buffer, in_buffer, *, out_start=0, out_end=None, in_start=0, in_end=None, stop=False
    ):  # fmt: skip
        """Write, and read behind a repeated start. Raises: OSError."""
        part = memoryview(in_buffer)[in_start:in_end]
        message = i2c_msg.read(address, len(part))
        self._bus.i2c_rdwr(i2c_msg.write(address, memoryview(out_buffer)[out_start:out_end]), message)
        part[:] = bytes(message)

    def _answers(self, address):
        try:
            self._bus.write_quick(address)
        except OSError:
            return False
        return True
