from collections.abc import Awaitable, Callable, Coroutine, Mapping
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from server import Connection

_T = TypeVar("_T")
_Path = str | PathLike[str]
_Handler = Callable[[Connection], Awaitable[object]]

__all__ = ["FAULT_NAMES", "LinkFailed", "RealLinkFixture", "RealTestLink", "VirtualLinkFixture", "VirtualTestLink"]

FAULT_NAMES: tuple[str, ...]

class LinkFailed(AssertionError): ...

class _ObservedLink:
    seed: int
    ids: tuple[str, ...]
    handler_errors: list[Exception]
    @property
    def seconds(self) -> float: ...
    def lines(self, client: str | None = None, *, board: str = "client") -> list[str]: ...
    def wait_for(
        self, text: str, client: str | None = None, *, board: str = "client", count: int = 1,
        timeout_s: float | None = None,
    ) -> str: ...
    def run_until(self, condition: Callable[[], object], *, timeout_s: float | None = None) -> None: ...
    def run(self, seconds: float) -> None: ...
    def story(self) -> str: ...
    def inject(self, fault: str, client: str | None = None) -> None: ...
    def connection(self, client: str | None = None) -> Connection: ...
    def on_server(self, coroutine: Coroutine[Any, Any, _T], *, timeout_s: float | None = None) -> _T: ...

    def wifi(self, up: bool, client: str | None = None) -> None: ...
    def flash(self, client: str | None = None) -> Path: ...

class RealTestLink(_ObservedLink): ...

class VirtualTestLink(_ObservedLink):
    def analog(self, pin: int | str, value: int | Callable[[], int], client: str | None = None) -> None: ...
    def pin(self, pin: int | str, client: str | None = None) -> Any: ...
    def sensors(self, client: str | None = None) -> Any: ...

class VirtualLinkFixture:
    def __call__(
        self,
        client: _Path | Mapping[str, _Path],
        handler: _Handler | None = None,
        *,
        seed: int | None = None,
        settings: Mapping[str, Any] | None = None,
        machine: Mapping[str, Any] | None = None,
        modules: Mapping[str, ModuleType] | None = None,
        sensors: Any = None,
        costs: str = "placeholders",
        client_may_fail: bool = False,
        handler_may_fail: bool = False,
    ) -> VirtualTestLink: ...

class RealLinkFixture:
    def __call__(
        self,
        client: _Path | Mapping[str, _Path],
        handler: _Handler | None = None,
        *,
        seed: int | None = None,
        settings: Mapping[str, Any] | None = None,
        sensors: Any = None,
        client_may_fail: bool = False,
        handler_may_fail: bool = False,
    ) -> RealTestLink: ...
