"""`pb-link init`: its files belong together, and it overwrites nothing. tests/peers/test_first_client.py runs them."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pb_link.settings import read
from server.service import client_settings, settings, starter
from server.service.application import load_app
from server.service.cli import main
from server.service.key_file import KeyFile


def contents():
    return {path.name: path.read_bytes() for path in Path().iterdir()}


def test_files_belong_together(capsys):
    assert main(["init", "pump", "--port", "9000", "--server", "192.0.2.7"]) == 0
    out = capsys.readouterr().out
    assert sorted(contents()) == sorted([*starter.ALL, "keys.json.lock"])
    ours, theirs = read(), settings.read("pb_link.toml")
    assert (ours["id"], ours["server"], ours["port"]) == ("pump", "192.0.2.7", 9000)
    assert (theirs.port, theirs.timeout_ms) == (ours["port"], ours["timeout_ms"])
    assert KeyFile(theirs.keys).read() == {"pump": bytes.fromhex(ours["key"])} and ours["key"] not in out
    assert load_app(theirs.app).__name__ == "handler"
    del sys.modules["application"]
    compile(Path("client.py").read_text(), "client.py", "exec")
    for name in ("pb_settings.json", "keys.json"):
        assert os.stat(name).st_mode & 0o777 == 0o600


def test_second_time_names_what_is_there_and_changes_nothing(capsys):
    main(["init", "pump"])
    before = contents()
    for name in ("pump", "valve"):
        capsys.readouterr()
        assert main(["init", name]) == 1
        err = capsys.readouterr().err
        assert f"{', '.join(starter.ALL)} are here already, and nothing was written" in err and err.count("\n") == 1
        assert "pb-link keys add ID --settings FILE --config pb_link.toml . Otherwise" in err
        assert contents() == before


@pytest.mark.parametrize("name", starter.ALL)
def test_any_of_its_files_that_is_there_stops_it(name, capsys):
    Path(name).symlink_to("nowhere")
    assert main(["init", "pump"]) == 1
    assert f"{name} is here already, and nothing was written" in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == [name]


@pytest.mark.parametrize(
    "name", ["", " ", " pump", "pump ", "a\nb", "pump\t", "\x1b[2J", "x" * 65, "\udcff", "\u200b", "\u20ac" * 22]
)
def test_bad_name_is_an_error_that_writes_nothing(name, capsys):
    assert main(["init", name]) == 1
    err = capsys.readouterr().err
    assert err.startswith("pb-link: ") and err.count("\n") == 1 and "\x1b" not in err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("name", ['a"b', "it's", "a\\b", '"""', "caf\u00e9 \U0001f600", "NAME", "PORT", "../x", "{}"])
def test_name_of_any_visible_characters_is_the_same_in_each_file(name, monkeypatch):
    assert main(["init", name]) == 0
    assert read()["id"] == name and list(KeyFile("keys.json").read()) == [name]
    assert {file: Path(file).read_text() for file in starter.FILES if file != "pb_link.toml"} == {
        file: text for file, text in starter.FILES.items() if file != "pb_link.toml"
    }
    settings.read("pb_link.toml")


@pytest.mark.parametrize("words", [["--port", "0"], ["--server", "http://192.0.2.7"], ["--server", "::1"]])
def test_bad_option_is_an_error_that_writes_nothing(words, capsys):
    assert main(["init", "pump", *words]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert list(Path().iterdir()) == []


class LooksTooEarly:
    """os.path, of a process that looks for files when none is there yet."""

    def __init__(self):
        self.looks = len(starter.ALL)

    def __getattr__(self, name):
        return getattr(os.path, name)

    def lexists(self, path):
        self.looks -= 1
        return self.looks < 0 and os.path.lexists(path)


@pytest.fixture
def too_early(monkeypatch):
    def begin():
        monkeypatch.setattr(starter, "os", SimpleNamespace(**{**vars(os), "path": LooksTooEarly()}))

    return begin


def test_one_that_comes_at_the_same_time_takes_nothing_of_the_other_one(too_early, capsys):
    assert main(["init", "pump"]) == 0
    before = contents()
    too_early()
    assert main(["init", "pump"]) == 1
    assert f"{', '.join(starter.ALL)} are here already, and nothing was written" in capsys.readouterr().err
    assert contents() == before


@pytest.mark.parametrize("name", ["application.py", "client.py", "pb_settings.json"])
def test_one_that_fails_takes_away_what_it_has_made_alone(name, too_early):
    assert main(["keys", "add", "valve"]) == 0
    Path(name).write_text('{"id": "valve"}')
    before = contents()
    too_early()
    assert main(["init", "pump"]) == 1
    assert contents() == before


def test_failure_on_the_way_leaves_nothing(monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(client_settings, "write_private", full)
    assert main(["init", "pump"]) == 1
    assert list(Path().iterdir()) == []


def test_json_names_the_files_and_shows_no_key(capsys):
    assert main(["init", "pump", "--json", "--server", "192.0.2.7"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == {"id": "pump", "files": list(starter.ALL), "server": "192.0.2.7", "port": 8123}
