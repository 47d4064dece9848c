"""`pb-link doctor` as a user calls it: words, colours, JSON, and the exit status."""

import io
import json
import os
import shlex
from pathlib import Path

import pytest

from server import SQLiteStore
from server.service import doctor
from server.service.cli import main
from server.service.finding import GOOD, NOTE, WRONG, Finding
from tests.server.service.test_checkup import Computer


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "Machine", Computer)
    monkeypatch.delenv("PB_LINK_CONFIG", raising=False)


def test_folder_of_init_is_well(capsys):
    assert main(["init", "pump", "--server", "192.0.2.7"]) == 0
    capsys.readouterr()
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert out.endswith("nothing is wrong\n") and "pb_settings.json  the settings of pump go with the server's" in out
    assert "\x1b" not in out


def test_empty_folder_needs_a_key(capsys):
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "WRONG  keys" in out and "-> pb-link keys add ID --settings FILE\n" in out and out.endswith("1 wrong\n")


def test_faulty_settings_are_a_finding_and_not_the_end(capsys):
    Path("pb_link.toml").write_text("prot = 1\n")
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found[0]["level"] == WRONG and "there is no setting 'prot'" in found[0]["text"]
    looked_at = {one["what"] for one in found}
    assert looked_at >= {"python", "clock", "boards"} and "port" not in looked_at


def test_named_settings_of_clients_are_looked_at(capsys):
    assert main(["init", "pump", "--server", "192.0.2.7"]) == 0
    assert main(["keys", "add", "valve", "--settings", "valve.json"]) == 0
    capsys.readouterr()
    main(["doctor", "--json", "--settings", "valve.json", "gone.json"])
    found = {one["what"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["gone.json"]["level"] == WRONG and "valve.json" in found and "pb_settings.json" not in found


@pytest.fixture
def elsewhere(capsys):
    """The settings of a server in another folder, whose name is two words, with names of its own for keys and store."""
    home = Path.cwd()
    Path("my server").mkdir()
    os.chdir("my server")
    assert main(["init", "pump", "--server", "192.0.2.7"]) == 0
    with open("pb_link.toml", "a") as file:
        file.write('keys = "own keys.json"\nstore = "data.db"\n')
    os.rename("keys.json", "own keys.json")
    os.chdir(home)
    capsys.readouterr()
    return "my server/pb_link.toml"


def remedies(config, capsys):
    main(["doctor", "--json", "--config", config, "--settings", "my server/pb_settings.json"])
    return [one["remedy"].partition(", and")[0] for one in json.loads(capsys.readouterr().out) if one["level"] == WRONG]


@pytest.mark.parametrize("there", [{}, {"other": "00" * 32}, {"pump": "00" * 32}])
def test_command_that_mends_the_keys_changes_those_of_the_settings_that_were_read(elsewhere, there, capsys):
    Path("my server/own keys.json").write_text(json.dumps(there))
    for remedy in remedies(elsewhere, capsys):
        words = shlex.split(remedy.replace(" ID ", " valve ").replace("FILE", "valve.json"))
        assert words[-2:] == ["--config", elsewhere] and main(words[1:]) == 0
    capsys.readouterr()
    assert remedies(elsewhere, capsys) == [] and not os.path.exists("keys.json")


def test_command_that_mends_the_store_restores_the_one_of_the_settings_that_were_read(elsewhere, capsys):
    SQLiteStore("copy.db").close()
    Path("my server/data.db").write_bytes(b"no database, but longer than its header" * 30)
    (remedy,) = remedies(elsewhere, capsys)
    words = shlex.split(remedy.partition(": ")[2].replace("FILE", "copy.db"))
    assert main(words[1:]) == 0 and not os.path.exists("pb_link.db")
    capsys.readouterr()
    assert remedies(elsewhere, capsys) == []


def test_hints_of_check_and_of_a_key_that_is_there_name_the_settings_too(elsewhere, capsys):
    words = ["keys", "add", "pump", "--settings", "my server/pb_settings.json", "--config", elsewhere]
    assert main(words) == 1
    hint = "keys rotate pump --settings 'my server/pb_settings.json' --config 'my server/pb_link.toml' gives"
    assert hint in capsys.readouterr().err
    Path("my server/own keys.json").write_text("{}")
    main(["check", "--config", elsewhere])
    assert "pb-link keys add ID --config 'my server/pb_link.toml'\n" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="FIFOs are of POSIX")
@pytest.mark.parametrize("name", ["pb_link.db", "keys.json", "pb_settings.json"])
def test_fifo_in_the_place_of_a_file_is_told_and_not_waited_for(name, capsys):
    assert main(["init", "pump", "--server", "192.0.2.7"]) == 0
    Path(name).unlink(missing_ok=True)
    os.mkfifo(name, 0o600)
    capsys.readouterr()
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert any(one["level"] == WRONG and one["text"].endswith(f"{name} is no file") for one in found)
    assert "boards" in {one["what"] for one in found}
    if name != "pb_settings.json":
        assert main(["check", "--config", "pb_link.toml"]) == 1
        assert f"{name} is no file" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name, text",
    [
        ("pb_link.toml", "clients = " + "[" * 3000),
        ("pb_link.toml", "port = " + "9" * 6000),
        ("keys.json", "[" * 200_000),
        ("keys.json", "9" * 6000),
        ("pb_settings.json", '{"a":' * 200_000),
        ("pb_settings.json", '{"port": ' + "9" * 6000 + "}"),
    ],
)
def test_file_that_no_parser_takes_is_named_and_the_rest_is_told(name, text, capsys):
    assert main(["init", "pump", "--server", "192.0.2.7"]) == 0
    Path(name).write_text(text)
    capsys.readouterr()
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert any(one["level"] == WRONG and name in one["text"] and len(one["text"]) < 300 for one in found)
    assert "boards" in {one["what"] for one in found} and not any("looked at" in one["text"] for one in found)


def test_check_that_fails_does_not_end_the_report(monkeypatch, capsys):
    def failing(subject):
        yield Finding("first", GOOD, "fine")
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(doctor.checkup, "WITH_SETTINGS", (failing, *doctor.checkup.WITH_SETTINGS))
    main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [one["what"] for one in found][1:3] == ["first", "failing"] and found[-1]["what"] == "boards"
    assert found[2]["text"] == "this could not be looked at: RuntimeError: a fault of ours"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_terminal_has_colours_and_control_characters_are_shown(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    wrong = Finding("a", WRONG, "text\x1b[2J", "mend it")
    doctor.show([wrong, Finding("bb", GOOD, "fine"), Finding("c", NOTE, "n", "do")], out)
    text = out.getvalue()
    assert "\x1b[31mWRONG\x1b[0m  a " in text and "\x1b[2J" not in text and text.endswith("1 wrong\n")
    assert text.count("->") == 2
