from collections.abc import Iterable, Mapping
from typing import Any

from pb_link.app_base import AppBase

class I2CService:
    def __init__(
        self, app: AppBase, buses: Mapping[int, Any], *, addresses: Mapping[int, Iterable[int]] | None = ...
    ) -> None: ...
