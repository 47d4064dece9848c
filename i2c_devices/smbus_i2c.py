"""The controllers of this package on Linux, over smbus2.

    from smbus2 import SMBus, i2c_msg
    stream = StreamController(SMBusI2C(SMBus(1), i2c_msg), 0x20)

Each call is one `i2c_rdwr`, a repeated start between its messages. An OSError is the kernel's: ENXIO or EREMOTEIO if
nothing answers, ETIMEDOUT, EIO. The adapters of some machines do not wait for a target that holds the clock, or not for
long: transfers are then damaged and repeated.
"""


class SMBusI2C:
    """The methods of machine.I2C that this package uses, on Linux. Args: bus: smbus2.SMBus; i2c_msg: smbus2.i2c_msg."""

    def __init__(self, bus, i2c_msg):
        self._bus = bus
        self._msg = i2c_msg

    def readfrom_mem_into(self, address, at, buf, *, addrsize=8):
        received = self._msg.read(address, len(buf))
        self._bus.i2c_rdwr(self._msg.write(address, _head(at, addrsize)), received)
        buf[:] = bytes(received)

    def writeto_mem(self, address, at, data, *, addrsize=8):
        self._bus.i2c_rdwr(self._msg.write(address, _head(at, addrsize) + bytes(data)))


def _head(at, addrsize):
    return at.to_bytes(addrsize // 8, "big")
