"""The scripts of `pb-link completion`, in the shells themselves: they complete commands, options and values."""

import argparse
import os
import pty
import select
import shutil
import subprocess
import sys
import time

import pytest

from server.service.completion import MAX_TEXT, SHELLS, Command, script
from tests.patience import PATIENCE_S
from tests.peers.processes import ROOT

CASES = [
    ("doct", "doctor"),
    ("keys rot", "keys rotate"),
    ("keys add pump --sett", "keys add pump --settings"),
    ("restore xyz", "restore xyz"),  # a file that is not there: nothing is added
    ("completion fi", "completion fish"),
    ("sim up --demo-s", "sim up --demo-server"),
    ("sim run --bed virt", "sim run --bed virtual"),
    ("web user ad", "web user add"),
    ("keys add li", "keys add li"),  # the place of `list` has its word already
    ("completion bash z", "completion bash z"),
]
VALUES = ["check --config ", "store --to ", "sim up --client ", "keys add pump --settings "]  # then a file
PLACES = ["restore pum", "store check pum", "store copy pum", "keys copy pum", "i2c detect pum"]  # likewise


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """{shell: path of its script}, as the command prints them."""
    folder = tmp_path_factory.mktemp("completion")
    for shell in SHELLS:
        words = [sys.executable, "-m", "server", "completion", shell]
        done = subprocess.run(words, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True)
        assert done.returncode == 0, done.stderr
        (folder / shell).write_bytes(done.stdout)
    return {shell: folder / shell for shell in SHELLS}


@pytest.fixture
def shell_of(missing_tool):
    """Returns the path of a shell."""

    def find(name):
        return shutil.which(name) or missing_tool(f"no {name}: sudo apt-get install -y {name}")

    return find


class Terminal:
    """A shell in a terminal, into which a test types. Args: command: list of words."""

    def __init__(self, command, env):
        self.output = ""
        self._process, self._file = pty.fork()
        if not self._process:
            os.execvpe(command[0], command, {**os.environ, **env})

    def type(self, text):
        os.write(self._file, text.encode())

    def wait_for(self, text):
        """Returns what is printed behind the text, to the end of its line."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.output or "\n" not in self.output.rpartition(text)[2]:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} did not come: {self.output!r}"
            if select.select([self._file], [], [], left)[0]:
                self.output += os.read(self._file, 4096).decode(errors="replace")
        return self.output.rpartition(text)[2].splitlines()[0]

    def close(self):
        os.close(self._file)
        os.waitpid(self._process, 0)


def typed_in(terminal, line):
    """Types a line with a Tab at its end, and returns the arguments that pb-link gets."""
    terminal.output = ""
    terminal.type(f"pb-link {line}\t")
    terminal.type("\n")
    return terminal.wait_for("ARGS:").partition(":END")[0].strip()


@pytest.mark.parametrize("name, words, setup", [
    ("bash", ["--norc", "--noprofile", "-i"], "bind 'set bell-style none'; source {script}"),
    ("zsh", ["-f", "-i"], "autoload -U compinit; compinit -u -D; unsetopt beep; source {script}"),
])  # fmt: skip
def test_shell_completes_what_is_typed(scripts, shell_of, tmp_path, name, words, setup):
    terminal = Terminal([shell_of(name), *words], {"PS1": "> ", "TERM": "dumb", "HOME": str(tmp_path)})
    try:
        terminal.type(f"cd {tmp_path}; {setup.format(script=scripts[name])}\n")
        terminal.type("pb-link() { printf 'ARG''S:%s:END\\n' \"$*\"; }; echo REA''DY\n")
        terminal.wait_for("READY")
        assert [(line, typed_in(terminal, line)) for line, _ in CASES] == CASES
        (tmp_path / "pump.json").touch()
        assert [typed_in(terminal, line) for line in VALUES] == [f"{line}pump.json" for line in VALUES]
        assert [typed_in(terminal, line) for line in PLACES] == [f"{line}p.json" for line in PLACES]
    finally:
        terminal.type("exit\n")
        terminal.close()


def offered_by_fish(fish, path, line, home):
    """Returns the completions of a line."""
    words = [fish, "--no-config", "-c", f"source {path}; complete -C 'pb-link {line}'"]
    env = {**os.environ, "HOME": str(home)}
    done = subprocess.run(words, capture_output=True, text=True, env=env, cwd=home, check=True)
    return [text.partition("\t")[0] for text in done.stdout.splitlines()]


@pytest.mark.parametrize("line, wanted", CASES)
def test_fish_completes_what_is_typed(scripts, shell_of, tmp_path, line, wanted):
    offered = offered_by_fish(shell_of("fish"), scripts["fish"], line, tmp_path)
    assert offered == ([] if wanted == line else [wanted.rpartition(" ")[2]])


def test_file_names_are_completed_where_a_value_may_be_one(scripts, shell_of, tmp_path):
    (tmp_path / "pump.json").touch()
    for line in (*PLACES, *VALUES):
        assert offered_by_fish(shell_of("fish"), scripts["fish"], line, tmp_path) == ["pump.json"]


def test_scripts_are_valid_for_any_text_of_help(shell_of, tmp_path):
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    one = commands.add_parser("go", help="it's 100%% \"quoted\" $HOME `date` " + "long " * 50)
    one.add_argument("-f", "--from", choices=["a", "b"], help="don't")
    one.add_argument("--secret", help=argparse.SUPPRESS)
    one.add_argument("place", choices=["here", "there"])
    (go,) = Command(parser).commands
    assert len(go.text) <= MAX_TEXT and go.text.startswith("it's 100% ")
    assert [one.path for one in go.commands] == [" go here", " go there"]
    assert [option.flags for option in go.options] == [["-h", "--help"], ["-f", "--from"]]
    for name in SHELLS:
        (tmp_path / name).write_text(script(name, parser))
        subprocess.run([shell_of(name), "-n", tmp_path / name], check=True)
