"""SMBus of a bus that is elsewhere, for programs on a computer: `from pb_link.smbus import SMBus, i2c_msg`.

It needs the extra `grpc`: pip install '.[grpc]' in the checkout. See docs/remote-i2c.md, "SMBus over gRPC".
As a program it runs another one, whose smbus2 or smbus is this: python3 -m pb_link.smbus PROGRAM.py
"""

try:
    import google.protobuf  # noqa: F401
    import grpc  # noqa: F401
except ImportError:
    raise ImportError("pb_link.smbus needs the extra grpc: pip install '.[grpc]' in the checkout")

from remote_i2c.smbus_client.aio import AsyncSMBus
from remote_i2c.smbus_client.batch import Batch
from remote_i2c.smbus_client.busio import I2C
from remote_i2c.smbus_client.install import install, main
from remote_i2c.smbus_client.messages import I2cFunc, i2c_msg
from remote_i2c.smbus_client.proxy_client import ProxyClient
from remote_i2c.smbus_client.smbus import SMBus

__all__ = ["I2C", "AsyncSMBus", "Batch", "I2cFunc", "ProxyClient", "SMBus", "i2c_msg", "install"]

if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
