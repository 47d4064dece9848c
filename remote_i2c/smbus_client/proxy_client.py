"""ProxyClient: smbus-proxy's class, for programs that have it. They need `from pb_link.smbus import ProxyClient`."""

import logging

from remote_i2c.messages import MAX_BLOCK
from remote_i2c.smbus_client.smbus import SMBus


class ProxyClient:
    """Args: server_address: "HOST:PORT"; i2c_bus: number; log_level: of no effect. Its errors are OSError, where the
    original's are Exception with a text."""

    def __init__(self, server_address, i2c_bus, log_level=logging.INFO):
        self._bus = SMBus(f"grpc://{server_address}/{i2c_bus}")
        self.read_byte = self._bus.read_byte
        self.write_byte = self._bus.write_byte
        self.read_byte_data = self._bus.read_byte_data
        self.write_byte_data = self._bus.write_byte_data
        self.read_word_data = self._bus.read_word_data
        self.write_word_data = self._bus.write_word_data
        self.write_i2c_block_data = self._bus.write_i2c_block_data

    def read_i2c_block_data(self, i2c_addr, register, length=MAX_BLOCK):
        """A list of ints. The original's has no length, and reads 32 bytes."""
        return self._bus.read_i2c_block_data(i2c_addr, register, length)

    def close(self):
        """End the session."""
        self._bus.close()
