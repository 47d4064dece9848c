"""The section [web]: its rules, and its table in docs/web.md."""

import re
from pathlib import Path

import pytest

from server.gateways.setting import SettingsError
from server.gateways.web.settings import DESCRIPTION
from server.service import settings

ROOT = Path(__file__).resolve().parents[4]


def read(tmp_path, text):
    (tmp_path / "x.toml").write_text("[web]\n" + text)
    return settings.read(str(tmp_path / "x.toml")).gateways["web"]


def test_it_is_off_unless_there_is_a_section():
    assert "web" not in settings.read().gateways


def test_paths_are_relative_to_the_file(tmp_path):
    assert read(tmp_path, "").users == "web_users.json"
    assert read(tmp_path, 'users = "u.json"').users == str(tmp_path / "u.json")


@pytest.mark.parametrize(
    "text, error",
    [
        ('listen = "0.0.0.0:1"', "passwords could be read on the way to 0.0.0.0"),
        ('listen = "0.0.0.0:1"\nplain = true\nanonymous = "view"', "would need no password"),
        ('listen = "desk:1"\nanonymous = "view"', "would need no password"),
        ('anonymous = "view"\nproxy = "127.0.0.1"', "reaches the reverse proxy"),
        ('anonymous = "view"\nhosts = ["desk"]', "reaches the reverse proxy"),
        ('anonymous = "root"', 'must be "" or "view" or "send" or "administer"'),
        ('certificate = "x"', "belong together"),
        ('prefix = "x/"', "the path at which"),
        ('prefix = "/x/"', "the path at which"),
        ('origins = ["desk"]', "a list of origins"),
        ("session_hours = 0", "1 to 720"),
    ],
)
def test_contradictions_are_refused(tmp_path, text, error):
    with pytest.raises(SettingsError, match=error):
        read(tmp_path, text)


@pytest.mark.parametrize("text", ['listen = "0.0.0.0:1"\nplain = true', 'prefix = "/a/b"', 'origins = ["https://a:1"]'])
def test_these_are_good(tmp_path, text):
    assert read(tmp_path, text)


def test_bus_that_the_section_of_buses_lacks_is_refused(tmp_path):
    mast = '[i2c.buses.mast]\nbus = "client:pump:0"\naddresses = "0x48"\n'
    for sections, there in (("", "none"), (mast, "mast")):
        with pytest.raises(SettingsError, match=rf"x.toml: \[web\] i2c names the bus 'roof', but .* are: {there}$"):
            read(tmp_path, 'i2c = ["roof"]\n' + sections)
    assert read(tmp_path, 'i2c = ["mast"]\n' + mast).i2c == ["mast"]


def test_document_has_the_settings():
    table = (ROOT / "docs" / "web.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", table, re.MULTILINE))
    assert list(rows) == list(DESCRIPTION.settings)
    shown = {bool: lambda value: str(value).lower(), str: lambda value: f'"{value}"'}
    for name, setting in DESCRIPTION.settings.items():
        assert rows[name] == shown.get(type(setting.default), str)(setting.default), name
