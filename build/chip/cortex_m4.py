"""MicroPython on an emulated Cortex-M4, the processor of a Pyboard, whose instructions are counted exactly.

`cortex_m4_c/` is a port to a board that QEMU has, compiled and configured as that for a Pyboard. The emulator takes
64 ns for each instruction, and a timer of 40 ns shows that time (cortex_m4_c/border.c), so counts are exact. Needs
Debian's gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm.
"""

import hashlib
import os
import shutil
import subprocess
import sys

from build.tools import cache, debian, frozen, micropython
from build.tools.shell import MissingTool, clean_environment, output_of, run_logged, say

HZ = 168_000_000  # of a Pyboard
HEAP = 100 * 1024  # of a Pyboard
PORT = cache.ROOT / "build" / "chip" / "cortex_m4_c"
_CLIENT = cache.ROOT / "build" / "manifest_client.py"
_WHAT_FOR = "Counting a Cortex-M4's instructions"
_TIMEOUT_S = 120


def compiler():
    """Returns the path of the C compiler, with headers, installed if root. Raises: MissingTool."""
    gcc = debian.program("arm-none-eabi-gcc", "gcc-arm-none-eabi", _WHAT_FOR)
    if not _has_headers(gcc):
        debian.install(["libnewlib-arm-none-eabi"], _WHAT_FOR)
        if not _has_headers(gcc):
            raise MissingTool(f"{gcc} finds no string.h: install Debian's libnewlib-arm-none-eabi for it.")
    return gcc


def _has_headers(gcc):
    return output_of([gcc, "-E", "-x", "c", "-include", "string.h", os.devnull]) is not None


def emulator():
    """Returns the path of the emulator, installed if root. Raises: MissingTool."""
    return debian.program("qemu-system-arm", "qemu-system-arm", _WHAT_FOR)


def firmware(with_client=False):
    """Returns the path of the board's program, with asyncio frozen in, and the client if asked for. Built if there
    is none. Raises: BuildError."""
    gcc = compiler()
    source, mpy_cross = micropython.source(), micropython.mpy_cross()
    folder = cache.cache_folder() / "cortex-m4"
    folder.mkdir(exist_ok=True)
    with cache.locked(folder):
        port = frozen.mirror(PORT, folder / "port")
        manifest = folder / "manifest.py"
        client = f"include({str(_CLIENT)!r})\n" if with_client else ""
        manifest.write_text('include("$(MPY_DIR)/extmod/asyncio")\n' + client)
        copies, manifest = frozen.stage(frozen.frozen_files(source, manifest), folder / "stage")
        recipe = (output_of([gcc, "--version"]), str(source), frozen.digest_of(port))
        objects = folder / f"objects-{_digest(recipe)}"
        binary = folder / "bin" / f"firmware-{_digest((recipe, frozen.digest_of(copies)))}"
        if not cache.touch(binary):
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
    say("Building MicroPython for a Cortex-M4 (half a minute) ..")
    python = sys.executable if cache.is_safe_path(sys.executable) else "python3"
    command = ["make", "-C", str(folder / "port"), f"-j{os.cpu_count() or 1}", f"PYTHON={python}", f"MPTOP={source}"]
    command += [f"BUILD={objects}", f"FROZEN_MANIFEST={manifest}", f"MPY_LIB_DIR={library}"]
    settings = dict(clean_environment(), GIT_DIR=str(folder / "no-git"), MICROPY_MPYCROSS=str(mpy_cross))
    try:
        run_logged(command, folder / "make.log", env=settings)
    finally:
        unfinished.unlink(missing_ok=True)  # make leaves no half-made file; only a killed one does
    return objects / "firmware.elf"


class Board:
    """The emulated board. Args: binary: what `firmware` returned; files: the folder from which it imports what is not
    frozen."""

    def __init__(self, binary, files):
        self._command = [
            emulator(), "-machine", "mps2-an386", "-icount", "shift=6,sleep=off,align=off", "-nodefaults",
            "-nic", "none", "-display", "none", "-monitor", "none", "-serial", "none", "-kernel", str(binary),
        ]  # fmt: skip
        self._files = files

    def run(self, module, *words, heap=HEAP):
        """Imports the module with these arguments. Returns what it prints, as a list of lines.

        Raises: RuntimeError with its output if it raises an exception.
        """
        words = [str(word) for word in (heap, module, *words)]
        if any("," in word or " " in word for word in words):
            raise ValueError(f"the emulator's command line takes no comma and no space in a word: {words}")
        command = [*self._command, "-semihosting-config", ",arg=".join(["enable=on,target=native", *words])]
        try:
            done = subprocess.run(
                command, cwd=self._files, env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True,
                text=True, timeout=_TIMEOUT_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"{module} has not ended after {_TIMEOUT_S} s: {error.stdout}") from None
        if done.returncode:
            raise RuntimeError(f"{module} ended with status {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout.splitlines()
