from typing import Any

from sensor_bus.bus import SensorBus

class SensorService:
    dropped: int
    sent: int
    def __init__(
        self,
        app: Any,
        bus: SensorBus,
        *,
        qos: bool = False,
        hold_ms: int = 250,
        number: int = 1,
        commands: bool = True,
        allow_raw: bool = True,
        topic: int = 0,
    ) -> None: ...
    async def run(self) -> None: ...
