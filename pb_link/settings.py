"""The settings of a client, validated with errors that name the item.

The list of the configuration is (port, server, timeout in ms, seconds between
reports, ssid, password, key); the named form is a dict with the names below.
`read` takes them from a JSON file of that form, which an upgrade of the code
does not touch. Client and server demo share one such file.
docs/hardware.md has a table of all its names.

The named form may have max_line as well: bytes of the longest line that the
client takes from the server. Without it, or with 0, that follows from the heap.

server may be several addresses, of servers that share a store: "a:8123, b", or
a list of such. Each is a name or an IPv4 address, and may have its own port.
"""

import gc
import json
import os
from binascii import hexlify
from errno import ENOENT

from pb_link.limits import MIN_RECEIVE_BYTES
from protocol import const
from protocol.config_record import encode_config
from protocol.credentials import parse_id, parse_key
from protocol.limits import MAX_LINE, MIN_LINE, RECEIVE_BYTES
from protocol.receive_space import receive_bytes
from protocol.text import decode_text, encode_text

FILE = "pb_settings.json"
NAMES = ("port", "server", "timeout_ms", "report_s", "ssid", "password", "key")
_MORE_NAMES = const(("id", "max_line", "pins"))  # which the named form may have
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
_MAX_SERVERS = const(8)  # addresses
# Bytes of UTF-8: of a str in a CONFIG record, and of what the ESP8266 stores of a network; it cuts what is longer.
_MAX_TEXT = {"server": 255, "ssid": 32, "password": 64}
# Bytes of a WPA passphrase; a key of 32 bytes in place of it has 64 hexadecimal digits. IEEE 802.11, annex J.4.
_MIN_PASSWORD = const(8)
_PASSWORD_DIGITS = const(64)
# Of a host's name (RFC 952, RFC 1123), and "_", which name servers of home networks know.
_HOST_CHARACTERS = const("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
_BYTE_ORDER_MARK = const(b"\xef\xbb\xbf")
# Characters of an unknown name that an error shows. A longer one may be a secret in the wrong place.
_SHOWN = const(20)
# Without the setting max_line a client takes lines of at least so many bytes, however small its heap is.
_MIN_DEFAULT_LINE = const(512)


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
    """Attributes: port, server, timeout_ms, report_s, ssid, password, key (32 bytes), max_line, receive_bytes. server:
    its addresses, each behind ", " but the first one."""

    def __init__(self, config):
        """config: list or tuple of 7 items, or a dict with NAMES and any of the other names of the file.

        Raises: TypeError or ValueError that names the item. The key and the
        password are never shown.
        """
        items = _named(config)
        for name in NAMES:
            setattr(self, name, _validated("config", name, items[name]))
        _refuse_lone_password("config", items)
        self.max_line = _validated("config", "max_line", items.get("max_line")) or default_max_line()
        self.receive_bytes = max(MIN_RECEIVE_BYTES, min(RECEIVE_BYTES, 2 * receive_bytes(self.max_line)))

    def record(self, at=0):
        """The CONFIG record for the ESP8266, with the address of this index, or None if there are not so many."""
        several = self.server.split(", ")
        if at >= len(several):
            return None
        host, _, port = several[at].partition(":")
        server = int(port or self.port), host, self.timeout_ms, self.report_s
        return encode_config(*server, self.ssid, self.password)

    def __repr__(self):
        return "Settings(server=%r, port=%d)" % (self.server, self.port)


def _named(config):
    if isinstance(config, dict):
        items = config
        _refuse_unknown("config", items, NAMES + _MORE_NAMES)
    elif isinstance(config, (list, tuple)):
        if len(config) > len(NAMES):
            raise ValueError("config: the list has %d items, not %d: %s" % (len(config), len(NAMES), ", ".join(NAMES)))
        items = {name: config[i] for i, name in enumerate(NAMES) if i < len(config)}
    else:
        raise TypeError("config must be a list or a dict")
    for name in NAMES:
        if name not in items:
            raise ValueError("config: %s is absent; it needs %s" % (name, ", ".join(NAMES)))
    return items


def _refuse_unknown(where, items, names):
    for name in items:
        if name not in names:
            shown = repr(name) if isinstance(name, str) and len(name) <= _SHOWN else "of that name"
            raise ValueError("%s: there is no setting %s; there are %s" % (where, shown, ", ".join(names)))


def _refuse_lone_password(where, items):
    if items.get("password") and not items.get("ssid"):
        raise ValueError("%s: there is a password without an ssid" % where)


def _validated(where, name, value):
    """Return the value of a setting as it is used. where: begins the error. Raises: TypeError, ValueError."""
    if name in _RANGES:
        if name == "max_line" and not value and value in (0, None):
            return 0
        return _number(where, name, value)
    if name == "server":
        return _servers(where, value)
    if name in _MAX_TEXT:
        return _text(where, name, value)
    try:
        return parse_key(value) if name == "key" else parse_id(value)
    except (TypeError, ValueError) as error:
        raise ValueError("%s: %s" % (where, error))


def _number(where, name, value):
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("%s: %s must be a whole number, without quotes" % (where, name))
    low, high = _RANGES[name]
    if not low <= value <= high:
        raise ValueError("%s: %s is %d, not %d..%d" % (where, name, value, low, high))
    return value


def _text(where, name, value):
    if not isinstance(value, str):
        raise TypeError("%s: %s must be a str" % (where, name))
    try:
        data = encode_text(value)
    except ValueError as error:
        raise ValueError("%s: %s: %s" % (where, name, error))
    if len(data) > _MAX_TEXT[name]:
        raise ValueError("%s: %s has %d bytes of UTF-8, %d at most" % (where, name, len(data), _MAX_TEXT[name]))
    if 0 in data:
        raise ValueError("%s: %s contains a NUL character: it would end there" % (where, name))
    text = decode_text(data)  # surrogate pairs are joined
    if name == "password" and data:
        if min(data) < 32:
            raise ValueError("%s: password has a control character, such as a line feed" % where)
        digits = all(one in "0123456789abcdefABCDEF" for one in text)
        if len(data) < _MIN_PASSWORD or len(data) == _PASSWORD_DIGITS and not digits:
            raise ValueError(
                "%s: password has %d bytes. Wi-Fi takes 8 to 63, or 64 digits 0-9 a-f" % (where, len(data))
            )
    return text


def _servers(where, value):
    """Return the addresses, each HOST or HOST:PORT, as one str: see Settings."""
    if not isinstance(value, (str, list, tuple)):
        raise TypeError("%s: server must be a str, or a list of several" % where)
    several = value
    if isinstance(value, str):
        several = [one.strip(" ") for one in value.split(",")] if "," in value else [value]
    if not 1 <= len(several) <= _MAX_SERVERS:
        raise ValueError("%s: server has %d addresses, not 1..%d" % (where, len(several), _MAX_SERVERS))
    found = []
    for one in several:
        one = _text(where, "server", one)
        host, colon, port = one.partition(":")
        for character in one if colon and not port.isdigit() else host + port:
            if character not in _HOST_CHARACTERS:
                raise ValueError(
                    "%s: server has the character %r. Write a name or an IPv4 address, and perhaps its port, as in"
                    " 10.0.0.2:8123: without blanks and http://" % (where, character)
                )
        if not host:
            raise ValueError("%s: server is empty: name the server's address" % where)
        if colon:
            _number(where + ": server", "port", int(port))
        if one in found:
            raise ValueError("%s: server has an address twice" % where)
        found.append(one)
    return ", ".join(found)


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
    """Return the settings file as a dict, each item checked, defaults filled in for those that it does not have.

    Raises: OSError that names an absent file; ValueError for what is wrong in it. Neither leads to what the file
    holds, the key and the password among it.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        if error.errno != ENOENT:
            raise
        raise OSError(ENOENT, "there is no %s in %s: `pb-link init NAME` makes one" % (path, os.getcwd()))
    valid = True
    line = 0
    try:
        found = json.loads(decode_text(data[3:] if data[:3] == _BYTE_ORDER_MARK else data))
    except ValueError as error:  # it holds the text: raised in here, the next one would hold it as __context__
        valid = False
        line = getattr(error, "lineno", 0)  # CPython's
    if not valid:
        raise ValueError("%s is not valid JSON in UTF-8%s" % (path, ": see line %d" % line if line else ""))
    if not isinstance(found, dict):
        raise ValueError(path + " must hold one JSON object")
    items = dict(DEFAULTS)
    items.update(_checked(path, found))
    return items


def _checked(path, found):
    """Return the items of a file, texts with their surrogate pairs joined. Raises: ValueError."""
    _refuse_unknown(path, found, NAMES + _MORE_NAMES)
    items = dict(found)
    try:
        for name, value in found.items():
            if name != "pins":
                value = _validated(path, name, value)
                if name != "key":
                    items[name] = value
            elif value is not None:
                if not isinstance(value, dict):
                    raise TypeError("%s: pins must be an object with %s" % (path, ", ".join(_PIN_NAMES)))
                _refuse_unknown(path + ": pins", value, _PIN_NAMES + ("scl", "sda"))
                for name, pin in value.items():
                    if pin is not None and (isinstance(pin, bool) or not isinstance(pin, (int, str))):
                        raise TypeError("%s: pins: %s must be a name or a number of a pin" % (path, name))
    except TypeError as error:
        raise ValueError(str(error))
    _refuse_lone_password(path, items)
    return items


def read_or_create(path=FILE):
    """As `read`; makes the file with a fresh random key when there is none.

    Returns: (settings dict, True if it was made).
    """
    try:
        os.stat(path)
    except OSError as error:
        if error.errno != ENOENT:
            raise
        items = dict(DEFAULTS)
        items["key"] = hexlify(os.urandom(32)).decode()
        with open(path, "w") as file:
            if hasattr(os, "chmod"):
                os.chmod(path, 0o600)  # before it holds a key
            json.dump(items, file)
        return items, True
    return read(path=path), False  # by name, so that the installed client keeps it: build/images/short_names.py
