"""build/tools/venv.py: a program that lacks a module goes on with the Python of .venv, once."""

import sys

import pytest

from build.tools import venv


@pytest.fixture
def started(monkeypatch, tmp_path):
    """What would be started in place of this program: a list of its words. .venv is a folder without Python."""
    started = []
    monkeypatch.setattr(venv, "VENV", tmp_path)
    monkeypatch.setattr(venv.os, "execv", lambda path, words: started.append([str(path), *words[1:]]))
    monkeypatch.setattr(sys, "argv", ["build/flash.py", "--port", "/dev/ttyUSB0"])
    return started


def make_python(folder):
    (folder / "bin").mkdir()
    (folder / "bin" / "python").touch()


def test_program_that_lacks_a_module_starts_again_in_venv(started, tmp_path):
    make_python(tmp_path)
    venv.start_where("no_such_module")
    assert started == [[f"{tmp_path}/bin/python", "build/flash.py", "--port", "/dev/ttyUSB0"]]


def test_program_that_has_the_module_goes_on(started, tmp_path):
    make_python(tmp_path)
    venv.start_where("json.decoder")
    assert started == []


def test_program_that_lacks_a_module_in_venv_does_not_start_again_for_ever(started, tmp_path, monkeypatch):
    make_python(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    venv.start_where("no_such_module")
    assert started == []


def test_without_venv_the_program_goes_on_and_says_itself_what_is_missing(started):
    venv.start_where("no_such_module")
    assert started == []
