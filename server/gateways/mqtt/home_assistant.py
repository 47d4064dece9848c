"""The messages that make entities appear in Home Assistant. No input or output here.

They have Home Assistant's format (https://www.home-assistant.io/integrations/mqtt/, "MQTT discovery"). A value has a
topic of its own, on which nothing else is published, so no template has to find it. A command becomes a line for the
client: a JSON object with one member.
"""

import json

from protocol.version import RELEASE, release_text
from server.gateways.mqtt.announcement import RANGE
from server.gateways.mqtt.states import on_off

MODEL = "pb_link client"  # of a device that does not say its own

_OURS = {"announce", "id", "value", "command", "remove", "payload_on", "payload_off", "payload_press"}


def discovery_topic(entity, base, prefix):
    """Returns the topic of the message. entity: members of an announcement; base: the topic above the client's; prefix:
    Home Assistant's."""
    return f"{prefix}/{entity['announce']}/{node_name(base)}/{entity['id']}/config"


def state_topic(entity, base):
    """Returns the topic of the entity's value."""
    return f"{base}/state/{entity['id']}"


def is_retained(entity):
    """True if the entity's value is a retained message. One that expires must not be, since it would arrive again."""
    return "expire_after" not in entity


def discovery_message(entity, client_id, base, device):
    """Returns the message (bytes). device: members of the announcement of the device, or {}."""
    node = node_name(base)
    config = {name: value for name, value in entity.items() if name not in _OURS}
    config.setdefault("name", entity["id"])
    config.update(
        unique_id=f"{node}_{entity['id']}", qos=1, availability_topic=f"{base}/status", payload_available="online",
        payload_not_available="offline", device=client_device(node, client_id, device),
        origin={"name": "pb_link", "sw_version": release_text(RELEASE)},
    )  # fmt: skip
    if entity["announce"] != "button":
        config["state_topic"] = state_topic(entity, base)
    if entity["announce"] not in ("sensor", "binary_sensor"):
        config["command_topic"] = f"{base}/down"
    config.update(_PAYLOADS[entity["announce"]](entity))
    return json.dumps(config).encode()


def client_device(node, client_id, device):
    """Returns the device (dict) that the client is. node: see node_name; device: as in discovery_message."""
    found = {"identifiers": [node], "name": device.get("name", client_id), "model": device.get("model", MODEL)}
    if "release" in device:
        found["sw_version"] = device["release"]
    return found


def _command(entity, value):
    """Returns the line of a command."""
    return json.dumps({_command_member(entity): value})


def _template(entity, value):
    """Returns Home Assistant's template of a line of a command. value: the expression for the value."""
    return '{"%s": {{ %s }} }' % (_command_member(entity), value)


def _command_member(entity):
    return entity.get("command") or entity.get("value") or entity["id"]


def _binary_sensor(entity):
    payload_on, payload_off = on_off(entity)
    return {"payload_on": payload_on, "payload_off": payload_off}


def _switch(entity):
    state_on, state_off = on_off(entity)
    return {
        "payload_on": _command(entity, entity.get("payload_on", True)),
        "payload_off": _command(entity, entity.get("payload_off", False)),
        "state_on": state_on,
        "state_off": state_off,
    }


_PAYLOADS = {
    "sensor": lambda entity: {},
    "binary_sensor": _binary_sensor,
    "switch": _switch,
    "number": lambda entity: {"command_template": _template(entity, "value"), **RANGE, **_range(entity)},
    "select": lambda entity: {"command_template": _template(entity, "value | tojson")},
    "button": lambda entity: {"payload_press": _command(entity, entity.get("payload_press", True))},
}


def _range(entity):
    return {name: entity[name] for name in RANGE if name in entity}


def node_name(base):
    """Returns a name for Home Assistant, of [A-Za-z0-9_-]. It is different for each base topic."""
    return "".join(_kept(character) for character in base)


def _kept(character):
    if character == "_":
        return "__"
    if character.isascii() and (character.isalnum() or character == "-"):
        return character
    return "".join(f"_{byte:02X}" for byte in character.encode())
