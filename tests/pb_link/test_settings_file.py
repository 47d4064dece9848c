"""pb_settings.json as people's editors make it: CPython and MicroPython read the same, or name the same fault."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pb_link import settings

MICROPYTHON = False
MICROPYTHON_REASON = "starts processes of both interpreters"

ROOT = Path(__file__).resolve().parents[2]
KEY = "ab" * 32
PASSWORD = "pass word"
GOOD = {"id": "demo", "port": 8123, "server": "10.0.0.2", "ssid": "net", "password": PASSWORD, "key": KEY}
READ = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pb_link.settings import read, Settings
try:
    found = read()
    settings = Settings(found)
    print("good", settings.server, settings.ssid.encode(), found["id"], found.get("pins"))
except (OSError, TypeError, ValueError) as error:
    print(type(error).__name__, error)
"""


def text(**changes):
    return json.dumps({**GOOD, **changes}).encode()


def without(name):
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


PINS = {"i2c": 0, "scl": 1, "sda": 0, "syn": 2, "ack": 3, "rst": None}
TAKEN = {
    "as it should be": text(),
    "with a byte order mark": b"\xef\xbb\xbf" + text(),
    "lines end with CR LF": json.dumps(GOOD, indent=1).replace("\n", "\r\n").encode(),
    "key of upper case, with blanks": text(key=f" {KEY.upper()} "),
    "open network": text(password=""),
    "stored network": text(ssid="", password=""),
    "pins": text(pins=PINS),
    "pins of the board": text(pins=None),
    "longest line": text(max_line=1024),
    "no id": without("id"),
}
REFUSED = {
    "absent": (None, r"OSError .*there is no pb_settings.json in "),
    "empty": (b"", "ValueError pb_settings.json is not valid JSON in UTF-8"),
    "UTF-16": (text().decode().encode("utf-16"), "pb_settings.json is not valid JSON in UTF-8"),
    "another encoding": (text(ssid="@").replace(b"@", b"caf\xe9"), "pb_settings.json is not valid JSON in UTF-8"),
    "cut off": (text()[:-9], "pb_settings.json is not valid JSON in UTF-8"),
    "list": (b"[1]", "pb_settings.json must hold one JSON object"),
    "misspelt name": (text(pasword="x"), "pb_settings.json: there is no setting 'pasword'; there are port, server, "),
    "misspelt pin": (text(pins={**PINS, "sck": 1}), "pb_settings.json: pins: there is no setting 'sck'; there "),
    "pins in a list": (text(pins=["X"]), "pb_settings.json: pins must be an object with i2c, syn, ack, rst"),
    "pin that is none": (text(pins={**PINS, "syn": [2]}), "pb_settings.json: pins: syn must be a name or a number"),
    "port in quotes": (text(port="8123"), "pb_settings.json: port must be a whole number, without quotes"),
    "port too great": (text(port=70000), "pb_settings.json: port is 70000, not 1..65535"),
    "time-out of nothing": (text(timeout_ms=0), "pb_settings.json: timeout_ms is 0, not 200..600000"),
    "line too short": (text(max_line=5), "pb_settings.json: max_line is 5, not 128..8192"),
    "ssid too long": (text(ssid="x" * 33), "pb_settings.json: ssid has 33 bytes of UTF-8, 32 at most"),
    "ssid of two bytes a character": (text(ssid="\u00e9" * 17), "pb_settings.json: ssid has 34 bytes of UTF-8"),
    "password too short": (text(password="secret1"), "pb_settings.json: password has 7 bytes. Wi-Fi takes 8 to 63"),
    "password too long": (text(password="secret" * 11), "pb_settings.json: password has 66 bytes of UTF-8, 64 at"),
    "password with a line feed": (text(password="secretword\n"), "pb_settings.json: password has a control character"),
    "password of 64, no digits": (text(password="s" * 64), "pb_settings.json: password has 64 bytes. Wi-Fi takes"),
    "password without an ssid": (text(ssid=""), "pb_settings.json: there is a password without an ssid"),
    "server with a scheme": (text(server="http://10.0.0.2"), "pb_settings.json: server has the character ':'"),
    "server with a port of no number": (text(server="10.0.0.2:x"), "pb_settings.json: server has the character ':'"),
    "server with a port that is none": (text(server="a, b:0"), "pb_settings.json: server: port is 0, not 1..65535"),
    "server twice": (text(server=["a", "a"]), "pb_settings.json: server has an address twice"),
    "server with a blank": (text(server="10.0.0.2 "), "pb_settings.json: server has the character ' '"),
    "server of IPv6": (text(server="fe80::1"), "pb_settings.json: server has the character ':'.* an IPv4 address"),
    "no server": (text(server=""), "pb_settings.json: server is empty"),
    "server that is null": (text(server=None), "pb_settings.json: server must be a str, or a list of"),
    "id of a number": (text(id=5), "pb_settings.json: the client id must be a str"),
    "empty id": (text(id=""), "pb_settings.json: the client id is empty"),
    "key cut off": (text(key=KEY[:-2]), "pb_settings.json: the key has 31 bytes instead of 32"),
    "key of other characters": (text(key="z" * 64), "pb_settings.json: the key is not 64 hexadecimal digits"),
}


@pytest.fixture(params=["CPython", "MicroPython"])
def read(request, tmp_path):
    """A function that writes the file and returns what a program of this interpreter says that reads it."""
    python = sys.executable if request.param == "CPython" else request.getfixturevalue("micropython64")

    def said(data):
        if data is not None:
            (tmp_path / "pb_settings.json").write_bytes(data)
        done = subprocess.run([python, "-c", READ], cwd=tmp_path, capture_output=True, text=True)
        assert not done.stderr, done.stderr
        return done.stdout.replace("FileNotFoundError", "OSError")

    return said


def test_file_of_any_editor_is_read(read):
    for case, data in TAKEN.items():
        said = read(data)
        network = b"" if case == "stored network" else b"net"
        assert said.startswith(f"good 10.0.0.2 {network} demo "), f"{case}: {said}"


def test_fault_of_the_file_is_named_with_the_file_and_without_a_secret(read):
    for case, (data, fault) in REFUSED.items():
        said = read(data)
        assert re.search(fault, said) and said.count("\n") == 1, f"{case}: {said}"
        for secret in (KEY, PASSWORD, "secret", "z" * 10, "s" * 10):
            assert secret not in said, case


def test_line_of_a_json_fault_is_told_where_the_interpreter_knows_it(tmp_path):
    (tmp_path / "s.json").write_text('{\n "port": 8123,\n}')
    with pytest.raises(ValueError, match=r"s.json is not valid JSON in UTF-8: see line 3$"):
        settings.read(str(tmp_path / "s.json"))


def test_table_of_the_document_has_each_setting_with_its_default():
    document = (ROOT / "docs" / "hardware.md").read_text(encoding="utf-8")
    section = document.partition("## The settings: pb_settings.json")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE)
    absent = re.search(r"there are (.*)", str(pytest.raises(ValueError, settings.Settings, {"x": 1}).value))[1]
    assert sorted(name for name, _ in rows) == sorted(absent.split(", "))
    for name, default in rows:
        if name in settings.DEFAULTS:
            assert default == f"`{json.dumps(settings.DEFAULTS[name])}`"
    for low, high in ((1, 65535), (200, 600000), (0, 86400), (128, 8192)):
        assert f"{low:,} to {high:,}" in section
