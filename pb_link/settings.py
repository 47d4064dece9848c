"""The settings of a client, validated with errors that name the item.

The list of the configuration is (port, server, timeout in ms, seconds between
reports, ssid, password, key); the named form is a dict with the names below.
`read` takes them from a JSON file of that form, which an upgrade of the code
does not touch. Client and server demo share one such file.

The named form may have max_line as well: bytes of the longest line that the
client takes from the server. Without it, or with 0, that follows from the heap.
"""

import gc
import json
import os
from binascii import hexlify

from pb_link.limits import MIN_RECEIVE_BYTES
from protocol.credentials import parse_key
from protocol.limits import MAX_LINE, MIN_LINE, RECEIVE_BYTES
from protocol.receive_space import receive_bytes
from protocol.text import decode_text, encode_text

FILE = "pb_settings.json"
NAMES = ("port", "server", "timeout_ms", "report_s", "ssid", "password", "key")
DEFAULTS = {
    "port": 8123,
    "server": "127.0.0.1",
    "timeout_ms": 1500,
    "report_s": 10,
    "ssid": "",
    "password": "",
    "id": "demo",
}
# By sys.platform. I2C "X" of the Pyboard is scl X9, sda X10; docs/hardware.md has the wiring.
PINS = {
    "pyboard": {"i2c": "X", "scl": "X9", "sda": "X10", "syn": "X11", "ack": "Y8", "rst": "X12"},
    "rp2": {"i2c": 0, "scl": 1, "sda": 0, "syn": 2, "ack": 3, "rst": 4},
}
_PIN_NAMES = ("i2c", "syn", "ack", "rst")
_RANGES = {"port": (1, 65535), "timeout_ms": (200, 600000), "report_s": (0, 86400), "max_line": (MIN_LINE, MAX_LINE)}
# Bytes of UTF-8: of a str in a CONFIG record, and of what the ESP8266 stores of a network; it cuts what is longer.
_MAX_TEXT = {"server": 255, "ssid": 32, "password": 64}
# Without the setting max_line a client takes lines of at least so many bytes, however small its heap is.
_MIN_DEFAULT_LINE = 512


def default_max_line():
    """Bytes of the longest line that a client takes which does not say: a power of two, at most one sixteenth of the
    heap that is free now. The link holds it twice for a moment, and as much again of others."""
    gc.collect()
    if not hasattr(gc, "mem_free"):  # CPython
        return MAX_LINE
    free = gc.mem_free()
    size = _MIN_DEFAULT_LINE
    while size < MAX_LINE and 32 * size <= free:
        size *= 2
    return size


class Settings:
    """Attributes: port, server, timeout_ms, report_s, ssid, password, key (32 bytes), max_line, receive_bytes."""

    def __init__(self, config):
        """config: list or tuple of 7 items, or a dict with NAMES.

        Raises: TypeError or ValueError that names the item. The key and the
        password are never shown.
        """
        items = _named(config)
        for name in ("port", "timeout_ms", "report_s"):
            setattr(self, name, _number(name, items[name]))
        for name in ("server", "ssid", "password"):
            setattr(self, name, _text(name, items[name]))
        if not self.server:
            raise ValueError("config: server is empty: name the server's address")
        if self.password and not self.ssid:
            raise ValueError("config: there is a password without an ssid")
        self.key = parse_key(items["key"])
        self.max_line = _number("max_line", items.get("max_line") or default_max_line())
        self.receive_bytes = max(MIN_RECEIVE_BYTES, min(RECEIVE_BYTES, 2 * receive_bytes(self.max_line)))

    def __repr__(self):
        return "Settings(server=%r, port=%d)" % (self.server, self.port)


def _named(config):
    if isinstance(config, dict):
        items = config
    elif isinstance(config, (list, tuple)):
        items = {name: config[i] for i, name in enumerate(NAMES) if i < len(config)}
    else:
        raise TypeError("config must be a list or a dict")
    for name in NAMES:
        if name not in items:
            raise ValueError("config: %s is absent; it needs %s" % (name, ", ".join(NAMES)))
    return items


def _number(name, value):
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("config: %s must be an int" % name)
    low, high = _RANGES[name]
    if not low <= value <= high:
        raise ValueError("config: %s is %d, not %d..%d" % (name, value, low, high))
    return value


def _text(name, value):
    if not isinstance(value, str):
        raise TypeError("config: %s must be a str" % name)
    try:
        data = encode_text(value)
    except ValueError as error:
        raise ValueError("config: %s: %s" % (name, error))
    if len(data) > _MAX_TEXT[name]:
        raise ValueError("config: %s has %d bytes of UTF-8, %d at most" % (name, len(data), _MAX_TEXT[name]))
    if 0 in data:
        raise ValueError("config: %s contains a NUL character: it would end there" % name)
    return decode_text(data)  # surrogate pairs are joined


def pins_of(settings, platform):
    """The pins of this board: the item "pins" of the settings, or what is usual for the platform.

    Raises: ValueError or TypeError that names what is absent.
    """
    pins = settings.get("pins") or PINS.get(platform)
    if pins is None:
        raise ValueError("settings: pins is absent, and there are none known for a board " + platform)
    if not isinstance(pins, dict):
        raise TypeError("settings: pins must be an object with " + ", ".join(_PIN_NAMES))
    for name in _PIN_NAMES:
        if pins.get(name) is None and not (name == "rst" and name in pins):
            raise ValueError("settings: pins has no %s; it needs %s" % (name, ", ".join(_PIN_NAMES)))
    return pins


def read(path=FILE):
    """Return the settings file as a dict, defaults filled in; without a file, the defaults.

    Raises: ValueError if the file is not a JSON object. It does not lead to
    what the file holds, the key and the password among it.
    """
    items = dict(DEFAULTS)
    valid = True
    try:
        with open(path, "rb") as file:
            found = json.loads(decode_text(file.read()))
    except OSError:  # there is none
        return items
    except ValueError:  # it holds the text: raised in here, the next one would hold it as __context__
        valid = False
    if not valid:
        raise ValueError(path + " is not valid JSON in UTF-8 (without a byte order mark)")
    if not isinstance(found, dict):
        raise ValueError(path + " must hold one JSON object")
    items.update(found)
    return items


def read_or_create(path=FILE):
    """As `read`; makes the file with a fresh random key when there is none.

    Returns: (settings dict, True if it was made).
    """
    try:
        os.stat(path)
        return read(path), False
    except OSError:
        pass  # no such file: make it
    items = dict(DEFAULTS)
    items["key"] = hexlify(os.urandom(32)).decode()
    with open(path, "w") as file:
        if hasattr(os, "chmod"):
            os.chmod(path, 0o600)  # before it holds a key
        json.dump(items, file)
    return items, True
