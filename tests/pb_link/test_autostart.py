"""What main.py on a board does with the program: in a real MicroPython, whose waits take no time."""

import subprocess

import pytest

from tests.peers.processes import ROOT

MICROPYTHON = False
MICROPYTHON_REASON = "starts MicroPython"

MAIN = """
import sys
sys.path.insert(0, {root!r})
import time
waits = []
class Time:
    def __getattr__(self, name):
        return getattr(time, name)
    def sleep(self, s):
        waits.append(s)
sys.modules["time"] = Time()
from pb_link import autostart
class Watchdog:
    fed = 0
    def feed(self):
        self.fed += 1
watchdog = Watchdog()
def reset():
    print("reset after", sum(waits), watchdog.fed >= len(waits))
    raise KeyboardInterrupt
try:
    autostart.run("app.py", reset, watchdog)
except KeyboardInterrupt:
    print("stopped")
"""
PROGRAMS = {
    "ends": ("print('in', __name__)", "pb_link: app.py has ended"),
    "raises": ("1 / 0", "ZeroDivisionError"),
    "exits": ("import sys\nsys.exit(3)", "SystemExit"),
    "cannot be compiled": ("if:", "SyntaxError"),
    "raises in asyncio": (
        "import asyncio\nasync def main():\n await asyncio.sleep_ms(1)\n raise ValueError('x')\nasyncio.run(main())",
        "ValueError: x",
    ),
}


@pytest.fixture
def started(tmp_path, micropython64):
    def lines(program):
        (tmp_path / "app.py").write_text(program)
        command = [micropython64, "-c", MAIN.format(root=str(ROOT))]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        return (done.stdout + done.stderr).splitlines()

    return lines


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_starts_again_whatever_ends_it_and_after_repeated_failures_the_board_is_reset(started, name):
    program, said = PROGRAMS[name]
    shown = started(program)
    assert sum(said in line for line in shown) == 6, shown
    assert shown[-2:] == ["reset after 61 True", "stopped"]
    assert [int(line.split(" in ")[1].split()[0]) for line in shown if "Ctrl-C stops" in line] == [1, 2, 4, 8, 16, 30]


def test_ctrl_c_in_the_program_stops_it(started):
    assert started("raise KeyboardInterrupt") == ["stopped"]
