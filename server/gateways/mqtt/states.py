"""The value of an entity as Home Assistant takes it. No input or output here.

Home Assistant logs an error for each value that an entity cannot have. Such a value is not published.
"""

import json
import math
import re
from datetime import date, datetime

from server.gateways.mqtt.announcement import RANGE

MAX_STATE = 255  # characters: more is none for Home Assistant
UNKNOWN = "None"  # Home Assistant's word for a value that is not known

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_OTHERS = ("date", "enum", "timestamp")  # device classes of sensors that are no numbers
_ABSENT = object()


def states(line, entities):
    """Returns what a line (bytes) tells of these entities: a list of (entity, text, None), or of (entity, None, reason)
    for a value that the entity cannot have. entities: members of announcements."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return []
    parsed = _parse(text)
    found = []
    for entity in entities:
        if entity["announce"] == "button":
            continue
        whole = "value" not in entity
        value = _whole(text, parsed) if whole else _member(parsed, entity["value"])
        if value is not _ABSENT:
            try:
                found.append((entity, state_text(entity, value), None))
            except ValueError as error:
                if not whole:  # such a line need not be meant for the entity
                    found.append((entity, None, f"{entity['value']} of {entity['id']} {error}"))
    return found


def _parse(text):
    """Returns the JSON value of a line, or _ABSENT."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return _ABSENT


def _no_number(name):
    raise ValueError(f"{name} is not JSON")


def _member(parsed, name):
    return parsed.get(name, _ABSENT) if isinstance(parsed, dict) else _ABSENT


def _whole(text, parsed):
    """Returns the value of an entity that is a whole line. An object has the values of others."""
    if isinstance(parsed, dict):
        return _ABSENT
    return parsed if parsed is None or isinstance(parsed, bool) else text


def state_text(entity, value):
    """Returns the text for Home Assistant. value: what the JSON has. Raises: ValueError, the end of "NAME .."."""
    if value is None:
        return UNKNOWN
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) > MAX_STATE:
        raise ValueError(f"has {len(text)} characters, the longest is {MAX_STATE}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("is not valid text") from None
    return _CHECKS[entity["announce"]](entity, value, text)


def on_off(entity):
    """Returns the texts of the two states of a binary_sensor or switch."""
    return entity.get("payload_on", "ON"), entity.get("payload_off", "OFF")


def _sensor(entity, value, text):
    device_class = entity.get("device_class")
    if device_class in ("date", "timestamp"):
        _check_time(device_class, text)
    elif not {"unit_of_measurement", "state_class"}.isdisjoint(entity) or device_class not in (None, *_OTHERS):
        _finite(text)
    return text


def _check_time(device_class, text):
    try:
        if device_class == "date":
            date.fromisoformat(text)
        elif datetime.fromisoformat(text).tzinfo is None:
            raise ValueError
    except ValueError:
        example = "2030-12-31" if device_class == "date" else "2030-12-31T23:59:59+00:00"
        raise ValueError(f"must be a {device_class} such as {example}") from None


def _binary(entity, value, text):
    states = on_off(entity)
    if text not in states:
        if not isinstance(value, bool):
            raise ValueError(f"must be true, false, {states[0]} or {states[1]}")
        text = states[0] if value else states[1]
    return text


def _number(entity, value, text):
    low, high = (entity.get(name, default) for name, default in RANGE.items())
    if not low <= _finite(text) <= high:
        raise ValueError(f"must be {low} to {high}")
    return text


def _select(entity, value, text):
    if text not in entity["options"]:
        raise ValueError("must be one of the options")
    return text


def _finite(text):
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError("must be a number")
    return float(text)


_CHECKS = {
    "sensor": _sensor, "binary_sensor": _binary, "switch": _binary, "number": _number, "select": _select,
}  # fmt: skip
