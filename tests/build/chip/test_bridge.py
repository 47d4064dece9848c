"""build/chip/bridge.py, and the programs that it runs on the emulated processor."""

import shutil

import pytest

from build.chip import bridge, lx106
from build.tools import debian
from build.tools.shell import MissingTool
from protocol.framing import MAX_FRAME


class Printed:
    """A Chip that prints what the test says."""

    def __init__(self, **found):
        self._found = found

    def run(self, module, *words):
        return self._found


@pytest.fixture(scope="session")
def chip(missing_tool, tmp_path_factory):
    """The emulated chip that runs the bridge from ROMFS."""
    for name in ("xtensa-lx106-elf-gcc", "qemu-system-xtensa"):
        if not (debian.in_ci() or shutil.which(name)):
            pytest.skip(f"needs {name}, which `make bench-chip` installs")
    folder = tmp_path_factory.mktemp("bridge")
    try:
        lx106.write_images(folder, *bridge.PROGRAMS)
        return lx106.Chip("ROMFS", folder)
    except MissingTool as error:
        missing_tool(str(error))


def test_frames_are_told_by_line_too():
    printed = Printed(instructions=(80_000_000,), frames=(200,), longest=(400_000,))
    figures = {figure.name: figure.value for figure in bridge.frames(printed)}
    assert figures["bridge instructions, up, full frame"] == 400_000
    assert 60_000 < figures["bridge instructions, both 180"] < 80_000  # of almost six lines
    assert figures["bridge between two awaits, down, time"] == 5
    assert figures["bridge instructions, down 50, alone in its frame"] == 400_000


def test_clock_of_the_bus_is_what_a_bits_instructions_and_pauses_allow():
    parts = dict.fromkeys(("sha256", "seal", "switch", "interrupt", "write_call", "read_call"), (1,))
    printed = Printed(loop=(7, 7), write_byte_100=(90_000,), read_byte_100=(144_000,), **parts)
    figures = {figure.name: figure.value for figure in bridge.parts(printed)}
    assert figures["bridge, SoftI2C write, fastest"] == 800
    assert figures["bridge, SoftI2C read, fastest"] == 500
    assert figures["bridge, SoftI2C read, fastest with pauses"] == 250


def test_counter_that_is_wrong_is_an_error():
    with pytest.raises(RuntimeError, match="counts 6"):
        list(bridge.parts(Printed(loop=(6, 7))))


def test_same_frames_cost_the_same_instructions(chip):
    words = ("bridge_program", "up", MAX_FRAME, 20)
    one = chip.run(*words)
    assert chip.run(*words) == one
    assert one["frames"][0] >= 20 and one["exchanges"][0] >= 2 * 20
    assert 20 * 100_000 < one["instructions"][0] < 20 * 2_000_000
    assert 100_000 < one["longest"][0] < one["instructions"][0]


def test_bridge_relays_the_other_way_and_both_ways_at_once(chip):
    for direction in ("down", "both"):
        assert chip.run("bridge_program", direction, MAX_FRAME, 20)["frames"][0] >= 20


def test_free_heap_is_told_of_the_device_alone(chip):
    free, empty, booted, imported, collecting = (figure.value for figure in bridge.heap(chip, "ROMFS"))
    assert 10_000 < free < imported < booted < empty < lx106.HEAP
    assert 10_000 < collecting < 1_000_000


def test_parts_cost_what_such_parts_can_cost(chip):
    figures = {figure.name: figure.value for figure in bridge.parts(chip)}
    assert 2000 < figures["bridge, a SHA-256 block"] < 20_000
    assert figures["bridge, a SHA-256 block"] * 4 < figures["bridge, sealing 200 bytes"] < 100_000
    assert 1000 < figures["bridge, a soft interrupt"] < figures["bridge, a task switch"] < 100_000
    assert figures["bridge, size of a memoryview"] == 16  # four words
    assert 9 * 40 < figures["bridge, SoftI2C read, byte"] < figures["bridge, SoftI2C write, byte"] < 9 * 300
