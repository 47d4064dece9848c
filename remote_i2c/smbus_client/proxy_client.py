"""ProxyClient: smbus-proxy's class, for programs that have it. They need `from pb_link.smbus import ProxyClient`."""

import logging

from remote_i2c.messages import MAX_BLOCK
from remote_i2c.smbus_client.smbus import SMBus


class ProxyClient:
    """Args: server_address: "HOST:PORT"; i2c_bus: number; log_level: of no effect. Its errors are OSError, where the
    original's are Exception with a text."""

    def __init__(self, server_address, i2c_bus, log_level=logging.INFO):
        self._bus = SMBus(f"grpc://{server_address}/{i2c_bus}")

    def read_byte(self, i2c_addr):
        """An int."""
        return self._bus.read_byte(i2c_addr)

    def write_byte(self, i2c_addr, value):
        """Write one byte without a register."""
        self._bus.write_byte(i2c_addr, value)

    def read_byte_data(self, i2c_addr, register):
        """An int: the byte of a register."""
        return self._bus.read_byte_data(i2c_addr, register)

    def write_byte_data(self, i2c_addr, register, value):
        """Write the byte of a register."""
        self._bus.write_byte_data(i2c_addr, register, value)

    def read_word_data(self, i2c_addr, register):
        """An int: the word of a register."""
        return self._bus.read_word_data(i2c_addr, register)

    def write_word_data(self, i2c_addr, register, value):
        """Write the word of a register."""
        self._bus.write_word_data(i2c_addr, register, value)

    def read_i2c_block_data(self, i2c_addr, register, length=MAX_BLOCK):
        """A list of ints. The original's has no length, and reads 32 bytes."""
        return self._bus.read_i2c_block_data(i2c_addr, register, length)

    def write_i2c_block_data(self, i2c_addr, register, data):
        """Write up to 32 bytes."""
        self._bus.write_i2c_block_data(i2c_addr, register, data)

    def close(self):
        """End the session."""
        self._bus.close()
