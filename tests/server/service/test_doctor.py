"""`pb-link doctor` as a user calls it: words, colours, JSON, and the exit status."""

import io
import json
from pathlib import Path

import pytest

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
