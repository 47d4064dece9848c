from typing import Any

class SMBusI2C:
    def __init__(self, bus: Any, i2c_msg: Any) -> None: ...
    def readfrom_mem_into(
        self, address: int, at: int, buf: bytearray | memoryview, *, addrsize: int = 8
    ) -> None: ...
    def writeto_mem(
        self, address: int, at: int, data: bytes | bytearray | memoryview, *, addrsize: int = 8
    ) -> None: ...
