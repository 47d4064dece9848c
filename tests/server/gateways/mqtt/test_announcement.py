"""Which lines are announcements, and what is wrong with others."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateways.mqtt.announcement import COMPONENTS, MAX_ANNOUNCEMENT, is_announcement, parse


def parsed(text):
    line = text.encode()
    assert is_announcement(line)
    return parse(line)


@pytest.mark.parametrize(
    "text",
    [
        '{"announce":"sensor","id":"a"}',
        ' { "announce" : "binary_sensor", "id": "a", "payload_on": "open", "payload_off": "shut", "expire_after": 60}',
        '{"announce": "switch", "id": "a", "value": "v", "command": "set_v", "device_class": "outlet"}',
        '{"announce": "number", "id": "a", "value": "v", "min": -5, "max": 30.5, "step": 0.5, "mode": "box"}',
        '{"announce": "select", "id": "a", "value": "v", "options": ["eco", "comfort"]}',
        '{"announce": "button", "id": "a", "device_class": "restart", "payload_press": "now"}',
        '{"announce": "device", "name": "Boiler", "model": "B1", "release": "1.2"}',
        '{"announce": "device"}',
        '{"announce": "switch", "id": "a", "remove": true}',
    ],
)
def test_announcement_is_taken_as_it_is(text):
    assert parsed(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"announce": "light", "id": "a"}', f"announce must be one of {', '.join(COMPONENTS)}"),
        ('{"announce": ["sensor"], "id": "a"}', "announce must be"),
        ('{"announce": "sensor"}', "no id"),
        ('{"announce": "sensor", "id": "a/b"}', "id must be 1 to 32 of A-Za-z0-9_-"),
        ('{"announce": "sensor", "id": "a", "name": ""}', "name must be a text of 1 to 64 printable characters"),
        ('{"announce": "sensor", "id": "a", "name": "a\\u0000b"}', "name must be"),
        ('{"announce": "sensor", "id": "a", "name": "\\ud800"}', "name must be"),
        ('{"announce": "sensor", "id": "a", "value": "t }} {{ states"}', "value must be the name of a member"),
        ('{"announce": "sensor", "id": "a", "expire_after": true}', "expire_after must be a whole number of seconds"),
        ('{"announce": "sensor", "id": "a", "expire_after": NaN}', "expire_after must be"),
        ('{"announce": "sensor", "id": "a", "payload_on": "1"}', "a sensor has no member 'payload_on'; it has id, "),
        ('{"announce": "sensor", "id": "a", "state_topic": "x"}', "no member 'state_topic'"),
        ('{"announce": "sensor", "id": "a", "value_template": "x"}', "no member 'value_template'"),
        ('{"announce": "switch", "id": "a"}', "a switch must have value"),
        ('{"announce": "switch", "id": "a", "value": "v", "payload_on": "OFF"}', "payload_off must be different"),
        ('{"announce": "binary_sensor", "id": "a", "payload_on": "x", "payload_off": "x"}', "must be different"),
        ('{"announce": "number", "id": "a", "value": "v", "min": 100}', r"min \(100\) must be less than max \(100\)"),
        ('{"announce": "number", "id": "a", "value": "v", "max": 1e999}', "max must be a number"),
        ('{"announce": "number", "id": "a", "value": "v", "step": 0}', "step must be a number from 0.001 on"),
        ('{"announce": "number", "id": "a", "value": "v", "mode": "knob"}', "mode must be auto, box or slider"),
        ('{"announce": "select", "id": "a", "value": "v"}', "a select must have options"),
        ('{"announce": "select", "id": "a", "value": "v", "options": []}', "options must be a list of 1 to 32 texts"),
        ('{"announce": "select", "id": "a", "value": "v", "options": [1]}', "options must be"),
        ('{"announce": "button", "id": "a", "value": "v"}', "a button has no member 'value'"),
        ('{"announce": "device", "id": "a"}', "a device has no member 'id'"),
        ('{"announce": "device", "remove": true}', "a device has no member 'remove'"),
        ('{"announce": "sensor", "id": "a", "remove": 1}', "remove must be true or false"),
        ('{"announce": "sensor", "id": "a"', "not JSON"),
        ('{"announce": ' + "[" * (MAX_ANNOUNCEMENT - 20), "not JSON"),
        ('{"announce": "sensor", "id": "a", "name": "' + "x" * MAX_ANNOUNCEMENT + '"}', "bytes, the longest is"),
    ],
)
def test_announcement_that_is_none_is_told_why(text, error):
    with pytest.raises(ValueError, match=error):
        parsed(text)


@pytest.mark.parametrize("text", ["", "{}", '{"t": 1, "announce": "sensor"}', "announce", '["announce"]'])
def test_other_lines_are_no_announcements(text):
    assert not is_announcement(text.encode())


@given(st.binary(max_size=200))
def test_whatever_follows_is_an_announcement_or_an_error_with_a_reason(rest):
    try:
        members = parse(b'{"announce": ' + rest)
    except ValueError as error:
        assert str(error)
    else:
        assert members["announce"] in COMPONENTS
