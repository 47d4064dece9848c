from typing import Any

from sensor_bus.records import Records

def load(source: bytes | bytearray | dict[str, Any]) -> Records: ...
