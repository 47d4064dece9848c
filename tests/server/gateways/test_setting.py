"""The words of settings: what fits, and what an error says."""

import pytest

from server.gateways import setting as word

IDS = word.client_ids("a list of ids")


@pytest.mark.parametrize(
    ("setting", "good", "bad"),
    [
        (word.integer(3, 1, 5), [1, 5], [0, 6, True, 1.0, "1", None]),
        (word.seconds(3, 1, 5), [1, 5], [0, 6, 2.5]),
        (word.port(8123), [1, 65535], [0, 65536, -1]),
        (word.boolean(False), [True, False], [0, 1, "true"]),
        (word.text("x", "a text"), ["y"], ["", 1, None]),
        (word.text("", "a text"), ["", "y"], [1]),
        (word.text("", "digits", str.isdecimal), ["", "1"], ["x"]),
        (word.text("1", "digits", str.isdecimal), ["2"], ["x", ""]),
        (word.path("x", "a path"), ["/x"], ["", 1]),
        (word.path("", "a path"), ["", "x"], [1]),
        (word.choice("a", "b"), ["a", "b"], ["c", "", "ab", 1]),
        (word.host_port("", "HOST:PORT"), ["", "x:1", "::1:65535"], ["x", "x:0", ":1", "x:65536", "x:", "x:+1", "1"]),
        (word.host_port("x:1", "HOST:PORT"), ["y:2"], [""]),
        (word.texts("texts", str.isdecimal), [[], ["1", "2"]], ["1", [1], ["x"], [""]]),
        (IDS, [[], ["a", "b c"]], ["a", ["a\nb"], [1], [""], ("a",), {"a": 1}]),
    ],
)
def test_value_fits_or_the_error_says_what_it_must_be(setting, good, bad):
    setting.validate("x", setting.default)
    for value in good:
        setting.validate("x", value)
    for value in bad:
        with pytest.raises(ValueError) as raised:
            setting.validate("x", value)
        assert str(raised.value) == f"x = {value!r} must be {setting.rule}"


TABLES = word.Tables(
    {"bus": word.text(None, "a bus"), "ms": word.integer(5, 1, 9), "to": word.path("", "a path")}, "tables"
)


def test_tables_have_the_same_settings_each():
    found = {"1": {"bus": "x", "to": "y"}, "2": {"bus": "z", "ms": 9}}
    TABLES.validate("buses", found)
    first, second = TABLES.placed(found, "/folder").values()
    assert (first.bus, first.ms, first.to) == ("x", 5, "/folder/y")
    assert (second.bus, second.ms, second.to) == ("z", 9, "")
    assert TABLES.default == {}


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ([], "buses = [] must be tables"),
        ({"1": 5}, "buses.1 = 5 must be a table, [..buses.1]"),
        ({"1": {}}, "buses.1 needs bus: a bus"),
        ({"1": {"bus": 5}}, "buses.1.bus = 5 must be a bus"),
        ({"1": {"bus": "x", "ms": 10}}, "buses.1.ms = 10 must be 1 to 9"),
        ({"1": {"bus": "x", "s": 1}}, "buses.1 has no setting 's'; there are bus, ms, to"),
        ({"": {"bus": "x"}}, "buses = {'': {'bus': 'x'}} must be tables"),
    ],
)
def test_fault_in_a_table_is_told_with_its_place(value, error):
    with pytest.raises(ValueError) as raised:
        TABLES.validate("buses", value)
    assert str(raised.value) == error


def test_rule_follows_from_the_word():
    assert word.integer(1, 0, 9).rule == "0 to 9" and word.integer(1, 0, 9, "few").rule == "few"
    assert word.port(1).rule == "a port from 1 to 65535" and word.choice("a", "b").rule == '"a" or "b"'


def test_path_alone_is_relative_to_the_folder_of_the_file():
    path = word.path("", "a path")
    assert path.placed("x", "/folder") == "/folder/x" and path.placed("/x", "/folder") == "/x"
    assert path.placed("", "/folder") == "" and word.text("", "a text").placed("x", "/folder") == "x"
