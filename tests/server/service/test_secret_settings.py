"""Secrets from the environment: used, bounded, and never shown."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from server.gateways.setting import SettingsError
from server.service import secret_settings
from server.service.cli import main
from server.service.secret_settings import KEYS, METRICS_TOKEN, Secrets
from tests.server.core.test_keys import secrets_in
from tests.server.peer import KEY, OTHER_KEY, Client, within
from tests.server.service.test_cli import Server

TOKEN = "0123456789abcdef"


def test_what_is_read_is_taken_out():
    environment = {KEYS: json.dumps({"a": KEY.hex()}), METRICS_TOKEN: TOKEN, "OTHER": "x"}
    secrets = Secrets(environment)
    assert secrets.keys == {"a": KEY} and secrets.metrics_token == TOKEN and environment == {"OTHER": "x"}
    assert KEY.hex() not in repr(secrets) and TOKEN not in repr(secrets)
    secrets = Secrets(environment)
    assert secrets.keys is None and secrets.metrics_token is None


HEX = bytes(range(200, 232)).hex()
BAD = ["", "{", f'{{"a": "{HEX}"', f'"{HEX}"', f'["{HEX}"]', f'{{"a": "{HEX}00"}}', f'{{"a": ["{HEX}"]}}', '{"": "x"}']


@pytest.mark.parametrize("text", BAD)
def test_bad_keys_are_an_error_that_names_the_variable_and_shows_none(text):
    with pytest.raises(SettingsError, match=KEYS) as caught:
        Secrets({KEYS: text}).validate()
    assert secrets_in(caught.value) == []


@pytest.mark.parametrize("text", ["", "short", TOKEN + " ", TOKEN + "\n", "\u00e4" * 20, "x" * 257])
def test_bad_token_is_an_error_that_does_not_show_it(text):
    with pytest.raises(SettingsError, match=METRICS_TOKEN) as caught:
        Secrets({METRICS_TOKEN: text}).validate()
    assert not text or text not in str(caught.value)


def test_keys_of_the_environment_are_the_only_ones_and_cannot_be_changed(monkeypatch, capsys):
    for words in (["add", "b"], ["rotate", "a"], ["revoke", "a"], ["list"]):
        monkeypatch.setenv(KEYS, json.dumps({"a": HEX}))
        status = main(["keys", *words])
        out, err = capsys.readouterr()
        assert status == (words != ["list"]) and HEX not in out + err
        assert "change it where it is set" in err or out.startswith("a ")
    assert not os.path.exists("keys.json")


def test_server_serves_with_them_and_rotates():
    async def serve(process):
        old, new = Client(process.port, "pump", KEY), Client(process.port, "pump", OTHER_KEY)
        await within(old.connect())
        await within(new.connect())
        new.cut()
        return await Client(process.port, "pump", process.key).refused()  # which is in the file

    with Server(**{KEYS: json.dumps({"pump": [KEY.hex(), OTHER_KEY.hex()]})}) as process:
        assert "wrong key" in asyncio.run(serve(process))
        status, log = process.end()
    assert status == 0 and "new_key_used client=pump" in log
    assert KEY.hex() not in log and "failed" not in log
    assert process.key.hex() in Path("keys.json").read_text()


def test_byte_order_mark_in_front_of_a_secret_is_no_part_of_it(tmp_path):
    path = tmp_path / "password"
    path.write_bytes(b"\xef\xbb\xbf" + b"x" * 20 + b"\r\n")
    path.chmod(0o600)
    assert secret_settings._read_alone(str(path), "password", 20) == "x" * 20
    path.write_bytes(b"\xef\xbb\xbf" + b"x" * 21)
    with pytest.raises(SettingsError, match="must hold the password alone"):
        secret_settings._read_alone(str(path), "password", 20)
    token = "0123456789abcdef"
    assert Secrets({secret_settings.METRICS_TOKEN: "\ufeff" + token}).metrics_token == token
