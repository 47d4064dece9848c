"""`python3 -m build.bench`: its parts, its file, and its status."""

import json

import pytest

from build.bench import __main__ as bench
from build.bench import figures
from build.bench.figures import Figure
from build.tools.shell import MissingTool


def test_part_that_lacks_its_tool_is_skipped_with_the_reason_but_fails_in_ci(tmp_path, monkeypatch, capsys):
    def lacking():
        yield Figure("idle", "half", 1, "s")
        raise MissingTool("install it")

    monkeypatch.setattr(bench, "PARTS", {"one": lacking, "two": lambda: [Figure("idle", "a", 3.0, "s")]})
    path = tmp_path / "figures.json"
    monkeypatch.setenv("CI", "")
    assert bench.main(["--json", str(path)]) == 0
    written = json.loads(path.read_text())
    assert written["skipped"] == ["one: install it"] and [figure["name"] for figure in written["figures"]] == ["a"]
    assert "one: install it" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    assert bench.main(["--json", str(path)]) == 1
    assert "install it" in capsys.readouterr().err


def test_command_writes_the_figures_and_fails_on_a_missed_bar(tmp_path, monkeypatch, capsys):
    measured = [Figure("idle", "a", 3.0, "per second", 1.0)]
    monkeypatch.setattr(bench, "PARTS", {"some": lambda: measured})
    monkeypatch.setattr(figures, "BARS", {"a": ("<=", 1)})
    path = tmp_path / "figures.json"
    assert bench.main(["--json", str(path)]) == 1
    written = json.loads(path.read_text())
    assert written["figures"][0]["value"] == 3.0 and written["missed"]
    assert "a [per second]" in capsys.readouterr().out


def test_unknown_part_is_an_error(tmp_path):
    with pytest.raises(SystemExit):
        bench.main(["--json", str(tmp_path / "x"), "nothing"])
