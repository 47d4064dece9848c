"""MicroPython on an emulated lx106, the ESP8266's processor, whose instructions are counted exactly.

`lx106_c/` is a port to a machine that QEMU has, compiled and configured as that for the ESP8266, with a heap of the
chip's size. The emulator takes 64 ns for each instruction, and the processor's counter of 25 ns shows that time
(lx106_c/border.c). So a count is a count, without the flash's cache. Needs Debian's gcc-xtensa-lx106, libnewlib-dev
(headers) and qemu-system-misc.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from build.images import firmware as images
from build.tools import cache, debian, frozen, micropython
from build.tools.shell import MissingTool, clean_environment, output_of, run_logged, say

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
_TIMEOUT_S = 120


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
    gcc = compiler()
    source, mpy_cross = micropython.source(), micropython.mpy_cross()
    folder = cache.cache_folder() / "lx106"
    folder.mkdir(exist_ok=True)
    with cache.locked(folder):
        port = frozen.mirror(PORT, folder / "port")
        copies, manifest = frozen.stage(frozen.frozen_files(source, LAYOUTS[layout]), folder / "stage")
        recipe = (output_of([gcc, "--version"]), str(source), frozen.digest_of(port))
        objects = folder / f"objects-{_digest(recipe)}"
        binary = folder / "bin" / f"firmware-{_digest((recipe, frozen.digest_of(copies)))}"
        if not cache.touch(binary):
            say(f"Building MicroPython for the ESP8266's processor, {layout} (half a minute) ..")
            cache.publish(_built(folder, objects, source, manifest, mpy_cross), binary)
            cache.prune(binary.parent, "firmware-")
    return binary


def _digest(recipe):
    return hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]


def _built(folder, objects, source, manifest, mpy_cross):
    """Returns the path of what make has made. What it compiled before is used again if only frozen files differ."""
    unfinished = objects / "unfinished"
    for other in folder.glob("objects-*"):
        if other != objects or unfinished.exists():
            shutil.rmtree(other)
    library = folder / "library"  # stands for micropython-lib, of which nothing is frozen
    library.mkdir(exist_ok=True)
    (library / "README.md").touch()
    objects.mkdir(exist_ok=True)
    unfinished.touch()
    shutil.rmtree(objects / "frozen_mpy", ignore_errors=True)  # as build/tools/micropython.py does
    (objects / "frozen_content.c").unlink(missing_ok=True)
    python = sys.executable if cache.is_safe_path(sys.executable) else "python3"
    command = ["make", "-C", str(folder / "port"), f"-j{os.cpu_count() or 1}", f"PYTHON={python}", f"MPTOP={source}"]
    command += [f"BUILD={objects}", f"FROZEN_MANIFEST={manifest}", f"MPY_LIB_DIR={library}"]
    settings = dict(clean_environment(), GIT_DIR=str(folder / "no-git"), MICROPY_MPYCROSS=str(mpy_cross))
    try:
        run_logged(command, folder / "make.log", env=settings)
    finally:
        unfinished.unlink(missing_ok=True)  # make leaves no half-made file; only a killed one does
    return objects / "firmware.elf"


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
        try:
            done = subprocess.run(
                command, cwd=self._folder, env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True,
                text=True, timeout=_TIMEOUT_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"{module} has not ended after {_TIMEOUT_S} s: {error.stdout}") from None
        if done.returncode:
            raise RuntimeError(f"{module} ended with status {done.returncode}: {done.stdout}{done.stderr}")
        return parsed(done.stdout)


def parsed(text):
    """Returns {name: numbers} of the lines `name number ..`; other lines are what the bridge says."""
    found = {}
    for line in text.splitlines():
        name, *numbers = line.split()
        if numbers and all(number.isdecimal() for number in numbers):
            found[name] = tuple(map(int, numbers))
    return found
