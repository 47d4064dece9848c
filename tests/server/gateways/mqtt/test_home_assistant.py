"""What a client's announcement becomes, and which are none."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateways.mqtt.home_assistant import MAX_ANNOUNCEMENT, discovery_message, is_announcement, node_name


def message(text, client_id="pump"):
    line = text.encode()
    assert is_announcement(line)
    return discovery_message(line, client_id, "pb_link/" + client_id, "homeassistant")


def test_announcement_becomes_what_home_assistant_expects():
    topic, payload = message(
        '{"announce": "sensor", "id": "t1", "name": "Boiler", "value": "t", "device_class": "temperature",'
        ' "unit_of_measurement": "°C", "state_class": "measurement", "expire_after": 600}'
    )
    assert topic == "homeassistant/sensor/pb__link_2Fpump/t1/config"
    assert json.loads(payload) == {
        "name": "Boiler",
        "device_class": "temperature",
        "unit_of_measurement": "°C",
        "state_class": "measurement",
        "expire_after": 600,
        "value_template": "{{ value_json.t | default(this.state) }}",
        "unique_id": "pb__link_2Fpump_t1",
        "state_topic": "pb_link/pump/up",
        "qos": 1,
        "availability_topic": "pb_link/pump/status",
        "payload_available": "online",
        "payload_not_available": "offline",
        "device": {"identifiers": ["pb__link_2Fpump"], "name": "pump"},
        "origin": {"name": "pb_link"},
    }


def test_least_announcement_takes_the_whole_line_as_value():
    _, payload = message('{"announce":"binary_sensor","id":"door"}')
    config = json.loads(payload)
    assert config["name"] == "door" and "value_template" not in config


def test_removal_is_an_empty_message():
    assert message('{"announce": "sensor", "id": "t1", "remove": true}')[1] == b""
    assert message('{"announce": "sensor", "id": "t1", "remove": false}')[1] != b""


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"announce": "light", "id": "a"}', "announce must be one of sensor, binary_sensor"),
        ('{"announce": ["sensor"], "id": "a"}', "announce must be"),
        ('{"announce": "sensor"}', "no id"),
        ('{"announce": "sensor", "id": "a/b"}', "id is not"),
        ('{"announce": "sensor", "id": "a", "name": ""}', "name is not"),
        ('{"announce": "sensor", "id": "a", "name": "a\\u0000b"}', "name is not"),
        ('{"announce": "sensor", "id": "a", "name": "\\ud800"}', "name is not"),
        ('{"announce": "sensor", "id": "a", "value": "t }} {{ states"}', "value is not"),
        ('{"announce": "sensor", "id": "a", "expire_after": true}', "expire_after is not"),
        ('{"announce": "sensor", "id": "a", "expire_after": NaN}', "expire_after is not"),
        ('{"announce": "sensor", "id": "a", "payload_on": "1"}', "no member 'payload_on'"),
        ('{"announce": "sensor", "id": "a", "state_topic": "x"}', "no member 'state_topic'"),
        ('{"announce": "sensor", "id": "a"', "not JSON"),
        ('{"announce": ' + "[" * (MAX_ANNOUNCEMENT - 20), "not JSON"),
        ('{"announce": "sensor", "id": "a", "name": "' + "x" * MAX_ANNOUNCEMENT + '"}', "bytes, the longest is"),
    ],
)
def test_announcement_that_is_none_is_told_why(text, error):
    with pytest.raises(ValueError, match=error):
        message(text)


@pytest.mark.parametrize("text", ["", "{}", '{"t": 1, "announce": "sensor"}', "announce", '["announce"]'])
def test_other_lines_are_no_announcements(text):
    assert not is_announcement(text.encode())


@given(st.binary(max_size=200))
def test_whatever_follows_is_a_message_or_an_error_with_a_reason(rest):
    line = b'{"announce": ' + rest
    try:
        topic, payload = discovery_message(line, "pump", "pb_link/pump", "homeassistant")
    except ValueError as error:
        assert str(error)
    else:
        assert topic.endswith("/config") and isinstance(payload, bytes)


@given(st.lists(st.text(max_size=8), min_size=2, max_size=2, unique=True))
def test_nodes_are_told_apart_and_have_no_other_characters(ids):
    first, second = (node_name(one) for one in ids)
    assert first != second
    assert all(re.fullmatch("[A-Za-z0-9_-]*", one) for one in (first, second))
