"""MicroPython on an emulated lx106, the ESP8266's processor, whose instructions are counted exactly.

`lx106_c/` is a port to a machine that QEMU has, compiled and configured as that for the ESP8266, with a heap of the
chip's size. The processor's counter of 25 ns shows the emulator's time (lx106_c/border.c). A count is without the
flash's cache. emulated.py has what the chips share. Needs Debian's gcc-xtensa-lx106, libnewlib-dev (headers) and
qemu-system-misc.
"""

from pathlib import Path

from build.chip import emulated
from build.images import firmware as images
from build.tools import cache, debian
from build.tools.shell import MissingTool

HZ = 80_000_000  # of an ESP8266, unless a program asks for twice as much
HEAP = 38 * 1024  # ports/esp8266/main.c
PORT = cache.ROOT / "build" / "chip" / "lx106_c"
# What is frozen, by the layout of what is flashed.
LAYOUTS = {
    "frozen": cache.ROOT / "build" / "manifest.py",  # the classic firmware: the bridge is part of it
    "ROMFS": cache.ROOT / "build" / "tools" / "manifest_chip.py",  # the bridge runs from esp_link.romfs
}
_ENVIRONMENT = ("protocol", "primitives", "i2c_devices")  # packages of which the client's end is made
_HEADERS = Path("/usr/include/newlib/string.h")
_WHAT_FOR = "Counting the ESP8266's instructions"


def compiler():
    """Returns the path of the C compiler, with headers, installed if root. Raises: MissingTool."""
    gcc = debian.program("xtensa-lx106-elf-gcc", "gcc-xtensa-lx106", _WHAT_FOR)
    if not _HEADERS.exists():
        debian.install(["libnewlib-dev"], _WHAT_FOR)
        if not _HEADERS.exists():
            raise MissingTool(f"{_HEADERS} is missing: install Debian's libnewlib-dev.")
    return gcc


def emulator():
    """Returns the path of the emulator, installed if root. Raises: MissingTool."""
    return debian.program("qemu-system-xtensa", "qemu-system-misc", _WHAT_FOR)


def firmware(layout):
    """Returns the path of the program for the chip; built if there is none. Args: layout: key of LAYOUTS.

    Raises: BuildError.
    """
    return emulated.firmware("lx106", compiler(), PORT, f"include({str(LAYOUTS[layout])!r})\n")


def write_images(folder, *programs):
    """Write what the emulator loads into the folder: esp_link.romfs, and the environment with these files of the
    project, each as a module of its own. Raises: BuildError."""
    files = {f"{name}/{path.name}": path for name in _ENVIRONMENT for path in (cache.ROOT / name).glob("*.py")}
    files.update({Path(program).name: cache.ROOT / program for program in programs})
    Path(folder, "environment.romfs").write_bytes(images.romfs_of(files))
    Path(folder, "esp_link.romfs").write_bytes(images.romfs())


class Chip:
    """The emulated chip. Args: layout: key of LAYOUTS; folder: the one that write_images has filled."""

    def __init__(self, layout, folder):
        self._command = [
            emulator(), "-M", "sim", "-cpu", "lx106", "-icount", "shift=6,sleep=off", "-semihosting",
            "-nodefaults", "-display", "none", "-monitor", "none", "-serial", "none", "-kernel", str(firmware(layout)),
        ]  # fmt: skip
        self._romfs = "esp_link.romfs" if layout == "ROMFS" else "-"
        self._folder = folder

    def run(self, module, *words):
        """Imports the module of the environment, with these arguments.

        Returns: {name: numbers}, of the lines `name number ..` that it prints
        Raises: RuntimeError with its output if it raises an exception.
        """
        words = [str(word) for word in ("environment.romfs", self._romfs, HEAP, module, *words)]
        command = [*self._command, "-append", " ".join(words)]
        return parsed(emulated.run(command, self._folder, module))


def parsed(text):
    """Returns {name: numbers} of the lines `name number ..`; other lines are what the bridge says."""
    found = {}
    for line in text.splitlines():
        name, *numbers = line.split()
        if numbers and all(number.isdecimal() for number in numbers):
            found[name] = tuple(map(int, numbers))
    return found
