"""build/chip/lx106.py, and the port that it builds: what is counted, and what of the device's heap is used."""

import shutil

import pytest

from build.chip import lx106
from build.tools import debian
from build.tools.shell import MissingTool

TOOLS = ("xtensa-lx106-elf-gcc", "qemu-system-xtensa")

PROGRAM = """
import border
LEFT = []
def waste():
    LEFT.append(bytearray(100000))  # more than the device has
def start():
    import gc
    gc.collect()
    before = gc.mem_free()
    border.count()
    border.outside(waste)
    print("outside", border.count())
    gc.collect()
    print("used", before - gc.mem_free())
    print("loop", border.loop(100010) - border.loop(10))
    try:
        bytearray(100000)
    except MemoryError:
        print("full 1")
    import sys
    print("seen", int("program" in sys.modules))
border.device(start)
"""


@pytest.fixture(scope="session")
def chip(missing_tool, tmp_path_factory):
    """Returns a function (text of a program) -> what the emulated chip prints of it."""
    for name in TOOLS:
        if not (debian.in_ci() or shutil.which(name)):
            pytest.skip(f"needs {name}, which `make bench-chip` installs")
    folder = tmp_path_factory.mktemp("lx106")
    try:
        lx106.write_images(folder)
        emulated = lx106.Chip("ROMFS", folder)
    except MissingTool as error:
        missing_tool(str(error))

    def run(text):
        (folder / "program.py").write_text(text)
        image = lx106.images.romfs_of({"program.py": folder / "program.py"})
        (folder / "environment.romfs").write_bytes(image)
        return emulated.run("program")

    return run


def test_lines_of_numbers_are_what_counts():
    assert lx106.parsed("frames 3\nesp_link: up, release 0.2.0\nloop 7 8\n") == {"frames": (3,), "loop": (7, 8)}


@pytest.mark.parametrize("tool, missing", [(lx106.compiler, TOOLS[0]), (lx106.emulator, TOOLS[1])])
def test_missing_tool_is_named_with_what_installs_it(tool, missing, monkeypatch):
    monkeypatch.setenv("PB_LINK_NO_INSTALL", "1")
    monkeypatch.setattr(shutil, "which", lambda name: None if name == missing else f"/usr/bin/{name}")
    with pytest.raises(MissingTool, match="apt-get install"):
        tool()


def test_environment_costs_the_device_no_instruction_and_no_byte(chip):
    printed = chip(PROGRAM)
    assert printed["outside"][0] < 10_000  # of the calls themselves; 100,000 bytes are cleared
    assert printed["used"] == (0,)
    assert printed["loop"] == (100000,)
    assert printed["full"] == (1,) and printed["seen"] == (0,)


def test_error_of_device_or_environment_ends_with_its_traceback(chip):
    with pytest.raises(RuntimeError, match="KeyError: mine"):
        chip("import border\ndef start():\n    raise KeyError('mine')\nborder.device(start)\n")
    with pytest.raises(RuntimeError, match="KeyError: its"):
        chip("raise KeyError('its')\n")
