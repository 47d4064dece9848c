from collections.abc import Callable
from typing import Any

class MachineI2C:
    lines: Any
    def __init__(
        self, i2c: Any, *, scl: Any = None, sda: Any = None, make: Callable[[], Any] | None = None
    ) -> None: ...
    def transfer(self, address: int, write: bytes, into: bytearray | memoryview | None = None) -> None: ...
    def probe(self, address: int) -> bool: ...
