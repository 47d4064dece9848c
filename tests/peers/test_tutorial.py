"""The tutorial, followed literally: from an empty folder and a fresh venv to values that arrive through crashes.

What stands behind the fence of a block says what it is: a file's name, or the terminal in which its commands are typed
(none: the first one). A block of `text` is what that terminal shows then, with other measured values. A command that
runs already is typed again after Ctrl-\\ in its terminal, as the text says.
"""

import contextlib
import os
import re
import shlex
import signal
from pathlib import Path

import pytest

from tests.peers.documented import ROOT, Shell, all_blocks, commands
from tests.peers.test_documented_commands import ANSWERS, TUTORIAL, boards, placed  # noqa: F401

FIRST = "first terminal"
SERVES = ("pb-link serve ", "pb-link sim up ")
WIRED = "mpremote connect"  # the self test: tests/sim/mpy/test_selftest.py runs it
INSTALL, WHEEL = "pip install ./pb_link", os.environ.get("PB_LINK_WHEEL")  # set by `make release`
MEASURED = re.compile(r"\d+\.\d+")


class Terminal:
    """A terminal: its shell, and the program that runs in it, or what its last command has printed."""

    def __init__(self, name, folder, state, programs, **env):
        (state / name).mkdir(parents=True)
        self.name = name
        self._shell = Shell(folder, state / name, **env)
        self._programs = programs  # ExitStack
        self.cwd = folder
        self.runs = []  # what has run here until it was stopped
        self._program = None
        self._command = None
        self._printed = ""

    def type(self, command, answers=()):
        if self._command == command:
            self._program.process.send_signal(signal.SIGQUIT)
            self._program.wait_for_end()
        if command.startswith(SERVES):
            self._command = command
            self._program = self._programs.enter_context(self._shell.running(command))
            self.runs.append(self._program)
        else:
            self._program = None
            self._printed = self._shell.run(command, answers)
        self.cwd = self._shell.cwd

    def shown(self):
        """Returns all that the programs here have printed that run until they are stopped, and the last command."""
        return "\n".join([*(line for program in self.runs for line in program.lines), self._printed])

    def shows(self, line):
        """Wait until the line is there; numbers that were measured are others. Returns the line that is there."""
        words = MEASURED.split(line)
        if self._program is None:
            found = [shown for shown in self._printed.splitlines() if words[0] in shown]
            assert found, f"{line!r} is not in\n{self._printed}"
            return found[0]
        return self._program.wait_for(words[0])


def values(program):
    """Returns the numbers of the values that a server has printed."""
    return [int(found[1]) for line in program.lines if (found := re.match(r"thermometer (\d+): ", line))]


@pytest.fixture
def terminals(tmp_path, default_port, boards, micropython64):  # noqa: F811
    """A function that returns the terminal of a name, and has `opened`. All begin in one empty folder. The port is
    given back when their programs have ended."""
    home = tmp_path / "home"
    home.mkdir()
    with contextlib.ExitStack() as programs:
        opened = {}

        def terminal(name):
            if name not in opened:
                opened[name] = Terminal(name, home, tmp_path / "terminals", programs, MICROPYTHON=micropython64)
            return opened[name]

        terminal.opened = opened
        yield terminal


def steps():
    """Yields (kind, name, text) of each block: ("file", its name, text), ("sh" or "text", the terminal, text)."""
    for fence, text in all_blocks(TUTORIAL):
        language, _, name = fence.partition(" ")
        yield (language, name or FIRST, text) if language in ("sh", "text") else ("file", name, text)


def see(terminals, name, line):
    """Wait until a terminal shows the line. What all have shown is in the report, if it does not."""
    try:
        terminals(name).shows(line)
    except AssertionError as error:
        for other in terminals.opened.values():
            error.add_note(f"--- {other.name}\n{other.shown()}")
        raise


def test_tutorial_is_followed_to_its_end(terminals, boards):  # noqa: F811
    for kind, name, text in steps():
        if kind == "file":
            (terminals(FIRST).cwd / name).write_text(text)
        elif kind == "text":
            for line in text.splitlines():
                see(terminals, name, line)
        else:
            for command in commands(text):
                if command == "make tools":  # what it installs is that of this run
                    link = f"ln -s {shlex.quote(str(ROOT / '.venv'))} .venv && touch -d @0 requirements-*.txt"
                    terminals(name).type(link)
                if command == INSTALL and WHEEL:
                    command = f"pip install {shlex.quote(WHEEL)}"
                if WIRED not in command:
                    terminals(name).type(placed(command, boards), ANSWERS.get(command, ()))
    killed, again = (values(program) for program in terminals(FIRST).runs)
    assert killed == list(range(1, len(killed) + 1)) and len(killed) >= 8  # each once, through the ESP8266's reset
    assert again == list(range(again[0], again[-1] + 1)) and again[-1] >= 11
    assert killed[-1] - 1 <= again[0] <= killed[-1] + 1  # through the server's crash: the last two at most come again
    deployed = (Path(boards["ADDRESS"]).parent / "client_board" / "client.py").read_text()
    assert deployed == next(text for kind, name, text in steps() if name == "client.py")


def test_tutorial_has_what_it_promises():
    kinds = [(kind, name) for kind, name, _ in steps()]
    assert [name for kind, name in kinds if kind == "file"] == ["sensors.json", "client.py", "application.py"]
    typed = [command for kind, _, text in steps() if kind == "sh" for command in commands(text)]
    assert typed[0].startswith("git clone ") and len([one for one in typed if one.startswith(SERVES)]) == 3
