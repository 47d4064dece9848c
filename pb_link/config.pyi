from typing import Any

config: dict[str, Any]
conn_id: str
pins: dict[str, Any]
hardware: list[Any]
i2c: Any
syn: Any
ack: Any
rst: tuple[Any, int, int] | None
