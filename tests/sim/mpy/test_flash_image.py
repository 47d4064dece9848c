"""The very images in firmware/ run: in real MicroPython, and on the simulated ESP8266 that boots from its flash."""

import asyncio
import importlib.util
import json
import re
import subprocess

import pytest

from build.install import flash
from protocol.version import RELEASE, release_text
from sim.mpy import esp8266, flash_image, interpreters
from sim.mpy.bed import Bed
from sim.mpy.boot_loader import BootLoader, SerialPort
from sim.wires.nets import Net
from sim.wires.wifi import Air
from tests.build.install.made_firmware import micropython
from tests.patience import PATIENCE_S
from tests.sim.conftest import Sim

UP = f"esp_link: up, release {release_text(RELEASE)}"
LINES = 40
LEAST_FREE = 13000  # bytes of the 38 KiB: what is not bytecode has to be in RAM, unlike that of frozen modules

MOUNT = """
import sys, vfs
with open(sys.argv[1], "rb") as file:
    vfs.mount(vfs.VfsRom(file.read()), "/rom")
sys.path[:] = [".frozen", "/rom"]
class Chip:  # without anything that the bridge needs: it resets the chip
    def reset(self):
        print("reset")
        raise SystemExit
for name in ("esp", "machine", "network"):
    sys.modules[name] = Chip()
from protocol.version import RELEASE
print(RELEASE)
import esp_link.main
"""


@pytest.fixture
def chip(micropython_chip, micropython_bridge, tmp_path):
    """chip(flash, until, frozen=False) -> lines: boots the chip alone, as at power-on, until a line holds the text."""

    async def main(flash, until, frozen):
        bed = Bed()
        board = bed.add_board("chip", "esp8266")
        for name, pin in (("scl", "0"), ("sda", "2"), ("syn", "5"), ("ack", "4")):
            bed.wire(Net(name, pull_up=True), (board, pin))
        lines, seen = [], asyncio.Event()
        interpreter = micropython_bridge if frozen else micropython_chip

        def on_line(line):
            lines.append(line)
            if until in line:
                seen.set()

        board.on_line = on_line
        part = esp8266.Esp8266(
            bed, board, Net("rst", pull_up=True), lambda fd: interpreters.flash_command(interpreter, fd, flash),
            air=Air(), boot_s=0,
        )  # fmt: skip
        part.power_on()
        try:
            await asyncio.wait_for(seen.wait(), PATIENCE_S)
        except asyncio.TimeoutError:
            pytest.fail("\n".join(lines))
        finally:
            part.power_off()
            bed.close()
            await part.wait_off()
            await bed.wait_closed()
        return lines

    return lambda flash, until, frozen=False: asyncio.run(main(flash, until, frozen))


@pytest.mark.parametrize("bits", [64, 32])
def test_real_micropython_runs_the_romfs_image(request, bits):
    interpreter = request.getfixturevalue(f"micropython{bits}")
    command = [interpreter, "-c", MOUNT, flash_image.FIRMWARE / "esp_link.romfs"]
    shown = subprocess.run(command, capture_output=True, text=True)
    lines = shown.stdout.splitlines()
    assert (lines[0], lines[-1]) == (str(RELEASE), "reset"), shown
    assert "has no attribute 'sleep_type'" in shown.stdout and "/start.py" in shown.stdout, shown


def test_link_runs_with_the_bridge_booted_from_the_images(micropython64, micropython_chip, report_line):
    sim = Sim({"MICROPYTHON": micropython64, "MICROPYTHON_CHIP": micropython_chip})
    result = sim("run", "--lines", LINES, "--line-bytes", 180, "--faults", "bridge-kill=1", "--bridge-image", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    summary = json.loads(result.stdout.splitlines()[-1])
    assert summary["client_to_server"]["delivered"] == summary["server_to_client"]["delivered"] == LINES
    assert summary["resets"] >= 1
    free = int(re.search(r"least free heap (\d+) bytes", result.stdout + result.stderr)[1])
    report_line(f"bridge from ROMFS: least free heap {free} bytes of a 38 KiB heap")
    assert free >= LEAST_FREE


@pytest.mark.parametrize("size", flash_image.SIZES)
def test_chip_of_either_size_starts_the_bridge(chip, tmp_path, size):
    assert UP in chip(flash_image.write(tmp_path / "flash.bin", size), UP)


def test_what_was_flashed_boots(chip, tmp_path, capfd, missing_tool):
    """The real esptool writes a simulated chip's flash; then that chip boots from it, and its banner ends flash.py."""
    if importlib.util.find_spec("esptool") is None:
        missing_tool("esptool is not installed: make tools")
    path = tmp_path / "micropython.bin"
    path.write_bytes(micropython())
    loader = BootLoader(4 * flash_image.MIB)

    def program(say):
        written = tmp_path / "flash.bin"
        written.write_bytes(loader.flash)
        say("".join(line + "\r\n" for line in chip(written, UP)))

    with SerialPort(loader, program) as port:
        assert flash.main(["--port", port.path, "--micropython", str(path)]) == 0
    assert UP in capfd.readouterr().err


def test_code_is_the_images_and_nothing_else(chip, tmp_path):
    """With the ROMFS erased, the same interpreter and the same main.py find no bridge."""
    flash = flash_image.write(tmp_path / "flash.bin")
    content = bytearray(flash.read_bytes())
    content[0xB0000:0x100000] = b"\xff" * 0x50000
    flash.write_bytes(content)
    assert "ImportError: no module named 'esp_link'" in chip(flash, "ImportError")


def test_classic_firmware_makes_its_file_system_once(chip, tmp_path):
    flash = tmp_path / "flash.bin"
    flash.write_bytes(b"\xff" * flash_image.SIZES["2MiB"])
    assert chip(flash, UP, frozen=True)[0] == "esp_link: making the file system"
    assert chip(flash, UP, frozen=True)[0] == UP


def test_classic_firmware_leaves_a_file_system_alone(chip, tmp_path):
    flash = flash_image.write(tmp_path / "flash.bin", "2MiB")
    before = flash.read_bytes()
    chip(flash, UP, frozen=True)
    assert flash.read_bytes() == before
