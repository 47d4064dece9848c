"""The messages about sensors for Home Assistant, from the records of this release, the published ones, and odd ones."""

import json
import re
from pathlib import Path

import pytest

from sensor_bus.loader import load
from sensor_bus.records import standard_records
from server.gateways.mqtt.sensor_discovery import (
    client_message,
    client_topic,
    components,
    config_messages,
    config_topic,
    device_class,
    unit_of,
)
from tests.server.gateways.mqtt.test_home_assistant import DEVICE_KEYS, KEYS

BASE = "pb_link/mast"
PUBLISHED = Path(__file__).parents[3] / "sensor_bus" / "DeviceTypeRecords.json"

# Home Assistant 2025.4, homeassistant/components/sensor/const.py: the units of each device class that the table names.
UNITS = {
    "temperature": {"°C", "°F", "K"},
    "pressure": {"Pa", "hPa", "kPa", "bar", "cbar", "mbar", "mmHg", "inHg", "psi"},
    "illuminance": {"lx"},
    "voltage": {"V", "mV", "µV", "kV", "MV"},
    "current": {"A", "mA"},
    "power": {"mW", "W", "kW", "MW", "GW", "TW"},
    "distance": {"km", "m", "cm", "mm", "mi", "nmi", "yd", "in", "ft"},
    "frequency": {"Hz", "kHz", "MHz", "GHz"},
    "humidity": {"%"}, "moisture": {"%"}, "battery": {"%"},
    "signal_strength": {"dB", "dBm"},
    "weight": {"kg", "g", "mg", "µg", "oz", "lb", "st"},
    "speed": {"m/s", "km/h", "ft/s", "in/d", "in/h", "in/s", "kn", "mph", "mm/d", "mm/h", "mm/s", "Beaufort"},
    "duration": {"d", "h", "min", "s", "ms"},
    "irradiance": {"W/m²", "BTU/(h⋅ft²)"},
    "carbon_dioxide": {"ppm"},
    "volatile_organic_compounds_parts": {"ppm", "ppb"},
    "pm1": {"µg/m³"}, "pm25": {"µg/m³"}, "pm10": {"µg/m³"},
}  # fmt: skip


def infos():
    ours, published = standard_records(), load(PUBLISHED.read_bytes())
    for records in (ours, published):
        for number in range(len(records)):
            yield records.name(number), records.info(number)


def own(*attributes, **more):
    return {"name": "Mine", "resp": {"b": 8, "a": [{"t": "<h", **one} for one in attributes]}, **more}


def messages(info, type_name="Mine", device="1_2a"):
    return {name: json.loads(text) for name, text in config_messages(info, type_name, device, BASE, "mast").items()}


def test_thermometer_becomes_what_home_assistant_expects():
    records = standard_records()
    found = messages(records.info_by_name("AHT20"), "AHT20", "1_238")
    assert list(found) == ["humidity", "temperature"]  # and not "ready", which only serves to decode
    topic = "pb_link/mast/sensor/1_238"
    assert found["temperature"] == {
        "name": "temperature",
        "unique_id": "pb_link/mast/sensor/1_238/AHT20/temperature",
        "state_topic": topic,
        "value_template": "{% if value_json is defined %}{{ value_json['values'].get(\"temperature\") }}{% endif %}",
        "qos": 1,
        "availability_mode": "all",
        "availability": [
            {"topic": "pb_link/mast/status"},
            {"topic": "pb_link/mast/sensor/status"},
            {"topic": f"{topic}/status", "value_template": "{{ 'online' if value == 'online' else 'offline' }}"},
        ],
        "unit_of_measurement": "°C",
        "device_class": "temperature",
        "state_class": "measurement",
        "suggested_display_precision": 2,
        "device": {
            "identifiers": ["pb__link_2Fmast_2Fsensor_2F1__238_2FAHT20"],
            "name": "mast AHT20 1_238",
            "model": records.info_by_name("AHT20")["desc"],
            "model_id": "AHT20",
            "manufacturer": "ASAIR",
            "via_device": "pb__link_2Fmast",
        },
        "origin": found["humidity"]["origin"],
    }
    assert found["humidity"]["device_class"] == "humidity" and found["humidity"]["unit_of_measurement"] == "%"
    assert (
        config_topic("homeassistant", topic, "AHT20", "temperature", "sensor")
        == "homeassistant/sensor/pb__link_2Fmast_2Fsensor_2F1__238_2FAHT20/temperature/config"
    )


def test_every_record_gives_messages_that_home_assistant_takes():
    classes = set()
    for name, info in infos():
        for attribute, found in messages(info, name).items():
            kind = components(info)[attribute]
            assert set(found) <= set(KEYS[kind].split()) and set(found["device"]) <= DEVICE_KEYS, name
            if "device_class" in found:
                classes.add(found["device_class"])
                assert found["unit_of_measurement"] in UNITS[found["device_class"]], (name, attribute)
    assert classes >= {"temperature", "humidity", "pressure", "illuminance", "voltage", "current", "distance"}


