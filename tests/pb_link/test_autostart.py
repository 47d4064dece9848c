"""What the main.py of `build/deploy.py --app` does with a program: on simulated boards, in a real MicroPython."""

import os
import signal
import sys
from pathlib import Path

import pytest

from build.install import deploy
from tests.peers.processes import running, up, write_settings

MICROPYTHON = False
MICROPYTHON_REASON = "starts simulated boards"

RESET = "pb_link: the board is reset in 10 s. Ctrl-C stops that"
IN_ASYNCIO = "import asyncio\nasync def main():\n await asyncio.sleep(0)\n raise ValueError('x')\nasyncio.run(main())"
PROGRAMS = {
    "ends": ("print('in', __name__)", "pb_link: client.py has ended"),
    "raises": ("1 / 0", "ZeroDivisionError: divide by zero"),
    "raises when it imports": ("import nothing_of_the_kind", "ImportError: no module named 'nothing_of_the_kind'"),
    "exits": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "cannot be compiled": ("if:", "SyntaxError: invalid syntax"),
    "raises in asyncio": (IN_ASYNCIO, "ValueError: x"),
    "is absent": (None, "OSError: [Errno 2] ENOENT"),
}
HANGS = "import time\nfrom machine import WDT\nprint('starts')\nWDT(timeout=2000)\nwhile True:\n time.sleep(1)"
APP = """
import asyncio
from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

class App(AppBase):
    async def start(self):
        print("application starts")
        %s

asyncio.run(App(conn_id, config, hardware).run())
"""


@pytest.fixture
def board(tmp_path, micropython64, micropython_bridge):
    """Starts a board (with an ESP8266 if linked) that has this program, and the main.py of deploy.py."""

    def start(program, linked=False):
        main = tmp_path / "main.py"
        main.write_text(deploy.MAIN_OF_APP % "client.py")
        if program is not None:
            (tmp_path / "client.py").write_text(program)
        command = up(main) if linked else [sys.executable, "-m", "sim", "board", main]
        return running(command, tmp_path, MICROPYTHON=micropython64, MICROPYTHON_BRIDGE=micropython_bridge)

    return start


def interrupt(simulator):
    """Ctrl-C at the board: its process is the one child of the simulator's."""
    process = simulator.process.pid
    (board,) = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    os.kill(int(board), signal.SIGINT)


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_that_ends_or_raises_is_shown_and_the_board_is_to_be_reset(board, name):
    program, said = PROGRAMS[name]
    with board(program) as shown:
        shown.wait_for(RESET)
        assert sum(said in line for line in shown.lines) == 1, shown.lines


def test_program_runs_as_main_again_after_the_reset_and_nothing_is_left_over(board, tmp_path):
    (tmp_path / "module.py").touch()
    with board("import sys\nprint(__name__, 'module' in sys.modules)\nimport module") as shown:
        shown.wait_for("__main__ False", 2)


def test_ctrl_c_in_the_program_or_in_the_pause_stops_it(board):
    for program, said in (("import time\nprint('runs')\nwhile True:\n time.sleep(1)", "runs"), ("1 / 0", RESET)):
        with board(program) as shown:
            shown.wait_for(said)
            interrupt(shown)
            shown.wait_for("(end of output)")
            assert any(line.startswith("KeyboardInterrupt") for line in shown.lines) and shown.lines.count(said) == 1
            assert RESET not in shown.lines or said == RESET


def test_watchdog_of_a_program_that_hangs_starts_it_again(board):
    with board(HANGS) as shown:
        shown.wait_for("starts", 2)
        assert RESET not in shown.lines


def test_client_whose_run_has_returned_starts_again(board, tmp_path):
    write_settings(tmp_path)
    with board(APP % "self.close()", linked=True) as shown:
        shown.wait_for("client | pb_link: client.py has ended")
        shown.wait_for("client * starts again")
        shown.wait_for("application starts", 2)


def test_client_whose_application_fails_is_reset_by_run_alone(board, tmp_path):
    """`run` has started it again in its session; nothing waits once more."""
    write_settings(tmp_path)
    with board(APP % "raise ValueError('of the application')", linked=True) as shown:
        shown.wait_for("client * starts again")
        shown.wait_for("application starts", 6)
        assert sum("pb_link: the board is reset in 5 s" in line for line in shown.lines) == 1
        assert not any(RESET in line for line in shown.lines)
