"""docs/pictures/ holds what the scripts draw from the kept record, and README shows it."""

import re
from xml.etree import ElementTree

import pytest

from build.pictures import __main__ as command
from build.pictures import record
from build.tools.cache import ROOT

DRAWN = command.pictures(record.kept())


def test_pictures_are_what_the_scripts_draw():
    assert command.differing(DRAWN) == [], "run `make pictures` and commit what it writes"
    assert command.main(["--check"]) == 0


@pytest.mark.parametrize("name", DRAWN)
def test_picture_needs_nothing_else(name):
    root = ElementTree.fromstring(DRAWN[name])
    assert not [one.tag for one in root.iter() if re.search(r"\}(script|image|a|use|foreignObject)$", one.tag)]
    assert re.findall(r"https?://[^\"]+", DRAWN[name]) == ["http://www.w3.org/2000/svg"]
    assert len(DRAWN[name]) < 40_000


@pytest.mark.parametrize("name", DRAWN)
def test_picture_is_shown(name):
    assert f"docs/pictures/{name}" in (ROOT / "README.md").read_text()


def test_changed_picture_is_found_and_drawn_again(tmp_path, monkeypatch, capsys):
    for name, content in DRAWN.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "demo-dark.svg").write_text("<svg/>")
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    assert command.differing(DRAWN, tmp_path) == ["demo-dark.svg"]
    assert command.differing({"new.svg": ""}, tmp_path) == ["new.svg"]
