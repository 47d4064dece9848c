"""The files of a client's program: on its flash, and nowhere else."""

import os
from types import SimpleNamespace

import pytest

from sim.testing.flash import FILE, FOLDER, Flash
from tests.sim.testing.programs import write_client


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "flash").mkdir()
    return tmp_path / "flash"


@pytest.fixture
def board(folder):
    flash = Flash(folder)
    return SimpleNamespace(open=flash.open, **flash.os_names())


def write(board, path, text="x"):
    with board.open(path, "w") as file:
        file.write(text)


@pytest.mark.parametrize(
    "path", ["a.txt", "/a.txt", "/flash/a.txt", "./a.txt", "../a.txt", "/../../a.txt", "b/../a.txt"]
)
def test_every_path_to_the_root_is_the_folder(board, folder, path):
    write(board, path, "7 €")
    assert (folder / "a.txt").read_bytes() == "7 €".encode() and os.listdir(folder.parent) == ["flash"]
    with board.open("/flash/a.txt") as file:
        assert file.read() == "7 €"


def test_absolute_path_of_the_computer_is_not_there(board, tmp_path):
    (tmp_path / "precious.txt").write_text("kept")
    for call in (board.open, board.remove, board.unlink, board.stat, board.listdir, board.chdir, board.rmdir):
        with pytest.raises(FileNotFoundError):
            call(str(tmp_path / "precious.txt"))
    with pytest.raises(FileNotFoundError):
        board.rename(str(tmp_path / "precious.txt"), "mine.txt")
    with pytest.raises(FileNotFoundError):
        board.mkdir(str(tmp_path / "other"))
    assert (tmp_path / "precious.txt").read_text() == "kept" and not (tmp_path / "other").exists()


def test_file_is_replaced_by_rename_as_programs_save_their_state(board, folder):
    write(board, "state", "old")
    write(board, "state.tmp", "new")
    board.rename("state.tmp", "/flash/state")
    assert [path.name for path in folder.iterdir()] == ["state"] and (folder / "state").read_text() == "new"


def test_folders_are_made_entered_listed_and_removed(board, folder):
    board.mkdir("log")
    board.chdir("log")
    assert board.getcwd() == "/log"
    write(board, "b", "12")
    write(board, "a")
    write(board, "/top")
    assert board.listdir() == ["a", "b"] and board.listdir("/") == board.listdir("..") == ["log", "top"]
    assert list(board.ilistdir("/")) == [("log", FOLDER, 0, 0), ("top", FILE, 0, 1)]
    assert board.stat("b") == (FILE, 0, 0, 0, 0, 0, 2, 0, 0, 0) and board.stat("/flash")[0] == FOLDER
    board.remove("a")
    board.unlink("/log/b")
    board.chdir("/")
    board.rmdir("log")
    assert board.listdir() == ["top"]


def test_root_is_not_removed(board, folder):
    for path in ("/", "", "..", "/flash"):
        with pytest.raises(PermissionError):
            board.rmdir(path)
    assert folder.is_dir()


PROGRAM = """
import os
from io import open as other_open
print("cwd", os.getcwd(), os.listdir("/"))
try:
    os.remove("precious.txt")
except OSError as error:
    print("errno", error.errno)
with open("state.tmp", "w") as file:
    file.write("1")
os.rename("state.tmp", "state")
try:
    from os import path
except ImportError:
    print("no os.path")
with other_open("/from_io", "w") as file:
    file.write("2")
print("names", hasattr(os, "system"), hasattr(os, "environ"), os.uname().sysname)
"""


def test_program_of_a_client_touches_no_file_of_the_project(virtual_link, tmp_path, monkeypatch):
    project = tmp_path / "project"
    project.mkdir()
    (project / "precious.txt").write_text("kept")
    monkeypatch.chdir(project)
    link = virtual_link(write_client(tmp_path, PROGRAM))
    assert link.wait_for("cwd") == "cwd / []" and link.wait_for("errno") == "errno 2"
    assert link.wait_for("names") == "names False False pyboard" and link.lines().count("no os.path") == 1
    assert [path.name for path in project.iterdir()] == ["precious.txt"]
    assert sorted(path.name for path in link.flash().iterdir()) == ["from_io", "state"]
    link.inject("client-kill")
    assert link.wait_for("cwd", count=2) == "cwd / ['from_io', 'state']"
