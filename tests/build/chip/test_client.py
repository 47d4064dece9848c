"""build/chip/client.py, and the programs that it runs on the emulated processor."""

import shutil

import pytest

from build.bench import boards, counts
from build.chip import client, cortex_m4
from build.tools import debian
from build.tools.shell import MissingTool


class Printed:
    """A Board that prints what the test says."""

    def __init__(self, line):
        self._line = line

    def run(self, module, *words):
        return [self._line]


@pytest.fixture
def board(missing_tool, tmp_path):
    """The emulated board with the client and all programs in its files."""
    for name in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if not (debian.in_ci() or shutil.which(name)):
            pytest.skip(f"needs {name}, which `make bench-chip` installs")
    try:
        firmware = cortex_m4.firmware(with_client=True)
        boards.compiled(tmp_path, "build/chip/__init__.py", client._RAM, client._COSTS, *counts.FILES)
        return cortex_m4.Board(firmware, tmp_path)
    except MissingTool as error:
        missing_tool(str(error))


def test_lines_are_told_by_line_by_frame_and_by_the_longest_hold():
    board = Printed("400 40000 80000000 80 70000000 504000 3 4000000 2000000")
    figures = {figure.name: figure.value for figure in client.lines(board)}
    assert len(figures) == 24
    assert figures["client instructions, up 180"] == 200000
    assert figures["client instructions, up 180, frame"] == 1000000
    assert figures["client allocates, up 180"] == 100
    assert figures["client collects garbage, up 50"] == 10000
    assert figures["client between two awaits, down 50, time"] == 3


def test_ram_is_told_with_the_kind_of_client():
    figures = {figure.name: figure.value for figure in client.ram(Printed("4 3 2 1"), "frozen")}
    assert figures["client RAM, import of pb_link, frozen"] == 4
    assert figures["client, a collection of the heap, frozen"] == 1


def test_same_lines_cost_the_same_instructions_and_the_loop_a_part_of_them(board):
    words = ("build.bench.client_program", "up", 20, 180)
    (printed,) = board.run(*words)
    assert board.run(*words) == [printed]
    lines, allocated, instructions, frames, of_steps, longest, *_ = map(int, printed.split())
    assert lines >= 20 and allocated > 0 and 0 < frames <= lines
    assert lines * 10_000 < of_steps < instructions and 0 < longest <= of_steps


def test_parts_cost_what_such_parts_can_cost(board):
    block, interrupt, switch, step = (figure.value for figure in client.parts(board))
    assert 1000 < block < 20_000 and 100 < interrupt < switch < step < 500_000
