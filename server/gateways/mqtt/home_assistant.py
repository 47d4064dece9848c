"""Announcements: a client's description of its data, and the message for Home Assistant. No input or output here.

An announcement is a line of the client's: a JSON object whose first member is `announce`.

    {"announce": "sensor", "id": "temperature", "name": "Temperature", "value": "t",
     "device_class": "temperature", "unit_of_measurement": "°C"}

docs/mqtt.md has all members. The resulting message has Home Assistant's format
(https://www.home-assistant.io/integrations/mqtt/, "MQTT discovery"). A client may set the displayed texts, but no
topic, template or icon.
"""

import json
import re

MAX_ANNOUNCEMENT = 1024  # bytes of the line
MAX_TEXT = 64  # characters of what is shown
MAX_ENTITIES = 32  # of a client

_BEGIN = re.compile(rb'\s*\{\s*"announce"\s*:')
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_MEMBER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")


def _text(value):
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()


def _is(pattern):
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _seconds(value):
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 86400 * 366


_COMMON = {"id": _is(_NAME), "name": _text, "value": _is(_MEMBER), "device_class": _is(_NAME), "expire_after": _seconds}
COMPONENTS = {
    "sensor": {**_COMMON, "unit_of_measurement": _text, "state_class": _is(_NAME)},
    "binary_sensor": {**_COMMON, "payload_on": _text, "payload_off": _text},
}
_OURS = {"id", "value", "remove"}


def is_announcement(line):
    """True if the line (bytes) has the form of an announcement."""
    return _BEGIN.match(line) is not None


def discovery_message(line, client_id, base, prefix):
    """Returns the message for Home Assistant: (topic, payload). An empty payload removes the entity.

    Args: line: bytes; base: the topic above the client's `up` and `status`; prefix: Home Assistant's.
    Raises: ValueError that says what is wrong with the line.
    """
    component, members = _parse(line)
    node = node_name(base)
    topic = f"{prefix}/{component}/{node}/{members['id']}/config"
    if members.get("remove"):
        return topic, b""
    config = {name: value for name, value in members.items() if name not in _OURS}
    config.setdefault("name", members["id"])
    config.update(
        unique_id=f"{node}_{members['id']}", state_topic=f"{base}/up", qos=1,
        availability_topic=f"{base}/status", payload_available="online", payload_not_available="offline",
        device={"identifiers": [node], "name": client_id}, origin={"name": "pb_link"},
    )  # fmt: skip
    if "value" in members:  # if a line has no such member, Home Assistant keeps the last state
        config["value_template"] = "{{ value_json.%s | default(this.state) }}" % members["value"]
    return topic, json.dumps(config).encode()


def _parse(line):
    if len(line) > MAX_ANNOUNCEMENT:
        raise ValueError(f"it has {len(line)} bytes, the longest is {MAX_ANNOUNCEMENT}")
    try:
        members = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    component = members.pop("announce")
    if not isinstance(component, str) or component not in COMPONENTS:
        raise ValueError(f"announce must be one of {', '.join(COMPONENTS)}")
    checks = {**COMPONENTS[component], "remove": lambda value: isinstance(value, bool)}
    for name, value in members.items():
        if name not in checks:
            raise ValueError(f"there is no member {name[:MAX_TEXT]!r}; there are {', '.join(checks)}")
        if not checks[name](value):
            raise ValueError(f"{name} is not what it may be")
    if "id" not in members:
        raise ValueError("it has no id")
    return component, members


def node_name(base):
    """Returns a name for Home Assistant, of [A-Za-z0-9_-]. It is different for each base topic."""
    return "".join(_kept(character) for character in base)


def _kept(character):
    if character == "_":
        return "__"
    if character.isascii() and (character.isalnum() or character == "-"):
        return character
    return "".join(f"_{byte:02X}" for byte in character.encode())
