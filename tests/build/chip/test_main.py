"""`python3 -m build.chip`: its parts, its file, and its status."""

import json

import pytest

from build.bench.figures import Figure
from build.chip import __main__ as bench
from build.chip import bridge
from build.tools.shell import MissingTool
from sim.virtual.costs import COUNTED

NAME = "bridge, a SHA-256 block"


def measured(value):
    return lambda: [Figure(bridge.SECTION, NAME, value, "instructions")]


def test_command_writes_the_figures_and_fails_if_the_table_is_off(tmp_path, monkeypatch, capsys):
    path = tmp_path / "figures.json"
    monkeypatch.setattr(bench, "PARTS", {"bridge": measured(COUNTED[NAME])})
    assert bench.main(["--json", str(path)]) == 0
    written = json.loads(path.read_text())
    assert written["figures"][0]["value"] == COUNTED[NAME] and not written["outdated"]
    assert f"{NAME} [instructions]" in capsys.readouterr().out
    monkeypatch.setattr(bench, "PARTS", {"bridge": measured(2 * COUNTED[NAME])})
    assert bench.main(["--json", str(path)]) == 1
    assert json.loads(path.read_text())["outdated"]


def test_part_that_lacks_its_tool_is_skipped_with_the_reason_but_fails_in_ci(tmp_path, monkeypatch, capsys):
    def lacking():
        raise MissingTool("install it")

    monkeypatch.setattr(bench, "PARTS", {"one": lacking})
    path = tmp_path / "figures.json"
    monkeypatch.setenv("CI", "")
    assert bench.main(["--json", str(path)]) == 0
    assert json.loads(path.read_text())["skipped"] == ["one: install it"]
    assert "one: install it" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    assert bench.main(["--json", str(path)]) == 1


def test_unknown_part_is_an_error(tmp_path):
    with pytest.raises(SystemExit):
        bench.main(["--json", str(tmp_path / "x"), "nothing"])


def test_each_part_has_a_definition():
    assert set(bench.PARTS) == {"bridge", "client", "model"}
    assert bridge.SECTION in bench.DEFINITIONS
