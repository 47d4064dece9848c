"""Keys that are in two files: `pb-link keys add ID --settings FILE`."""

import json
import os
from pathlib import Path

import pytest

from pb_link.settings import DEFAULTS, Settings, read, read_or_create
from server.service import client_settings
from server.service.cli import main
from server.service.key_file import KeyFile

KEY = "ab" * 32


def words(capsys, *given):
    """Status, output and errors of a command."""
    status = main(list(given))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def same_key(client_id, path):
    """True if the key file and the settings have the same key for the client, or the settings its new one."""
    keys = KeyFile("keys.json").read()[client_id]
    return bytes.fromhex(read(path)["key"]) == (keys[-1] if isinstance(keys, list) else keys)


def test_new_client_gets_settings_with_the_key_of_the_key_file_and_nothing_shows_it(capsys):
    Path("x.toml").write_text('port = 9000\ntimeout_ms = 2500\nhost = "192.0.2.7"')
    for client_id, json_too in (("pump", []), ("valve", ["--json"])):
        path = f"{client_id}.json"
        words_of_it = ("keys", "add", client_id, "--settings", path, "--config", "x.toml", *json_too)
        status, out, err = words(capsys, *words_of_it)
        assert status == 0 and same_key(client_id, path) and not err
        assert read(path)["key"] not in out and path in out
        assert os.stat(path).st_mode & 0o777 == 0o600
        found = {**DEFAULTS, "id": client_id, "server": "192.0.2.7", "port": 9000, "timeout_ms": 2500}
        assert read(path) == {**found, "key": read(path)["key"]}
        Settings(read(path))


def test_key_that_the_settings_have_is_taken_into_the_key_file(capsys):
    """As the demo server has made it, and as the board may have it already."""
    made, _ = read_or_create()
    assert words(capsys, "keys", "add", "demo", "--settings", "pb_settings.json")[0] == 0
    assert read() == made and same_key("demo", "pb_settings.json")


def test_settings_without_a_key_keep_what_they_have():
    before = {"ssid": "caf\u00e9", "password": "a password", "max_line": 1024}
    Path("s.json").write_text(json.dumps(before, ensure_ascii=False), encoding="utf-8-sig")
    assert main(["keys", "add", "pump", "--settings", "s.json"]) == 0
    found = client_settings.raw("s.json")
    assert found == {**before, "id": "pump", "key": found["key"]}
    assert same_key("pump", "s.json")


def test_rotation_changes_both_files_and_the_old_key_stays_valid_meanwhile(capsys):
    main(["keys", "add", "pump", "--settings", "s.json"])
    old = read("s.json")["key"]
    capsys.readouterr()
    status, out, _ = words(capsys, "keys", "rotate", "pump", "--settings", "s.json")
    new = read("s.json")["key"]
    assert status == 0 and old not in out and new not in out
    assert KeyFile("keys.json").read()["pump"] == [bytes.fromhex(old), bytes.fromhex(new)]


def test_settings_are_made_for_a_client_whose_key_was_only_shown(capsys):
    main(["keys", "add", "pump"])
    assert words(capsys, "keys", "rotate", "pump", "--settings", "s.json")[0] == 0
    assert same_key("pump", "s.json")


@pytest.mark.parametrize(
    ("before", "given", "error"),
    [
        (None, "keys list --settings s.json", None),
        (None, "keys revoke pump --settings s.json", "--settings goes with add and rotate"),
        (None, "keys rotate pump --settings s.json", "pump has no key"),
        (None, "keys add pump --settings no/s.json", "no/"),
        ('{"id": "other"}', "keys add pump --settings s.json", "s.json has the settings of other, not of pump"),
        ('{"pasword": ""}', "keys add pump --settings s.json", "s.json: there is no setting 'pasword'"),
        ("{", "keys add pump --settings s.json", "s.json is not valid JSON"),
        (f'{{"key": "{KEY}" "password": "', "keys add pump --settings s.json", "s.json is not valid JSON"),
    ],
)
def test_mistake_is_named_and_changes_neither_file(before, given, error, capsys):
    if before:
        Path("s.json").write_text(before)
    status, out, err = words(capsys, *given.split())
    if error is None:
        assert status == 0
        return
    assert status == 1 and error in err and err.count("\n") == 1 and KEY not in err and not out
    assert not os.path.exists("keys.json") or KeyFile("keys.json").read() == {}
    assert (Path("s.json").read_text() if Path("s.json").exists() else None) == before


def test_client_that_has_a_key_keeps_it_and_the_error_says_what_to_do(capsys):
    main(["keys", "add", "pump"])
    before = KeyFile("keys.json").read()
    status, _, err = words(capsys, "keys", "add", "pump", "--settings", "s.json")
    assert status == 1 and "pb-link keys rotate pump --settings s.json" in err
    assert KeyFile("keys.json").read() == before and not os.path.exists("s.json")


def test_settings_that_cannot_be_written_leave_no_key_behind(monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(client_settings, "write_private", full)
    assert main(["keys", "add", "pump", "--settings", "s.json"]) == 1
    assert KeyFile("keys.json").read() == {}


def test_keys_of_the_environment_are_left_alone_and_no_settings_are_made(capsys, monkeypatch):
    monkeypatch.setenv("PB_LINK_KEYS", json.dumps({"other": KEY}))
    status, _, err = words(capsys, "keys", "add", "pump", "--settings", "s.json")
    assert status == 1 and "PB_LINK_KEYS" in err and not os.path.exists("s.json")


def test_address_of_a_computer_in_no_network_is_said_to_be_for_the_simulator(capsys, monkeypatch):
    def none():
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(client_settings, "own_address", none)
    status, out, _ = words(capsys, "keys", "add", "pump", "--settings", "s.json")
    assert status == 0 and read("s.json")["server"] == "127.0.0.1"
    assert "Only a client in the simulator can reach that" in out


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "[::]"])
def test_client_of_a_server_on_all_addresses_gets_this_computers(host, monkeypatch):
    monkeypatch.setattr(client_settings, "own_address", lambda: "192.0.2.7")
    assert client_settings.address_of(host) == "192.0.2.7"
