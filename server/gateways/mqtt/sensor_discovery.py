"""The messages that make a client's sensors appear in Home Assistant, from the records of their types. No input or
output here.

Each attribute that is for people becomes an entity of its own: a sensor, or a binary_sensor if it is a bool. A list has
no single value, and becomes none. The entities of one device are one device of Home Assistant, which the client
carries. What identifies them is the place (client, bus, address with slot) and the type, since devices of an I2C bus
have no number of their own.

Source: https://www.home-assistant.io/integrations/sensor.mqtt/ and ../sensor/ ("Device class"), Home Assistant 2025.4.
"""

import json

from protocol.version import RELEASE, release_text
from sensor_bus.decode import type_of, unit_text
from server.gateways.mqtt.home_assistant import client_device, node_name
from server.gateways.mqtt.topics import sensors_topic

SENSOR, BINARY = "sensor", "binary_sensor"
MAX_SHOWN = 128  # characters of a text of a client's record, in a name

# A record's unit, in lower case -> Home Assistant's spelling of it.
_SPELLED = {"lux": "lx", "c": "°C", "degrees": "°", "degree": "°", "deg": "°"}

# Unit -> device class, for units that name what is measured. "g" is an acceleration here, and a weight there: none.
_CLASS_OF_UNIT = {
    "temperature": ("°C", "°F", "K"),
    "pressure": ("Pa", "hPa", "kPa", "mbar", "bar", "mmHg", "psi"),
    "illuminance": ("lx",),
    "voltage": ("µV", "mV", "V"),
    "current": ("mA", "A"),
    "power": ("W", "kW"),
    "distance": ("mm", "cm", "m", "km"),
    "frequency": ("Hz", "kHz", "MHz", "GHz"),
    "signal_strength": ("dBm",),
    "weight": ("kg",),
    "speed": ("m/s", "km/h"),
    "duration": ("ms", "s", "min", "h"),
    "irradiance": ("W/m²",),
}
_CLASSES = {unit: name for name, units in _CLASS_OF_UNIT.items() for unit in units}

# (unit, what the attribute's name begins with) -> device class, for units of several quantities.
_CLASS_OF_NAME = (
    ("%", "hum", "humidity"),
    ("%", "rh", "humidity"),
    ("%", "moist", "moisture"),
    ("%", "batt", "battery"),
    ("ppm", "co2", "carbon_dioxide"),
    ("ppb", "tvoc", "volatile_organic_compounds_parts"),
    ("ppb", "voc", "volatile_organic_compounds_parts"),
    ("µg/m³", "pm10", "pm10"),
    ("µg/m³", "pm2", "pm25"),
    ("µg/m³", "pm1", "pm1"),
)
_NOT_AVERAGED = ("°",)  # units of which a mean says nothing: 359° and 1°


def components(info):
    """Returns {attribute: component} of what a device of this type shows, in the order of the record. info:
    devInfoJson that check_info takes."""
    found = {}
    for attribute in info.get("resp", {}).get("a", ()):
        letter, _, count = type_of(attribute["t"])
        single = count == 1 or letter == "s"
        if single and attribute.get("vs", True) and _is_unicode(attribute["n"]):
            found[attribute["n"]] = BINARY if attribute.get("o") == "bool" else SENSOR
    return found


def _is_unicode(name):
    """False for a name with half a surrogate pair, which JSON can have and a topic cannot."""
    return not any("\ud800" <= one <= "\udfff" for one in name)


def config_topic(prefix, topic, type_name, attribute, component):
    """Returns the topic of an entity's message. prefix: Home Assistant's; topic: that of the device's readings."""
    return f"{prefix}/{component}/{node_name(f'{topic}/{type_name}')}/{node_name(attribute)}/config"


def config_messages(info, type_name, device, base, client_id):
    """Returns {attribute: message (bytes)}. device: id, such as 1_38; base: the topic above the client's."""
    shown = components(info)
    about = _device(info, type_name, device, base, client_id)
    attributes = info.get("resp", {}).get("a", ())
    return {
        one["n"]: json.dumps(_config(one, shown[one["n"]], type_name, device, base, about)).encode()
        for one in attributes
        if one["n"] in shown
    }


