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


def test_rule_follows_from_the_word():
    assert word.integer(1, 0, 9).rule == "0 to 9" and word.integer(1, 0, 9, "few").rule == "few"
    assert word.port(1).rule == "a port from 1 to 65535" and word.choice("a", "b").rule == '"a" or "b"'


def test_path_alone_is_relative_to_the_folder_of_the_file():
    path = word.path("", "a path")
    assert path.placed("x", "/folder") == "/folder/x" and path.placed("/x", "/folder") == "/x"
    assert path.placed("", "/folder") == "" and word.text("", "a text").placed("x", "/folder") == "x"
