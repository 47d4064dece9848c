"""build/deploy.py with the real mpremote, onto a real MicroPython behind a pseudo-terminal."""

import json

import pytest

from build import deploy
from pb_link.settings import Settings
from tests.build.test_client import board


@pytest.fixture
def port(micropython64, tmp_path, monkeypatch, missing_tool):
    """The port of a board whose file system is a folder; the computer's working folder is another."""
    try:
        import mpremote  # noqa: F401
    except ImportError:
        missing_tool("mpremote is not installed: make tools")
    monkeypatch.setattr(deploy, "OLDEST", (1, 25))
    (tmp_path / "board").mkdir()
    (tmp_path / "computer").mkdir()
    monkeypatch.chdir(tmp_path / "computer")
    monkeypatch.setattr(deploy.getpass, "getpass", lambda prompt: "a password")
    with board(micropython64, tmp_path / "board") as port:
        yield port


def with_target(folder):
    (folder / "lib").mkdir()
    (folder / "lib" / "machine.py").write_text("class I2CTarget: pass\n")


def test_client_settings_and_demo_are_on_the_board(port, tmp_path, capsys):
    with_target(tmp_path / "board")
    assert deploy.main(["--port", port, "--ssid", "net", "--server", "192.0.2.7"]) == 0, capsys.readouterr()
    there = tmp_path / "board"
    assert (there / "lib/pb_link/link.mpy").is_file() and (there / "main.py").read_text() == deploy.MAIN
    settings = json.loads((there / "pb_settings.json").read_text())
    assert settings == json.loads((tmp_path / "computer/pb_settings.json").read_text())
    assert Settings(settings).server == "192.0.2.7" and settings["password"] == "a password"
    assert "a password" not in "".join(capsys.readouterr())
    # Again, as an upgrade: what is the user's stays.
    (there / "pb_settings.json").write_text("{}")
    (there / "main.py").write_text("# mine\n")
    (there / "lib/pb_link/link.mpy").write_text("old")
    assert deploy.main(["--port", port]) == 0
    assert (there / "pb_settings.json").read_text() == "{}" and (there / "main.py").read_text() == "# mine\n"
    assert (there / "lib/pb_link/link.mpy").read_bytes() != b"old"


def test_board_that_cannot_be_a_client_is_refused(port, capsys, tmp_path):
    assert deploy.main(["--port", port]) == 1
    assert "without machine.I2CTarget" in capsys.readouterr().err
    assert list((tmp_path / "computer").iterdir()) == []


def test_port_without_a_board_is_named(port, capsys):
    assert deploy.main(["--port", "/dev/gone"]) == 1
    assert "The board on /dev/gone cannot be reached" in capsys.readouterr().err
