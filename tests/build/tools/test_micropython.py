"""Finding an interpreter: the environment first, then PATH if it will do; and the bridge's is built once a change."""

import subprocess
import sys
from pathlib import Path

import pytest

from build.tools import cache, debian, micropython
from build.tools.shell import BuildError


def program(path, *lines):
    """Make an executable that prints what the probe of an interpreter would."""
    path.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("prints", "why"),
    [
        ("echo micropython 1 25 64", None),
        ("echo micropython 1 26 64", None),
        ("echo micropython 2 0 64", None),
        ("echo micropython 1 24 64", "1.25 is needed"),
        ("echo cpython 3 11 64", "it is cpython"),
        ("echo micropython 1 25 32", "32-bit"),
        ("echo nonsense", "does not start"),
        ("exit 1", "does not start"),
    ],
)
def test_interpreter_is_judged_by_running_it(tmp_path, prints, why):
    unfit = micropython.why_unfit(program(tmp_path / "micropython", prints), 64)
    assert unfit is None if why is None else why in unfit


def test_named_interpreter_comes_first(tmp_path, monkeypatch):
    named = program(tmp_path / "mine", "echo micropython 1 25 64")
    monkeypatch.setenv("MICROPYTHON", str(named))
    assert micropython.find() == named


def test_named_interpreter_that_is_unfit_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROPYTHON32", str(program(tmp_path / "mine", "echo micropython 1 19 32")))
    with pytest.raises(BuildError, match="MICROPYTHON32 is .*1.19.*Unset it"):
        micropython.find(32)
    monkeypatch.setenv("MICROPYTHON_BRIDGE", str(tmp_path / "none"))
    with pytest.raises(BuildError, match="no such program"):
        micropython.bridge()


def test_interpreter_on_path_serves_if_it_will_do(tmp_path, monkeypatch):
    monkeypatch.delenv("MICROPYTHON", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    on_path = program(tmp_path / "micropython", "echo micropython 1 25 64")
    assert micropython.find() == on_path


def test_old_interpreter_on_path_is_passed_over(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MICROPYTHON", raising=False)
    monkeypatch.setenv("PB_LINK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path / "micropython", "echo micropython 1 19 64")
    with pytest.raises(BuildError, match="make gcc"):  # it would build, and there is no compiler on this PATH
        micropython.find()
    assert "on PATH is not used: it is micropython 1.19" in capsys.readouterr().err


def test_command_prints_only_the_path(micropython64):
    script = cache.ROOT / "build" / "micropython.py"
    done = subprocess.run([sys.executable, script], cwd="/", capture_output=True, text=True)
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert Path(line).is_absolute()
    assert subprocess.check_output([line, "-c", "print(1 + 1)"]) == b"2\n"


def test_word_sizes(micropython64, micropython32):
    for interpreter, bits in ((micropython64, 64), (micropython32, 32)):
        assert micropython.why_unfit(interpreter, bits) is None


def test_bridge_is_built_once(micropython_bridge, capsys):
    assert str(micropython.bridge()) == micropython_bridge
    assert "Building" not in capsys.readouterr().err


def test_bridge_has_the_project_frozen(micropython_bridge, tmp_path):
    code = "import protocol.framing; print(protocol.framing.__name__)"  # on the chip there is no __file__
    environment = {"MICROPYPATH": ".frozen"}
    shown = subprocess.check_output([micropython_bridge, "-c", code], cwd=tmp_path, env=environment, text=True)
    assert shown == "protocol.framing\n"


def test_damaged_download_is_removed(tmp_path):
    archive = tmp_path / "micropython.orig.tar.xz"
    archive.write_bytes(b"half of an archive")
    with pytest.raises(BuildError, match="try again"):
        micropython._unpack(archive, tmp_path / "source")
    assert not archive.exists()
    assert [path.name for path in tmp_path.iterdir()] == []


def test_broken_build_leaves_no_binary(tmp_path, monkeypatch, micropython_source):
    """A manifest whose file has a syntax error: the error is shown, and nothing enters the cache."""
    bad = tmp_path / "bad.py"
    bad.write_text("def f(:\n")
    manifest = tmp_path / "manifest.py"
    manifest.write_text('module("bad.py", base_path=".")\n')
    monkeypatch.delenv("MICROPYTHON_BRIDGE", raising=False)
    monkeypatch.setattr(micropython, "MANIFEST_SIM", manifest)
    for _ in range(2):  # a second time: it was not taken for built
        with pytest.raises(BuildError, match="(?s)bad.py.*SyntaxError"):
            micropython.bridge()


def test_source_is_pinned():
    assert tuple(int(part) for part in debian.PINNED_VERSION.split("."))[:2] >= debian.MIN_VERSION
