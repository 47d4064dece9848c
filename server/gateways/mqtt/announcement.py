"""Announcements: a client's description of an entity of Home Assistant, or of itself. No input or output here.

An announcement is a line of the client's: a JSON object whose first member is `announce`.

    {"announce": "sensor", "id": "temperature", "name": "Temperature", "value": "t",
     "device_class": "temperature", "unit_of_measurement": "°C"}

docs/mqtt.md has all members. A client may set the displayed texts, but no topic, template or icon.
"""

import json
import math
import re

MAX_ANNOUNCEMENT = 1024  # bytes of the line
MAX_TEXT = 64  # characters of what is shown
MAX_OPTIONS = 32  # of a select

DEVICE = "device"  # what a client announces about itself

_BEGIN = re.compile(rb'\s*\{\s*"announce"\s*:')


def _text(value):
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()


def _matches(pattern):
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _seconds(value):
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 86400 * 366


def _options(value):
    return isinstance(value, list) and 0 < len(value) <= MAX_OPTIONS and all(map(_text, value))


# A check and what the member must be.
_TEXT = _text, f"a text of 1 to {MAX_TEXT} printable characters"
_NAME = _matches("[A-Za-z0-9_-]{1,32}"), "1 to 32 of A-Za-z0-9_-"
_MEMBER = _matches("[A-Za-z_][A-Za-z0-9_]{0,31}"), "the name of a member: 1 to 32 of A-Za-z0-9_, no digit first"
_NUMBER = _number, "a number"
_STEP = (lambda value: _number(value) and value >= 0.001), "a number from 0.001 on"
_SECONDS = _seconds, "a whole number of seconds, 1 to 31622400"
_MODE = _matches("auto|box|slider"), "auto, box or slider"
_OPTIONS = _options, f"a list of 1 to {MAX_OPTIONS} texts of 1 to {MAX_TEXT} printable characters"
_REMOVE = (lambda value: isinstance(value, bool)), "true or false"

_COMMON = {"id": _NAME, "name": _TEXT, "device_class": _NAME}
_READ = {"value": _MEMBER, "expire_after": _SECONDS}
_SET = {"value": _MEMBER, "command": _MEMBER}
_ON_OFF = {"payload_on": _TEXT, "payload_off": _TEXT}
_UNIT = {"unit_of_measurement": _TEXT}
_RANGE = {"min": _NUMBER, "max": _NUMBER, "step": _STEP, "mode": _MODE}

COMPONENTS = {
    "sensor": {**_COMMON, **_READ, **_UNIT, "state_class": _NAME},
    "binary_sensor": {**_COMMON, **_READ, **_ON_OFF},
    "switch": {**_COMMON, **_SET, **_ON_OFF},
    "number": {**_COMMON, **_SET, **_UNIT, **_RANGE},
    "select": {"id": _NAME, "name": _TEXT, **_SET, "options": _OPTIONS},
    "button": {**_COMMON, "command": _MEMBER, "payload_press": _TEXT},
    DEVICE: {"name": _TEXT, "model": _TEXT, "release": _TEXT},
}
_NEEDED = {"switch": ("value",), "number": ("value",), "select": ("value", "options")}
RANGE = {"min": 0, "max": 100}  # of a number that does not say it


def is_announcement(line):
    """True if the line (bytes) has the form of an announcement."""
    return _BEGIN.match(line) is not None


def parse(line):
    """Returns the members (dict) of an announcement (bytes), `announce` first. Raises: ValueError that says what is
    wrong with it."""
    if len(line) > MAX_ANNOUNCEMENT:
        raise ValueError(f"it has {len(line)} bytes, the longest is {MAX_ANNOUNCEMENT}")
    try:
        members = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    check(members)
    return members


def check(members):
    """Raises: ValueError: these members are not those of an announcement. Others may be missing beside `remove`."""
    component = members.get("announce") if isinstance(members, dict) else None
    if not isinstance(component, str) or component not in COMPONENTS:
        raise ValueError(f"announce must be one of {', '.join(COMPONENTS)}")
    known = {"announce": _TEXT, **COMPONENTS[component]}
    if component != DEVICE:
        known["remove"] = _REMOVE
    for name, value in members.items():
        if name not in known:
            raise ValueError(f"a {component} has no member {name[:MAX_TEXT]!r}; it has {', '.join(list(known)[1:])}")
        fits, rule = known[name]
        if not fits(value):
            raise ValueError(f"{name} must be {rule}")
    if component != DEVICE and "id" not in members:
        raise ValueError("it has no id")
    if not members.get("remove"):
        _check_together(component, members)


def _check_together(component, members):
    for name in _NEEDED.get(component, ()):
        if name not in members:
            raise ValueError(f"a {component} must have {name}")
    low, high = (members.get(name, default) for name, default in RANGE.items())
    if low >= high:
        raise ValueError(f"min ({low}) must be less than max ({high})")
    if members.get("payload_on", "ON") == members.get("payload_off", "OFF"):
        raise ValueError("payload_on and payload_off must be different")
