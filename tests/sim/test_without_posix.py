"""What of the simulator runs where Python has no POSIX modules and signals, as on Windows, and what says it does not.

The modules and names that Windows' Python has not are taken away here. Windows itself is not tried.
"""

import subprocess
import sys

import pytest

from sim.mpy import interpreters
from tests.patience import PATIENCE_S
from tests.peers.processes import ROOT

# The modules are "Unix" in the index of Python's library. Its documentation of signal and asyncio has the rest.
WITHOUT = """
import asyncio, signal, socket, sys, types
sys.modules["msvcrt"] = types.ModuleType("msvcrt")  # Windows has it; bed virtual locks no file
for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None
for module, names in ((socket, ("AF_UNIX", "TCP_QUICKACK")), (signal, ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGWINCH"))):
    for name in names:
        delattr(module, name)
def refuse(*_):
    raise NotImplementedError
asyncio.SelectorEventLoop.add_signal_handler = refuse
from sim.cli import main
sys.exit(main(sys.argv[1:]))
"""


def without_posix(*words):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *words], cwd=ROOT, capture_output=True, text=True, timeout=4 * PATIENCE_S,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("run", "--bed", "virtual", "--lines", "30", "--faults", "bridge-kill=1"), '"delivered": 30, "lost": 0'),
        (("boards",), "Raspberry Pi Pico"),
    ],
)
def test_bed_virtual_needs_nothing_of_posix(words, shown):
    done = without_posix(*words)
    assert done.returncode == 0 and shown in done.stdout, done.stdout + done.stderr


def test_boards_say_in_a_line_that_they_need_wsl(monkeypatch):
    monkeypatch.setattr(interpreters.os, "name", "nt")
    with pytest.raises(interpreters.NoInterpreter, match="on Windows, run this in WSL.*--bed virtual. runs here"):
        interpreters.find()
