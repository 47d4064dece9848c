"""What a client must be told, and that errors name the item and show no secret."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pb_link.limits import MIN_RECEIVE_BYTES
from pb_link.settings import DEFAULTS, NAMES, PINS, Settings, pins_of, read, read_or_create
from protocol import control
from protocol.limits import MAX_LINE, MIN_LINE, RECEIVE_BYTES
from protocol.receive_space import receive_bytes

MICROPYTHON = False
MICROPYTHON_REASON = "uses pytest"

ROOT = Path(__file__).resolve().parents[2]
KEY = bytes(range(100, 132))
PASSWORD = "pass word"
GOOD = [8123, "192.168.0.10", 1500, 10, "network", PASSWORD, KEY]


def everything_in(error):
    """All that somebody who has the exception can find in it and in those that led to it."""
    found = []
    while error is not None:
        found += [repr(error), repr(vars(error)), repr(getattr(error, "object", "")), repr(getattr(error, "doc", ""))]
        error = error.__cause__ or error.__context__
    return "".join(found)


def changed(name, value):
    config = list(GOOD)
    config[NAMES.index(name)] = value
    return config


def test_list_and_dict_say_the_same():
    for config in (GOOD, tuple(GOOD), dict(zip(NAMES, GOOD, strict=True)), changed("key", KEY.hex())):
        settings = Settings(config)
        assert [getattr(settings, name) for name in NAMES] == GOOD


def test_empty_ssid_and_password_mean_the_stored_network():
    config = changed("ssid", "")
    config[NAMES.index("password")] = ""
    assert Settings(config).ssid == ""


def test_open_network_has_an_ssid_only():
    assert Settings(changed("password", "")).ssid == "network"


def test_password_without_an_ssid_is_an_error_that_does_not_show_it():
    with pytest.raises(ValueError, match="password without an ssid") as caught:
        Settings(changed("ssid", ""))
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("count", range(len(NAMES)))
def test_absent_item_is_an_error_that_names_it(count):
    with pytest.raises(ValueError, match=f"{NAMES[count]} is absent"):
        Settings(GOOD[:count])
    named = dict(zip(NAMES, GOOD, strict=True))
    del named[NAMES[count]]
    with pytest.raises(ValueError, match=f"{NAMES[count]} is absent"):
        Settings(named)


BAD = [
    *[("port", value) for value in (0, -1, 65536, "8123", 1.0, None, True)],
    *[("timeout_ms", value) for value in (0, 199, 600001, "1500", None)],
    *[("report_s", value) for value in (-1, 86401, "10", None)],
    *[("server", value) for value in ("", None, 5, b"host", "x" * 256, "host\0")],
    *[("server", value) for value in ("http://10.0.0.2", "10.0.0.2:", ":8123", "fe80::1", "10.0.0.2 ", "a\tb", "a/b")],
    *[("server", value) for value in ("a:0", "a:65536", "a:\u0661", "a:\u00b2", "a:1:2", "a:-1", "a: 1", "a:+1")],
    *[("server", value) for value in ("a,", ",a", "a,,b", "a, b,", "a,a", "a, a", "a b", "a,http://b", [], ["a", 5])],
    *[("server", value) for value in (["a", ""], ["a", " b"], ["a,b"], [["a"]], ",".join("abcdefghi"))],
    *[("server", value) for value in ("caf\u00e9.example", "\u212aelvin", "\uff11.2.3.4", "host\n")],
    *[("ssid", value) for value in (None, 5, b"net", "x" * 33, "\u20ac" * 11, "net\0work")],
    *[("password", value) for value in (None, 5, b"secret word", "x" * 65, "\u20ac" * 22, "sec\0ret word")],
    *[("password", value) for value in ("x", "x" * 7, "\u20ac\u20ac", "x" * 64, "0" * 63 + "g", "\u0661" * 32)],
    *[("key", value) for value in (None, "", 5, KEY[:31], KEY.hex()[:62], "z" * 64)],
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=range(len(BAD)))
def test_bad_item_is_an_error_that_names_it(name, value):
    with pytest.raises((TypeError, ValueError), match=name) as caught:
        Settings(changed(name, value))
    assert KEY.hex()[:16] not in str(caught.value)


def test_ssid_and_password_may_be_as_long_as_the_chip_stores_them_and_no_longer():
    """It cut them silently, and looked for another network."""
    for name, longest, text in (("ssid", 32, "x"), ("ssid", 32, "\u20ac"), ("password", 64, "a"), ("server", 255, "x")):
        text = text * (longest // len(text.encode()))
        text += "x" * (longest - len(text.encode()))
        assert getattr(Settings(changed(name, text)), name) == text
        with pytest.raises(ValueError, match=f"{name} has {longest + 1} bytes of UTF-8, {longest} at") as caught:
            Settings(changed(name, text + "x"))
        assert text not in everything_in(caught.value)


def test_password_has_8_to_63_bytes_or_64_hexadecimal_digits():
    for good in ("x" * 8, "x" * 63, "\u20ac" * 21, "0123456789abcdefABCDEF" + "0" * 42, " " * 8):
        assert Settings(changed("password", good)).password == good
    for bad in ("1234567", "x" * 64, "0123456789abcdefABCDEF" + "0" * 41 + "g"):
        with pytest.raises(ValueError, match="Wi-Fi takes 8 to 63, or 64 digits") as caught:
            Settings(changed("password", bad))
        assert bad not in everything_in(caught.value)


def test_server_is_a_name_or_an_ipv4_address_alone():
    for good in ("10.0.0.2", "Server.example.org", "my_server", "xn--caf-dma.example"):
        assert Settings(changed("server", good)).server == good
    for bad, character in (("http://10.0.0.2", ":"), ("10.0.0.2 ", " "), ("host/x", "/"), (PASSWORD, " ")):
        with pytest.raises(ValueError, match=f"server has the character {character!r}. Write") as caught:
            Settings(changed("server", bad))
        assert bad not in everything_in(caught.value)  # it may be what belongs elsewhere


def places(settings):
    """[(port, host)] of the CONFIG records."""
    records = []
    while record := settings.record(len(records)):
        records.append(record)
    assert records[0] == settings.record()
    return [control.decode_config(record)[:2] for record in records]


def test_server_may_be_several_addresses_each_with_its_port():
    several = [(8123, "10.0.0.2"), (8124, "b.example"), (8123, "c")]
    for value in ("10.0.0.2,b.example:8124,c", "10.0.0.2, b.example:8124,  c", ["10.0.0.2", "b.example:8124", "c"]):
        settings = Settings(changed("server", value))
        assert settings.server == "10.0.0.2, b.example:8124, c"
        assert places(settings) == several
    alone = Settings(changed("server", "b:1"))
    assert places(alone) == [(1, "b")]
    assert len(places(Settings(changed("server", ",".join("abcdefgh"))))) == 8
    with pytest.raises(ValueError, match="server has 9 addresses, not 1..8"):
        Settings(changed("server", ",".join("abcdefghi")))


def test_name_that_no_setting_has_is_an_error_that_lists_those_there_are():
    named = dict(zip(NAMES, GOOD, strict=True))
    for wrong in ("pasword", "sid", "KEY", 5):
        with pytest.raises(ValueError, match="there is no setting .*; there are port, server, .*, pins"):
            Settings({**named, wrong: ""})
    with pytest.raises(ValueError, match="there is no setting of that name") as caught:
        Settings({**named, KEY.hex(): "key"})
    assert KEY.hex() not in everything_in(caught.value)
    with pytest.raises(ValueError, match="8 items, not 7"):
        Settings([*GOOD, 1])


def test_text_that_is_not_unicode_is_an_error_that_names_the_item_and_does_not_hold_it():
    with pytest.raises(ValueError, match="password") as caught:
        Settings(changed("password", PASSWORD + "\ud800"))
    assert PASSWORD not in everything_in(caught.value)


def test_surrogate_pairs_in_texts_are_the_characters_that_they_stand_for():
    for name in ("ssid", "password"):
        assert getattr(Settings(changed(name, "caf\u00e9 \ud83d\ude00")), name) == "caf\u00e9 \U0001f600"


@pytest.mark.parametrize("escaped", [True, False])
def test_file_is_utf8_whatever_the_encoding_of_the_system(tmp_path, escaped):
    text = json.dumps({"ssid": "caf\u00e9 \U0001f600"}, ensure_ascii=escaped)
    (tmp_path / "s.json").write_text(text, encoding="utf-8")
    code = "from pb_link.settings import read; print(ascii(read('s.json')['ssid']))"
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **ascii_only}, capture_output=True, text=True)
    assert done.stdout == ascii("caf\u00e9 \U0001f600") + "\n", done.stderr


@pytest.mark.parametrize("config", [None, "config", 5, {1, 2}])
def test_config_of_another_type_is_an_error(config):
    with pytest.raises(TypeError, match="config"):
        Settings(config)


def test_repr_shows_nothing_secret():
    settings = Settings(GOOD)
    for text in (repr(settings), str(settings), f"{settings}"):
        assert "192.168.0.10" in text
        for secret in (PASSWORD, KEY.hex()[:16], repr(KEY)[2:20]):
            assert secret not in text


# The file


def test_file_fills_in_the_defaults(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"port": 9000, "key": KEY.hex()}))
    assert read(str(path)) == {**DEFAULTS, "port": 9000, "key": KEY.hex()}


def test_absent_file_is_an_error_that_says_where_it_is_absent(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"there is no pb_settings.json in {tmp_path}: `pb-link init NAME`"):
        read()


def test_file_that_cannot_be_read_is_neither_absent_nor_made_anew(tmp_path):
    with pytest.raises(IsADirectoryError):
        read_or_create(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", '"text"', f'{{"key": "{KEY.hex()}"'])
def test_bad_file_is_an_error_that_names_it(tmp_path, text):
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="s.json") as caught:
        read(str(path))
    assert KEY.hex() not in str(caught.value)


@pytest.mark.parametrize("end", ["", "\n]", "\udcff}"], ids=["cut off", "garbled", "not UTF-8"])
def test_error_about_a_bad_file_leads_to_no_secret(tmp_path, end):
    path = tmp_path / "s.json"
    text = json.dumps({"key": KEY.hex(), "ssid": "x", "password": PASSWORD}).rstrip("}") + end
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ValueError, match="s.json is not valid JSON") as caught:
        read(str(path))
    for secret in (KEY.hex(), PASSWORD):
        assert secret not in everything_in(caught.value)


def test_file_is_made_once_with_a_key_of_its_own(tmp_path):
    path, other = str(tmp_path / "s.json"), str(tmp_path / "t.json")
    made, created = read_or_create(path)
    again, created_again = read_or_create(path)
    assert (created, created_again) == (True, False) and again == made
    assert len(bytes.fromhex(made["key"])) == 32
    assert read_or_create(other)[0]["key"] != made["key"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert Settings({name: made[name] for name in NAMES}).port == 8123


def test_line_without_a_pin_is_an_error_but_for_reset():
    own = {"i2c": 1, "syn": 2, "ack": 3, "rst": None}
    for name in ("i2c", "syn", "ack"):
        with pytest.raises(ValueError, match=f"pins has no {name}"):
            pins_of({"pins": {**own, name: None}}, "rp2")


def test_pins_are_those_of_the_settings_or_of_the_platform():
    own = {"i2c": 1, "scl": 7, "sda": 6, "syn": 2, "ack": 3, "rst": None}
    assert pins_of({"pins": own}, "pyboard") == own
    assert pins_of({}, "rp2") == PINS["rp2"]


@pytest.mark.parametrize(
    ("settings", "platform", "said"),
    [
        ({}, "esp32", "none known for a board esp32"),
        ({"pins": ["X"]}, "pyboard", "must be an object"),
        ({"pins": {"i2c": "X", "syn": "X11", "ack": "Y8"}}, "pyboard", "has no rst"),
    ],
)
def test_pins_that_cannot_be_used_are_named(settings, platform, said):
    with pytest.raises((TypeError, ValueError), match=said):
        pins_of(settings, platform)


def test_receive_space_holds_two_of_the_longest_lines_within_bounds():
    named = dict(zip(NAMES, GOOD, strict=True))
    for max_line, space in ((MIN_LINE, MIN_RECEIVE_BYTES), (3000, 2 * receive_bytes(3000)), (MAX_LINE, RECEIVE_BYTES)):
        assert Settings({**named, "max_line": max_line}).receive_bytes == space


def test_longest_line_is_optional_and_checked():
    named = dict(zip(NAMES, GOOD, strict=True))
    assert Settings(named).max_line == Settings(GOOD).max_line == MAX_LINE  # where the heap is not known to be small
    for value in (MIN_LINE, 2048, MAX_LINE):
        assert Settings({**named, "max_line": value}).max_line == value
    assert Settings({**named, "max_line": 0}).max_line == MAX_LINE
    for value in (MIN_LINE - 1, MAX_LINE + 1, -1):
        with pytest.raises(ValueError, match="max_line"):
            Settings({**named, "max_line": value})
    for value in ("2048", 2048.0, True):
        with pytest.raises(TypeError, match="max_line"):
            Settings({**named, "max_line": value})
