"""`pb-link web user`: what it does, and what it says."""

import io
import json
import sys

import pytest

from server.gateways.web.users import UserFile, Users
from server.service.cli import main


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def pb_link(tmp_path, monkeypatch, capsys):
    """Function (words, stdin) that returns (status, stdout, stderr) of a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(words, stdin=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin) if isinstance(stdin, str) else stdin)
        status = main(words.split())
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_users_are_added_listed_and_removed(pb_link):
    assert pb_link("web user add ann --role send", "a long password\n")[:2] == (0, "ann is a user, and may send\n")
    users = Users(UserFile("web_users.json"))
    users.all()
    assert users.of_password("ann", "a long password").role == "send"
    status, out, _ = pb_link("web user add cron --token --json")
    token = json.loads(out)["token"]
    assert status == 0 and users.of_token(token).role == "view"
    _, out, _ = pb_link("web user list --json")
    assert json.loads(out) == [
        {"name": "ann", "role": "send", "has": "password"}, {"name": "cron", "role": "view", "has": "token"},
    ]  # fmt: skip
    assert pb_link("web user list")[1].split() == ["ann", "send", "password", "cron", "view", "token"]
    assert pb_link("web user remove cron")[0] == 0
    assert users.of_token(token) is None


def test_file_is_the_one_of_the_settings(pb_link, tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "x.toml").write_text('[web]\nusers = "people.json"\n')
    assert pb_link("web user add ann --config conf/x.toml", "a long password\n")[0] == 0
    assert [*UserFile(tmp_path / "conf" / "people.json").read()] == ["ann"]


def test_what_cannot_be_is_said_with_a_status(pb_link):
    assert pb_link("web user add ann", "short\n")[::2] == (1, "pb-link: a password has 8 to 1024 characters\n")
    assert pb_link("web user add")[::2] == (1, "pb-link: web user add needs the name of a user\n")
    assert "there is no user 'ann'" in pb_link("web user remove ann")[2]


def test_passwords_typed_differently_change_nothing(pb_link, monkeypatch, tmp_path):
    typed = iter(["a long password", "a wrong password"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    assert "not the same" in pb_link("web user add ann", Terminal())[2]
    assert not (tmp_path / "web_users.json").exists()
