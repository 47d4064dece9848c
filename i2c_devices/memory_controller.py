"""A memory device as the I2C controller sees it (`memory_target.py` is the device)."""


class MemoryController:
    """The controller of a memory device, over machine.I2C or machine.SoftI2C.

    Raises OSError as they do: ENODEV if nothing answers, EIO if it stops
    answering, ETIMEDOUT if it holds the clock for too long.
    """

    def __init__(self, i2c, address, address_bits=16):
        self._i2c = i2c
        self._address = address
        self._address_bits = address_bits

    def read_into(self, at, buf):
        """Fill buf from the memory at address at."""
        self._i2c.readfrom_mem_into(self._address, at, buf, addrsize=self._address_bits)

    def write(self, at, buf):
        """Write buf to the memory at address at."""
        self._i2c.writeto_mem(self._address, at, buf, addrsize=self._address_bits)