def client_topic(prefix, base):
    """Returns the topic of the message about the client itself."""
    return f"{prefix}/{BINARY}/{node_name(sensors_topic(base))}/client/config"


def client_message(client_id, base, announced):
    """Returns the message (bytes) that makes the client a device, which its sensors' devices refer to: whether it is
    connected. announced: members of its announcement of the device, or {}."""
    node = node_name(base)
    return json.dumps(
        {
            "name": "Connected", "unique_id": f"{sensors_topic(base)}/client", "device_class": "connectivity",
            "entity_category": "diagnostic", "state_topic": f"{base}/status", "payload_on": "online",
            "payload_off": "offline", "qos": 1, "device": client_device(node, client_id, announced),
            "origin": _origin(),
        }
    ).encode()  # fmt: skip


def _origin():
    return {"name": "pb_link", "sw_version": release_text(RELEASE)}


def _device(info, type_name, device, base, client_id):
    found = {
        "identifiers": [node_name(f"{sensors_topic(base)}/{device}/{type_name}")],
        "name": f"{client_id} {_text(type_name)} {device}",
        "model": _text(info.get("desc") or type_name),
        "model_id": _text(type_name),
        "via_device": node_name(base),
    }
    if info.get("manu"):
        found["manufacturer"] = _text(info["manu"])
    return found


def _config(attribute, component, type_name, device, base, about):
    name, topic = attribute["n"], f"{sensors_topic(base)}/{device}"
    found = {
        "name": _text(name),
        "unique_id": f"{topic}/{node_name(type_name)}/{node_name(name)}",
        "state_topic": topic,
        "value_template": _TEMPLATES[component] % json.dumps(name, ensure_ascii=False),
        "qos": 1,
        "availability_mode": "all",
        "availability": [
            {"topic": f"{base}/status"}, {"topic": f"{sensors_topic(base)}/status"},
            {"topic": f"{topic}/status", "value_template": "{{ 'online' if value == 'online' else 'offline' }}"},
        ],
        "device": about,
        "origin": _origin(),
    }  # fmt: skip
    if component == SENSOR:
        found.update(_measured(attribute))
    return found


# None is unknown in Home Assistant, an empty text changes nothing. There is no value_json when the topic is emptied,
# and no value in a reading whose type nobody can explain for the moment.
_TEMPLATES = {
    SENSOR: "{%% if value_json is defined %%}{{ value_json['values'].get(%s) }}{%% endif %%}",
    BINARY: "{%% if value_json is defined %%}{%% set value = value_json['values'].get(%s) %%}"
    "{{ 'None' if value is none else 'ON' if value else 'OFF' }}{%% endif %%}",
}


def _measured(attribute):
    """Returns the members of a sensor that say what its value is."""
    if type_of(attribute["t"])[0] == "s":
        return {}
    unit = unit_of(attribute)
    found = {"unit_of_measurement": unit} if unit else {}
    kind = device_class(attribute["n"], unit)
    if kind:
        found["device_class"] = kind
    if unit not in _NOT_AVERAGED:
        found["state_class"] = "measurement"
    digits = _digits(attribute.get("f", ""))
    if digits is not None:
        found["suggested_display_precision"] = digits
    return found


def unit_of(attribute):
    """Returns the unit of an attribute as Home Assistant spells it, "" if there is none."""
    unit = unit_text(attribute.get("u", "")).replace("\u03bc", "µ").strip()
    if unit == attribute["n"]:  # the published record of the MAX30101 has the name there
        return ""
    return _text(_SPELLED.get(unit.lower(), unit))


def device_class(name, unit):
    """Returns Home Assistant's device class of what is measured, None if none fits. unit: as from unit_of."""
    for wanted, beginning, found in _CLASS_OF_NAME:
        if unit == wanted and name.lower().startswith(beginning):
            return found
    return _CLASSES.get(unit)


def _digits(form):
    """Returns the digits behind the point of a record's format, such as "3.2f" or "5d", None if it says none."""
    if form.endswith("d"):
        return 0
    _, point, digits = form.removesuffix("f").partition(".")
    return int(digits) if point and form.endswith("f") and digits.isdecimal() and len(digits) == 1 else None


def _text(text):
    """Returns a text of a record for people, which the client may have written."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text)[:MAX_SHOWN]
