"""The settings of `pb-link serve`: a TOML file whose errors name the line and the remedy. CPython only.

`SETTINGS` and, for its section, `MQTT_SETTINGS` are the lists of all of them: docs/operations.md and docs/mqtt.md are
compared with them.
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


def _topic(value):
    """May stand in front of a topic's levels."""
    return 0 < len(value) <= 64 and value.isprintable() and not set(value) & set("+#") and value.strip("/$ ") == value


MQTT_PASSWORD = "PB_LINK_MQTT_PASSWORD"  # the variable of the environment
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

# Of the section [mqtt]; without it there is no gateway.
MQTT_SETTINGS = {
    "host": Setting("localhost", str, _text, "the broker's name or address"),
    "port": Setting(1883, int, _between(1, 65535), _PORT),
    "username": Setting("", str, None, "a text"),
    "password_file": Setting("", str, None, "the path of a file with the password alone"),
    "tls": Setting(False, bool, None, "true or false"),
    "ca_file": Setting("", str, None, "the path of certificates (PEM) to trust instead of the system's"),
    "cert_file": Setting("", str, None, "the path of a client certificate (PEM)"),
    "key_file": Setting("", str, None, "the path of that certificate's key (PEM)"),
    "prefix": Setting("pb_link", str, _topic, "a topic of 1 to 64 characters without + and #, such as pb_link"),
    "clients": Setting([], list, _ids, "a list of client ids, or [] for all of them"),
    "discovery": Setting("homeassistant", str, lambda value: value == "" or _topic(value), 'a topic, or "" for none'),
    "in_flight": Setting(20, int, _between(1, 1000), "1 to 1000"),
    "keepalive_s": Setting(30, int, _between(5, 3600), "5 to 3600"),
    "session_s": Setting(604800, int, _between(60, 0xFFFFFFFE), "60 to 4294967294"),
}


def read(path=None, changes=None):
    """Returns the settings as attributes.

    Args: path: of a TOML file, or None: the defaults. changes: dict from the
    command line, None for what it does not say.
    Raises: SettingsError, OSError.
    """
    values = {name: setting.default for name, setting in SETTINGS.items()}
    values["mqtt"] = None
    if path is not None:
        values.update(_read_file(path))
    for name, value in (changes or {}).items():
        if value is not None:
            _check(f"--{name.replace('_', '-')}", name, value)
            values[name] = value
    return SimpleNamespace(**values)


def _read_file(path):
    try:
        with open(path, encoding="utf-8-sig") as file:  # editors may put a byte order mark before it
            text = file.read()
        found = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}, line {line}: it is not UTF-8: {error.reason}")
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}")
    folder = os.path.dirname(os.path.abspath(path))
    mqtt = found.pop("mqtt", None)
    _check_all(path, text, "", found, SETTINGS)
    _make_absolute(folder, found, ("keys", "store", "admin_socket"))
    if mqtt is not None:
        found["mqtt"] = _read_mqtt(path, text, folder, mqtt)
    return found


def _read_mqtt(path, text, folder, found):
    where = f"{path}, line {_line_of(text, 'mqtt')}"
    if not isinstance(found, dict):
        raise SettingsError(f"{where}: mqtt must be a section, [mqtt]")
    if "password" in found:  # whose value is not for a log
        where = f"{path}, line {_line_of(text, 'password', 'mqtt')}"
        raise SettingsError(f"{where}: no password belongs here: use password_file, or the variable {MQTT_PASSWORD}")
    _check_all(path, text, "mqtt", found, MQTT_SETTINGS)
    _make_absolute(folder, found, ("password_file", "ca_file", "cert_file", "key_file"))
    mqtt = SimpleNamespace(**{name: setting.default for name, setting in MQTT_SETTINGS.items()} | found)
    mqtt.password = None  # it comes from the environment
    if not mqtt.tls and (mqtt.ca_file or mqtt.cert_file or mqtt.key_file):
        raise SettingsError(f"{where}: certificates are of use with tls = true only")
    if bool(mqtt.cert_file) != bool(mqtt.key_file):
        raise SettingsError(f"{where}: cert_file and key_file belong together: give both, or neither")
    return mqtt


def _check_all(path, text, section, found, settings):
    more = "" if section else " and the section [mqtt]"
    for name, value in found.items():
        where = f"{path}, line {_line_of(text, name, section)}"
        if name not in settings:
            raise SettingsError(f"{where}: there is no setting {name!r}; there are {', '.join(settings)}{more}")
        _check(where, name, value, settings)


def _make_absolute(folder, found, names):
    for name in names:
        if found.get(name):
            found[name] = os.path.join(folder, found[name])


def _check(where, name, value, settings=SETTINGS):
    setting = settings[name]
    good = isinstance(value, setting.kind) and (setting.kind is bool or not isinstance(value, bool))
    if not good or setting.check is not None and not setting.check(value):
        raise SettingsError(f"{where}: {name} = {value!r} must be {setting.remedy}")


def _line_of(text, name, section=""):
    """The line on which a setting is given; that of its section where it cannot be seen."""
    lines = text.splitlines()
    header = 0
    if section:
        header = _line_of(text, section) - 1
        lines = lines[header:]
    given = re.compile(rf"""^\s*(\[+\s*)?({section or "$^"}\s*\.\s*)?["']?{re.escape(name)}["']?\s*[\]=.]""")
    found = [number for number, line in enumerate(lines, header + 1) if given.match(line)]
    return found[0] if found else header + 1
