"""build/tools/shell.py: a program that fails says what it printed and what helps."""

import io
import sys

import pytest

from build.tools import shell


def test_failure_shows_the_end_of_the_output_and_the_remedy(tmp_path):
    command = ["sh", "-c", "seq 100; exit 3"]
    with pytest.raises(shell.BuildError, match="status 3. Try again.\n") as caught:
        shell.run_logged(command, tmp_path / "log", "Try again.")
    shown = str(caught.value).splitlines()
    assert shown[-1].strip() == "100" and len(shown) == 2 + shell.LOG_TAIL_LINES
    assert (tmp_path / "log").read_text().startswith("1\n2\n")


def test_program_that_is_not_there_is_named_with_the_remedy(tmp_path):
    with pytest.raises(shell.BuildError, match="no-such-program could not be started: .* Install it."):
        shell.run_logged(["no-such-program"], tmp_path / "log", "Install it.")
    assert shell.output_of(["no-such-program"]) is None


def test_outer_make_does_not_leak_into_a_build(monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", "n")
    monkeypatch.setenv("CFLAGS", "-O0")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert shell.output_of(["sh", "-c", "echo $MAKEFLAGS$CFLAGS$LC_ALL"]) == "C\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_for_a_terminal(monkeypatch, terminal):
    seen = io.StringIO()
    seen.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", seen)
    shell.progress("copying main.py")
    assert seen.getvalue() == ("copying main.py ..\n" if terminal else "")
