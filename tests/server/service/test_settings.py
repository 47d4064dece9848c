"""The settings file: what it may say, and what an error names."""

import json
import os
import re
from pathlib import Path

import pytest

from server.gateways.setting import SettingsError
from server.service import settings

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("port = 1\nprot = 2", r"line 2: there is no setting 'prot'; there are host, port"),
        ('\n\ntimeout_ms = "long"', r"line 3: timeout_ms = 'long' must be 200 to"),
        ("port = true", r"line 1: port = True must be a port"),
        ('clients = ["a\\nb"]', r"line 1: clients = .* must be a list of client ids"),
        ("[port]\nx = 1", r"line 1: port = .* must be a port"),
        ("metrics = \"9123\"", r"line 1: metrics = .9123. must be HOST:PORT"),
        ("port = = 1", r"not valid TOML: .*line 1"),
        ('store = ["postgresql://u:pw@a/b", 5]', r"line 1: store must be the path of the store, or .* list$"),
        ('store = ["postgresql://u:pw@a/b", "pb_link.db"]', r"line 1: store must be the path"),
        ("store = []", r"line 1: store must be the path"),
    ],
)
def test_error_in_the_settings_names_the_line_and_the_remedy(text, error):
    Path("x.toml").write_text(text)
    with pytest.raises(SettingsError, match=rf"^x.toml.*{error}"):
        settings.read("x.toml")


def test_settings_come_from_file_and_command_line():
    os.mkdir("folder")
    Path("folder/x.toml").write_text('port = 1\nstore = "x.db"\nhost = "::1"')
    found = settings.read("folder/x.toml", {"port": 2, "host": None})
    assert (found.port, found.host) == (2, "::1")
    assert found.store == os.path.abspath("folder/x.db")


def test_addresses_of_databases_are_taken_as_they_are():
    urls = ["postgresql://a/x", "postgresql://b/x"]
    Path("x.toml").write_text(f"store = {json.dumps(urls)}")
    assert settings.read("x.toml").store == urls
    assert settings.read("x.toml", {"store": urls[0]}).store == urls[0]


def test_every_setting_is_documented():
    text = (ROOT / "docs" / "operations.md").read_text()
    documented = re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", text, re.MULTILINE)
    assert documented == [(name, json.dumps(setting.default)) for name, setting in settings.at_top().items()]


def test_settings_that_are_not_text_name_the_line():
    Path("x.toml").write_bytes(b"port = 1\n# \xff\n")
    with pytest.raises(SettingsError, match="^x.toml, line 2: it is not UTF-8"):
        settings.read("x.toml")


def test_settings_may_begin_with_a_byte_order_mark():
    Path("x.toml").write_text("port = 1234\n", encoding="utf-8-sig")
    assert settings.read("x.toml").port == 1234
    Path("x.toml").write_bytes(b"\xef\xbb\xbfport = 1\n# \xff\n")
    with pytest.raises(SettingsError, match="^x.toml, line 2: it is not UTF-8"):
        settings.read("x.toml")
