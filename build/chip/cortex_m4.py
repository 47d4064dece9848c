"""MicroPython on an emulated Cortex-M4, the processor of a Pyboard, whose instructions are counted exactly.

`cortex_m4_c/` is a port to a board that QEMU has, compiled and configured as that for a Pyboard. A timer of 40 ns
shows the emulator's time (cortex_m4_c/border.c). emulated.py has what the chips share. Needs Debian's
gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm.
"""

import os

from build.chip import emulated
from build.tools import cache, debian
from build.tools.shell import MissingTool, output_of

HZ = 168_000_000  # of a Pyboard
HEAP = 100 * 1024  # of a Pyboard
PORT = cache.ROOT / "build" / "chip" / "cortex_m4_c"
_CLIENT = cache.ROOT / "build" / "manifest_client.py"
_WHAT_FOR = "Counting a Cortex-M4's instructions"


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
    client = f"include({str(_CLIENT)!r})\n" if with_client else ""
    manifest = 'include("$(MPY_DIR)/extmod/asyncio")\n' + client
    return emulated.firmware("cortex-m4", compiler(), PORT, manifest)


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
        return emulated.run(command, self._files, module).splitlines()
