"""The texts that Home Assistant gets for the values of a line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateways.mqtt.announcement import check
from server.gateways.mqtt.states import MAX_STATE, states


def entity(component, **members):
    found = {"announce": component, "id": "e", **members}
    check(found)
    return found


def values(line, **members):
    """What `states` tells of one entity: its texts, and its reasons."""
    found = states(line if isinstance(line, bytes) else line.encode(), [entity(**members)])
    return [text if reason is None else reason for _, text, reason in found]


TEXT = {"component": "sensor", "value": "v"}
NUMERIC = {**TEXT, "unit_of_measurement": "K"}
BINARY = {"component": "binary_sensor", "value": "v"}
SWITCH = {"component": "switch", "value": "v", "payload_on": "open", "payload_off": "shut"}
NUMBER = {"component": "number", "value": "v", "min": -5, "max": 5}
SELECT = {"component": "select", "value": "v", "options": ["eco", "1"]}


@pytest.mark.parametrize(
    ("members", "value", "text"),
    [
        (TEXT, '"open"', "open"),
        (TEXT, "true", "true"),
        (TEXT, "20.50", "20.5"),
        (TEXT, '{"a": [1, "\u00e9"]}', '{"a": [1, "\u00e9"]}'),
        (TEXT, "null", "None"),
        (NUMERIC, "341.5", "341.5"),
        (NUMERIC, "-1e-7", "-1e-07"),
        (NUMERIC, '" 5"', None),
        (NUMERIC, '"5.20"', "5.20"),
        (NUMERIC, "null", "None"),
        ({**TEXT, "state_class": "measurement"}, "212", "212"),
        ({**TEXT, "device_class": "temperature"}, "212", "212"),
        ({**TEXT, "device_class": "enum"}, '"warm"', "warm"),
        ({**TEXT, "device_class": "timestamp"}, '"2030-12-31T23:59:59+01:00"', "2030-12-31T23:59:59+01:00"),
        ({**TEXT, "device_class": "date"}, '"2030-12-31"', "2030-12-31"),
        (BINARY, "true", "ON"),
        (BINARY, "false", "OFF"),
        (BINARY, '"ON"', "ON"),
        ({**BINARY, "payload_on": "true", "payload_off": "false"}, "true", "true"),
        ({**BINARY, "payload_on": "false", "payload_off": "true"}, "true", "true"),  # active low
        ({**BINARY, "payload_on": "1", "payload_off": "0"}, "1", "1"),
        ({**BINARY, "payload_on": "1", "payload_off": "0"}, "false", "0"),
        (SWITCH, "true", "open"),
        (SWITCH, '"shut"', "shut"),
        (SWITCH, "null", "None"),
        (NUMBER, "5", "5"),
        (NUMBER, "-4.5", "-4.5"),
        (SELECT, '"eco"', "eco"),
        (SELECT, "1", "1"),
    ],
)
def test_value_becomes_the_text_of_the_json(members, value, text):
    found = values('{"v": %s}' % value, **members)
    assert found == [text] if text is not None else found != []


@pytest.mark.parametrize(
    ("members", "value", "reason"),
    [
        (NUMERIC, '"warm"', "must be a number"),
        (NUMERIC, "true", "must be a number"),
        (NUMERIC, "[1]", "must be a number"),
        (NUMERIC, '" 5"', "must be a number"),
        (NUMERIC, '"1_000"', "must be a number"),
        (NUMERIC, '"nan"', "must be a number"),
        (NUMERIC, '"\u0663"', "must be a number"),
        (NUMERIC, "1e999", "must be a number"),
        (NUMERIC, "1" + "0" * 400, f"has 401 characters, the longest is {MAX_STATE}"),
        (TEXT, json.dumps("x" * 256), "has 256 characters"),
        (TEXT, '"\\ud800"', "is not valid text"),
        ({**TEXT, "device_class": "timestamp"}, '"2030-12-31T23:59:59"', "must be a timestamp such as 2030-"),
        ({**TEXT, "device_class": "date"}, '"tomorrow"', "must be a date such as 2030-12-31"),
        (BINARY, '"open"', "must be true, false, ON or OFF"),
        (BINARY, "1", "must be true, false, ON or OFF"),
        (NUMBER, "5.1", "must be -5 to 5"),
        (NUMBER, '"x"', "must be a number"),
        (SELECT, '"comfort"', "must be one of the options"),
    ],
)
def test_value_that_the_entity_cannot_have_is_told_and_not_published(members, value, reason):
    assert values('{"v": %s}' % value, **members)[0].startswith(f"v of e {reason}")


@pytest.mark.parametrize(
    "line", ["ping", '{"other": 1}', "[1, 2]", "5", "null", '"v"', "", b"\xff", '{"v": NaN}', '{"v": ']
)
def test_line_without_the_member_tells_nothing(line):
    for members in (TEXT, NUMERIC, BINARY, NUMBER):
        assert values(line, **members) == []


@pytest.mark.parametrize(
    ("members", "line", "expected"),
    [
        ({}, "ping", ["ping"]),
        ({}, "[1, 2]", ["[1, 2]"]),
        ({}, '{"v": 1}', []),  # of other entities
        ({"unit_of_measurement": "K"}, "20.5", ["20.5"]),
        ({"unit_of_measurement": "K"}, "ping", []),
        ({"unit_of_measurement": "K"}, "null", ["None"]),
    ],
)
def test_entity_without_a_member_has_the_lines_that_fit(members, line, expected):
    assert values(line, component="sensor", **members) == expected
    assert values("true", component="binary_sensor") == ["ON"] and values("ping", component="binary_sensor") == []


def test_button_has_no_value():
    assert values("ping", component="button") == []


@given(st.one_of(st.binary(max_size=100), st.text(max_size=100).map(lambda text: json.dumps({"v": text}).encode())))
def test_whatever_the_line_is_there_is_a_text_or_a_reason(line):
    for members in (TEXT, NUMERIC, BINARY, SWITCH, NUMBER, SELECT, {"component": "sensor"}):
        for text in values(line, **members):
            assert isinstance(text, str) and text.encode() is not None
