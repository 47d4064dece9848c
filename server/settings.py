"""The settings of `pb-link serve`: a TOML file whose errors name the line and the remedy. CPython only.

`SETTINGS` is the list of all of them: docs/operations.md is compared with it.
"""

import os
import re
import tomllib
from types import SimpleNamespace

from protocol.credentials import parse_id


class SettingsError(Exception):
    """It names the file, the line and the remedy."""


class Setting:
    def __init__(self, default, kind, check=None, remedy=""):
        self.default = default
        self.kind = kind
        self.check = check
        self.remedy = remedy


def _text(value):
    return isinstance(value, str) and value != ""


def _address(value):
    host, colon, port = value.rpartition(":")
    return value == "" or bool(host and colon and port.isdecimal() and 1 <= int(port) <= 65535)


def _ids(value):
    try:
        return all(parse_id(one) == one for one in value)
    except (TypeError, ValueError):
        return False


def _between(low, high):
    return lambda value: low <= value <= high


_PORT = "a port from 1 to 65535"

SETTINGS = {
    "host": Setting("0.0.0.0", str, _text, "the address to listen on, such as 0.0.0.0"),
    "port": Setting(8123, int, _between(1, 65535), _PORT),
    "timeout_ms": Setting(1500, int, _between(200, 3600000), "200 to 3600000, the same as in the clients' settings"),
    "clients": Setting([], list, _ids, "a list of client ids that the application expects"),
    "keys": Setting("keys.json", str, _text, "the path of the key file: pb-link keys makes it"),
    "store": Setting("pb_link.db", str, _text, "the path of the store"),
    "inbox_bytes": Setting(65536, int, _between(1, 1 << 30), "1 to 1073741824"),
    "outbox_bytes": Setting(65536, int, _between(1, 1 << 30), "1 to 1073741824"),
    "total_bytes": Setting(1 << 30, int, _between(1 << 20, 1 << 40), "1048576 or more"),
    "discard_after_days": Setting(0, int, _between(0, 36500), "0, for never, to 36500"),
    "app": Setting("", str, None, "MODULE:Class, or nothing"),
    "allow_legacy": Setting([], list, _ids, "a list of the ids that are served without a key"),
    "admin_socket": Setting("pb_link.sock", str, _text, "the path of the socket for pb-link clients, tail and send"),
    "metrics": Setting("", str, _address, 'HOST:PORT, such as "127.0.0.1:9123", or "" for none'),
    "log": Setting("text", str, lambda value: value in ("text", "json"), '"text" or "json"'),
}


def read(path=None, changes=None):
    """Returns the settings as attributes.

    Args: path: of a TOML file, or None: the defaults. changes: dict from the
    command line, None for what it does not say.
    Raises: SettingsError, OSError.
    """
    values = {name: setting.default for name, setting in SETTINGS.items()}
    if path is not None:
        values.update(_read_file(path))
    for name, value in (changes or {}).items():
        if value is not None:
            _check(f"--{name.replace('_', '-')}", name, value)
            values[name] = value
    return SimpleNamespace(**values)


def _read_file(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}")
    for name, value in found.items():
        where = f"{path}, line {_line_of(text, name)}"
        if name not in SETTINGS:
            raise SettingsError(f"{where}: there is no setting {name!r}; there are {', '.join(SETTINGS)}")
        _check(where, name, value)
    folder = os.path.dirname(os.path.abspath(path))
    for name in ("keys", "store", "admin_socket"):
        if name in found:
            found[name] = os.path.join(folder, found[name])
    return found


def _check(where, name, value):
    setting = SETTINGS[name]
    good = isinstance(value, setting.kind) and not isinstance(value, bool)
    if not good or setting.check is not None and not setting.check(value):
        raise SettingsError(f"{where}: {name} = {value!r} must be {setting.remedy}")


def _line_of(text, name):
    """The line on which a setting is given."""
    given = re.compile(rf"""^\s*(\[+\s*)?["']?{re.escape(name)}["']?\s*[\]=.]""")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if given.match(line)]
    return lines[0] if lines else 1
