"""The messages for Home Assistant."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.version import RELEASE, release_text
from server.gateways.mqtt.announcement import COMPONENTS, parse
from server.gateways.mqtt.home_assistant import discovery_message, discovery_topic, is_retained, node_name, state_topic

BASE = "pb_link/pump"

# The keys that Home Assistant 2025.4 takes (homeassistant/components/mqtt, DISCOVERY_SCHEMA): it drops others silently.
_ALL = """name unique_id object_id qos encoding device origin icon entity_picture entity_category enabled_by_default
    availability availability_mode availability_template availability_topic payload_available payload_not_available
    json_attributes_template json_attributes_topic"""
_SET = "command_template command_topic retain"
_STATE = "state_topic value_template optimistic"
KEYS = {
    "sensor": f"""{_ALL} state_topic value_template device_class expire_after force_update last_reset_value_template
        options state_class suggested_display_precision unit_of_measurement""",
    "binary_sensor": f"""{_ALL} state_topic value_template device_class expire_after force_update off_delay payload_off
        payload_on""",
    "switch": f"{_ALL} {_SET} {_STATE} device_class payload_off payload_on state_off state_on",
    "number": f"{_ALL} {_SET} {_STATE} device_class max min mode payload_reset step unit_of_measurement",
    "select": f"{_ALL} {_SET} {_STATE} options",
    "button": f"{_ALL} {_SET} device_class payload_press",
}
# Those of a device: homeassistant/components/mqtt, MQTT_ENTITY_DEVICE_INFO_SCHEMA.
DEVICE_KEYS = set(
    """identifiers connections manufacturer model model_id name hw_version serial_number via_device sw_version
    suggested_area configuration_url""".split()
)
NEEDED = {"sensor": {"state_topic"}, "binary_sensor": {"state_topic"}, "select": {"command_topic", "options"}}
SAMPLES = {
    "id": "e", "name": "E", "value": "v", "command": "c", "device_class": "x", "expire_after": 5, "state_class": "x",
    "unit_of_measurement": "x", "payload_on": "1", "payload_off": "0", "min": 1, "max": 2, "step": 1, "mode": "box",
    "options": ["a"], "payload_press": "p",
}  # fmt: skip

def config(text, device=None):
    return json.loads(discovery_message(parse(text.encode()), "pump", BASE, device or {}))


def test_announcement_becomes_what_home_assistant_expects():
    text = (
        '{"announce": "sensor", "id": "t1", "name": "Boiler", "value": "t", "device_class": "temperature",'
        ' "unit_of_measurement": "°C", "state_class": "measurement", "expire_after": 600}'
    )
    topic = discovery_topic(parse(text.encode()), BASE, "homeassistant")
    assert topic == "homeassistant/sensor/pb__link_2Fpump/t1/config"
    assert config(text) == {
        "name": "Boiler",
        "device_class": "temperature",
        "unit_of_measurement": "°C",
        "state_class": "measurement",
        "expire_after": 600,
        "unique_id": "pb__link_2Fpump_t1",
        "state_topic": "pb_link/pump/state/t1",
        "qos": 1,
        "availability_topic": "pb_link/pump/status",
        "payload_available": "online",
        "payload_not_available": "offline",
        "device": {"identifiers": ["pb__link_2Fpump"], "name": "pump", "model": "pb_link client"},
        "origin": {"name": "pb_link", "sw_version": release_text(RELEASE)},
    }


def test_device_has_the_model_and_the_release_that_the_client_announces():
    device = {"announce": "device", "name": "Pump", "model": "P2", "release": "1.4"}
    found = config('{"announce": "sensor", "id": "t"}', device)["device"]
    assert found == {"identifiers": ["pb__link_2Fpump"], "name": "Pump", "model": "P2", "sw_version": "1.4"}


def test_no_message_has_a_template_for_the_state():
    for component in set(COMPONENTS) - {"device"}:
        text = '{"announce": "%s", "id": "door"' % component
        text += ', "value": "d"' if "value" in COMPONENTS[component] else ""
        found = config(text + (', "options": ["a"]}' if component == "select" else "}"))
        assert found["name"] == "door" and not {"value_template", "state_value_template"} & set(found)
        assert found.get("state_topic") == (None if component == "button" else "pb_link/pump/state/door")
        assert found.get("command_topic") == (None if "sensor" in component else "pb_link/pump/down")


@pytest.mark.parametrize("component", KEYS)
def test_every_member_arrives_at_home_assistant(component):
    members = {name: SAMPLES[name] for name in COMPONENTS[component]}
    found = config(json.dumps({"announce": component, **members}))
    assert set(found) <= set(KEYS[component].split())
    assert NEEDED.get(component, {"command_topic"}) <= set(found)
    assert set(found["device"]) <= DEVICE_KEYS
    said = {name for name in members if name in KEYS[component].split()}
    assert said <= set(found) and KEYS.keys() == COMPONENTS.keys() - {"device"}


def test_value_that_expires_is_not_retained():
    assert is_retained(parse(b'{"announce": "sensor", "id": "a"}'))
    assert not is_retained(parse(b'{"announce": "sensor", "id": "a", "expire_after": 5}'))
    assert state_topic({"id": "a"}, BASE) == "pb_link/pump/state/a"


def test_switch_sends_and_has_the_same_values():
    found = config('{"announce": "switch", "id": "valve", "value": "v"}')
    assert (json.loads(found["payload_on"]), json.loads(found["payload_off"])) == ({"v": True}, {"v": False})
    assert (found["state_on"], found["state_off"]) == ("ON", "OFF")
    text = '{"announce": "switch", "id": "x", "value": "v", "command": "c", "payload_on": "1", "payload_off": "0"}'
    found = config(text)
    assert (json.loads(found["payload_on"]), found["state_on"]) == ({"c": "1"}, "1")


def test_button_sends_its_id_or_its_command():
    assert json.loads(config('{"announce": "button", "id": "restart"}')["payload_press"]) == {"restart": True}
    text = '{"announce": "button", "id": "r", "command": "do", "payload_press": "it \\"now\\""}'
    assert json.loads(config(text)["payload_press"]) == {"do": 'it "now"'}


@pytest.fixture
def jinja2(missing_tool):
    """What Home Assistant renders templates with; it adds filters of its own."""
    try:
        import jinja2
    except ModuleNotFoundError as error:
        missing_tool(f"{error}: pip install -r requirements-dev.txt")
    return jinja2


def rendered(jinja2, template, value):
    """The command as Home Assistant makes it."""
    return json.loads(jinja2.Environment().from_string(template).render(value=value))


def test_number_sends_a_number_in_its_range(jinja2):
    found = config('{"announce": "number", "id": "level", "value": "l", "min": 5, "unit_of_measurement": "%"}')
    assert (found["min"], found["max"], found["unit_of_measurement"]) == (5, 100, "%")
    assert [rendered(jinja2, found["command_template"], value) for value in (20, 2.5)] == [{"l": 20}, {"l": 2.5}]


def test_select_sends_any_option_as_json(jinja2):
    options = ["eco", 'say "x"', "a'b", "{{ 1 }}", "\u00e9\\", "<&>"]
    found = config(json.dumps({"announce": "select", "id": "m", "value": "mode", "options": options}))
    assert found["options"] == options
    for option in options:
        assert rendered(jinja2, found["command_template"], option) == {"mode": option}


@given(st.lists(st.text(max_size=8), min_size=2, max_size=2, unique=True))
def test_nodes_are_told_apart_and_have_no_other_characters(ids):
    first, second = (node_name(one) for one in ids)
    assert first != second
    assert all(re.fullmatch("[A-Za-z0-9_-]*", one) for one in (first, second))
