"""i2c_devices on boards in real MicroPython."""

import asyncio
from pathlib import Path

import pytest

from sim.mpy import interpreters
from sim.mpy.bed import Bed
from sim.root import ROOT
from sim.wires.nets import Net
from tests.patience import PATIENCE_S

PROGRAMS = Path(__file__).parent / "programs"
EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize("options", [(), ("--board", "rp2", "--wires", "GP5=GP7,GP4=GP6")], ids=["pyboard", "rp2"])
def test_behaviour_of_each_class_on_a_board(sim, options):
    result = sim("board", PROGRAMS / "device_classes.py", *options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 failed" in result.stdout


@pytest.mark.parametrize("options", [(), ("--board", "rp2", "--wires", "GP5=GP7,GP4=GP6")], ids=["pyboard", "rp2"])
def test_select_and_asyncio_streams_on_a_board(sim, options):
    result = sim("board", PROGRAMS / "device_streams.py", *options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 failed" in result.stdout


def test_uart_example_answers_lines(sim):
    result = sim("board", EXAMPLES / "i2c_uart.py")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines() == ["read? -> 20 C", "heat 5 -> ok", "read? -> 25 C", "shine -> what?"]


class TwoBoards:
    """A device on one board, its controller on another, and two wires between them."""

    def __init__(self, interpreter):
        self.interpreter = interpreter
        self.bed = Bed()
        self.device = self.bed.add_board("device", "pyboard")
        self.controller = self.bed.add_board("controller", "pyboard")
        for name, pin in (("scl", "X9"), ("sda", "X10")):
            self.bed.wire(Net(name, pull_up=True), (self.device, pin), (self.controller, pin))
        self.printed = {"device": [], "controller": []}
        for board in (self.device, self.controller):
            board.on_line = self.printed[board.name].append

    async def start(self, board, program, arguments=()):
        await board.start(
            lambda fd: interpreters.board_command(
                self.interpreter, "pyboard", fd, program, arguments, folders=[ROOT]
            )
        )

    async def run(self, device, controller, arguments=()):
        """Runs both programs until the controller's ends. Returns what that printed."""
        await self.start(self.device, device)
        await self.start(self.controller, controller, arguments)
        try:
            await asyncio.wait_for(self.controller.wait(), PATIENCE_S)
        finally:
            self.bed.close()
            await self.bed.wait_closed()
        return self.printed["controller"]


def test_repl_example_is_a_repl_on_the_other_board(micropython64):
    lines = ["6 * 7", "x = [1, 2, 3]", "sum(x)", "1 / 0", "print('long ' * 100)", "print('\\u20ac' * 300)"]
    lines.append("stream.resets")
    printed = asyncio.run(TwoBoards(micropython64).run(EXAMPLES / "i2c_repl.py", EXAMPLES / "i2c_terminal.py", lines))
    text = "\n".join(printed)
    assert printed[0].startswith("the terminal is also on I2C")
    assert ">>> 6 * 7\n42\n" in text
    assert ">>> sum(x)\n6\n" in text
    assert "ZeroDivisionError" in text
    assert "long " * 100 in text
    assert "\u20ac" * 300 in text
    assert ">>> stream.resets\n1\n" in text


def test_stream_between_two_boards_is_echoed(micropython64):
    programs = PROGRAMS / "echo_device.py", PROGRAMS / "echo_controller.py"
    printed = asyncio.run(TwoBoards(micropython64).run(*programs))
    # The controller may come before the device: then its first exchanges fail.
    assert printed[-1].startswith("echoed 20000 resets 0"), printed
