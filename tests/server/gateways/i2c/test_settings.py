"""The section [i2c]: its buses, and what of it does not go together."""

import json
import re
from pathlib import Path

import pytest

from remote_i2c.bus import TRANSFER_MS
from remote_i2c.shared import HOLD_MS, MAX_HOLD_MS, MAX_WAIT_MS, WAIT_MS
from remote_i2c.smbus_client.recovery import TIMEOUT_S
from remote_i2c.web.session import CALL_MS
from server.gateways.i2c.settings import DESCRIPTION
from server.gateways.setting import SettingsError, Tables
from server.service import settings

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "remote-i2c.md"


def read(tmp_path, text):
    file = tmp_path / "x.toml"
    file.write_text(text)
    return settings.read(str(file)).gateways.get("i2c")


def refused(tmp_path, text):
    with pytest.raises(SettingsError) as raised:
        read(tmp_path, text)
    return str(raised.value)


def test_buses_have_names_and_limits(tmp_path):
    found = read(
        tmp_path,
        """
[i2c]
smbus_listen = "127.0.0.1:50051"
[i2c.buses.1]
bus = "/dev/i2c-1"
addresses = "0x48, 0x20-0x27"
hold_ms = 500
[i2c.buses.mast]
bus = "client:pump:0"
[i2c.buses.desk]
bus = "sim:plan.json"
""",
    )
    assert list(found.buses) == ["1", "mast", "desk"]
    first, mast, desk = found.buses.values()
    assert (first.bus, first.addresses, first.hold_ms, first.wait_ms) == ("/dev/i2c-1", "0x48, 0x20-0x27", 500, 5000)
    assert (mast.bus, mast.addresses) == ("client:pump:0", "")  # nothing is allowed that was not named
    assert desk.bus == f"sim:{tmp_path}/plan.json"
    assert (found.smbus_listen, found.web_listen, found.smbus_expiry_s) == ("127.0.0.1:50051", "", 5)


@pytest.mark.parametrize(
    "lines, told",
    [
        ("[i2c]\n", "there is no bus: add one as [i2c.buses.1]"),
        ("[i2c]\nbuses = 1\n", "line 2: buses = 1 must be tables by name"),
        ("[i2c.buses.1]\n", 'buses.1 needs bus: "/dev/i2c-1", "client:ID:BUS" or "sim:FILE"'),
        ('[i2c.buses.1]\nbus = "i2c-1"\n', "buses.1.bus = 'i2c-1' must be"),
        ('[i2c.buses.1]\nbus = "/dev/i2c-1"\naddress = "0x48"\n', "buses.1 has no setting 'address'; there are bus,"),
        ('[i2c.buses.1]\nbus = "/dev/i2c-1"\naddresses = "0x4g"\n', "buses.1.addresses = '0x4g' must be"),
        ('[i2c.buses.1]\nbus = "/dev/i2c-1"\nhold_ms = 0\n', "buses.1.hold_ms = 0 must be 10 to 2000"),
        ('[i2c.buses.1]\nbus = "/dev/i2c-1"\nwait_ms = 5001\n', "buses.1.wait_ms = 5001 must be 0 to 5000"),
        ('[i2c.buses.1]\nbus = "/dev/i2c-1"\ntimeout_ms = 2001\n', "buses.1.timeout_ms = 2001 must be 10 to 2000"),
        ('[i2c.buses]\n1 = "/dev/i2c-1"\n', "buses.1 = '/dev/i2c-1' must be a table"),
        ('[i2c.buses."a/b"]\nbus = "/dev/i2c-1"\n', "letters, digits, - and _"),
        ('[i2c]\nsmbus_key = "k"\n[i2c.buses.1]\nbus = "/dev/i2c-1"\n', "belong together"),
        ('[i2c]\nweb_origins = [1]\n[i2c.buses.1]\nbus = "/dev/i2c-1"\n', "a list of origins"),
        ('[i2c]\nweb_chirimen = "h:1"\n[i2c.buses.1]\nbus = "/dev/i2c-1"\n', "give web_listen too"),
        ('[i2c]\nweb_chirimen_bus = "2"\n[i2c.buses.1]\nbus = "/dev/i2c-1"\n', "none of the buses 1"),
        ('[i2c]\nsmbus_token = "x"\n[i2c.buses.1]\nbus = "/dev/i2c-1"\n', "no smbus_token belongs here"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path, lines, told):
    assert told in refused(tmp_path, lines)


def test_the_document_has_all_settings():
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    settings_of_all = {name: one for name, one in DESCRIPTION.settings.items() if not isinstance(one, Tables)}
    documented = [row for row in rows if row[0] in settings_of_all]
    assert documented == [(name, json.dumps(one.default)) for name, one in settings_of_all.items()]
    of_buses = [row for row in rows if row[0] in ("addresses", "hold_ms", "wait_ms", "timeout_ms")]
    assert of_buses == [
        ("addresses", '""'), ("hold_ms", str(HOLD_MS)), ("wait_ms", str(WAIT_MS)), ("timeout_ms", str(TRANSFER_MS))
    ]  # fmt: skip


def test_a_call_ends_before_its_caller_gives_up():
    """What the settings allow, and what the doors and their clients promise (docs/remote-i2c.md)."""
    longest_ms = MAX_WAIT_MS + MAX_HOLD_MS
    assert CALL_MS + longest_ms <= 14_000 and "answers each within 14 s" in " ".join(DOCUMENT.read_text().split())
    assert longest_ms < 1000 * TIMEOUT_S