@pytest.mark.parametrize(
    ("name", "unit", "shown", "wanted"),
    [
        ("t", "&deg;C", "°C", "temperature"), ("temp", "C", "°C", "temperature"), ("als", "lux", "lx", "illuminance"),
        ("light", "Lux", "lx", "illuminance"), ("humidity", "%", "%", "humidity"), ("RH", "%", "%", "humidity"),
        ("battery", "%", "%", "battery"), ("load", "%", "%", None), ("pressure", "hPa", "hPa", "pressure"),
        ("shunt", "mV", "mV", "voltage"), ("current", "A", "A", "current"), ("p", "W", "W", "power"),
        ("dist", "mm", "mm", "distance"), ("ax", "g", "g", None), ("gx", "&deg;/s", "°/s", None),
        ("angle", "degrees", "°", None), ("x", "&micro;T", "µT", None), ("co2", "ppm", "ppm", "carbon_dioxide"),
        ("Red", "Red", "", None), ("steps", "", "", None), ("v", "\u03bcV", "µV", "voltage"),
    ],
)  # fmt: skip
def test_unit_and_name_give_the_device_class_if_one_fits(name, unit, shown, wanted):
    found = unit_of({"n": name, "u": unit})
    assert (found, device_class(name, found)) == (shown, wanted)


def test_each_device_class_of_the_tables_goes_with_its_units():
    from server.gateways.mqtt.sensor_discovery import _CLASS_OF_NAME, _CLASS_OF_UNIT

    for name, units in _CLASS_OF_UNIT.items():
        assert set(units) <= UNITS[name]
    for unit, _, name in _CLASS_OF_NAME:
        assert unit in UNITS[name]


def test_what_has_no_mean_no_unit_or_no_single_value():
    info = own(
        {"n": "angle", "u": "degrees", "f": "3.1f"}, {"n": "count", "f": "5d"}, {"n": "list", "t": "3H", "u": "V"},
        {"n": "text", "t": "4s", "u": "V"}, {"n": "on", "o": "bool"}, {"n": "hidden", "vs": False},
    )  # fmt: skip
    found = messages(info)
    assert components(info) == {"angle": "sensor", "count": "sensor", "text": "sensor", "on": "binary_sensor"}
    assert "state_class" not in found["angle"] and found["angle"]["suggested_display_precision"] == 1
    assert found["count"]["state_class"] == "measurement" and "unit_of_measurement" not in found["count"]
    assert found["count"]["suggested_display_precision"] == 0
    assert not {"state_class", "unit_of_measurement", "device_class"} & set(found["text"])
    assert not {"state_class", "unit_of_measurement"} & set(found["on"])


ODD = ["t", 'say "x"', "a'b", "{{ 1 }}", "%}", "\u00e9\\n", "\U0001f321", "a/b+#", "n\nl", "\u2028", " "]


@pytest.fixture
def rendered(missing_tool):
    """function (template, what value_json is): the text that Home Assistant makes of it."""
    try:
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ModuleNotFoundError as error:
        missing_tool(f"{error}: pip install -r requirements-dev.txt")
    environment = ImmutableSandboxedEnvironment()
    return lambda template, **values: environment.from_string(template).render(**values)


@pytest.mark.parametrize("name", ODD)
def test_template_finds_the_value_of_any_name(name, rendered):
    found = messages(own({"n": name}, {"n": name + "2", "o": "bool"}))
    sensor, binary = (one["value_template"] for one in found.values())
    for value, text in ((21.5, "21.5"), (0, "0"), (None, "None")):
        assert rendered(sensor, value_json={"values": {"other": 1, name: value}}) == text
    for value, text in ((1, "ON"), (True, "ON"), (0, "OFF"), (None, "None")):
        assert rendered(binary, value_json={"values": {name + "2": value}}) == text
    assert rendered(sensor, value_json={"values": {}}) == rendered(binary, value_json={"values": {}}) == "None"
    assert rendered(sensor, value="") == rendered(binary, value="") == ""


def test_status_of_a_device_is_available_or_not(rendered):
    template = messages(own({"n": "a"}))["a"]["availability"][2]["value_template"]
    assert [rendered(template, value=one) for one in ("online", "offline", "gone")] == ["online", "offline", "offline"]


def test_names_give_topics_and_ids_of_their_own():
    pairs = [("T", one) for one in ODD] + [("T/t", "x"), ("T", "t/x"), ("T_t", "x"), ("T", "t_x"), ("T-t", "x")]
    topics = {config_topic("homeassistant", "pb_link/a/sensor/1_2a", *pair, "sensor") for pair in pairs}
    assert len(topics) == len(pairs)
    for topic in topics:  # the form that Home Assistant looks for
        assert re.fullmatch(r"homeassistant/sensor/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config", topic)
    ids = {messages(own({"n": name}), kind)[name]["unique_id"] for kind, name in pairs}
    assert len(ids) == len(pairs)


def test_texts_that_a_client_writes_are_bounded_and_printable():
    info = own({"n": "\ud800", "u": "V"}, {"n": "ok", "u": "\ud800x\n"}, desc="d\n" * 90, manu="\x00m")
    found = messages(info, "ty\npe")
    assert list(found) == ["ok"] and found["ok"]["unit_of_measurement"] == "\ufffdx"
    device = found["ok"]["device"]
    assert device["manufacturer"] == "\ufffdm" and len(device["model"]) == 128
    assert all(text.isprintable() for text in (device["name"], device["model"], device["model_id"]))


def test_client_is_the_device_that_its_sensors_refer_to():
    found = json.loads(client_message("mast", BASE, {"name": "Mast", "model": "P2"}))
    assert set(found) <= set(KEYS["binary_sensor"].split()) and set(found["device"]) <= DEVICE_KEYS
    assert found["device"] == {"identifiers": ["pb__link_2Fmast"], "name": "Mast", "model": "P2"}
    assert (found["state_topic"], found["payload_on"]) == ("pb_link/mast/status", "online")
    assert client_topic("ha", BASE) == "ha/binary_sensor/pb__link_2Fmast_2Fsensor/client/config"
