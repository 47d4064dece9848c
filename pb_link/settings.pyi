from typing import Any

FILE: str

# On boards by position: the installed client shortens the names of arguments here.
def read(path: str = ...) -> dict[str, Any]: ...
def read_or_create(path: str = ...) -> tuple[dict[str, Any], bool]: ...
