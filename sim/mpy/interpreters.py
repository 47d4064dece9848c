"""Chooses the MicroPython that runs a board, and its command line.

MICROPYTHON, MICROPYTHON_BRIDGE and MICROPYTHON_CHIP name the interpreters; without them `build/micropython.py` finds
or builds them.
"""

import os
import subprocess
import sys
from pathlib import Path

from sim.root import ROOT

BOARDS = ROOT / "sim" / "mpy" / "boards"
ON_BOARD = ROOT / "sim" / "wires" / "on_board"  # what boards import by its bare name, too

# platform, _build, _machine: what `sys` says on the board.
LOOKS = {
    "pyboard": ("pyboard", "PYBV11", "PYBv1.1 with STM32F405RG (simulated)"),
    "rp2": ("rp2", "RPI_PICO", "Raspberry Pi Pico with RP2040 (simulated)"),
    "esp8266": ("esp8266", "", ""),
}
KINDS = tuple(LOOKS)


class NoInterpreter(Exception):
    """There is no MicroPython; the text says what to do."""


# For the bridge: frozen into the interpreter, or started from a flash with the images of firmware/.
BRIDGE, CHIP = "bridge", "chip"
_VARIABLES = {None: "MICROPYTHON", BRIDGE: "MICROPYTHON_BRIDGE", CHIP: "MICROPYTHON_CHIP"}


def find(which=None):
    """Returns the path of an interpreter. Building it may take a minute. Raises: NoInterpreter."""
    finder = ROOT / "build" / "micropython.py"
    if not finder.exists():
        raise NoInterpreter(
            "what runs in MicroPython needs the checkout of pb_link: boards have its folders on their path. Run this "
            "there, or `sim run --bed virtual`, which needs none"
        )
    named = os.environ.get(_VARIABLES[which])
    if named:
        if not os.access(named, os.X_OK):
            raise NoInterpreter(f"{named} is not a program that can be run (it is named in the environment)")
        return named
    command = [sys.executable, str(finder)] + ([f"--{which}"] if which else ["--bits", "64"])
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    lines = result.stdout.strip().splitlines()
    if result.returncode or not lines:
        raise NoInterpreter("no MicroPython could be found or built; name one in the environment variable MICROPYTHON")
    return lines[-1]


def _literal(value):
    # Every str is written so that MicroPython reads back the same text, for any path.
    return repr(str(value))


def board_command(interpreter, kind, fd, path, arguments=(), heap=None, folders=()):
    """Returns the command line that runs the program of a file. `folders` come on sys.path after the file's own."""
    path = Path(path).resolve()
    after = [path.parent, *folders, BOARDS / "lib"]
    setup = _setup(kind, fd, _stand_ins(kind), after)
    run = f"exec(simboot.program({', '.join(_literal(item) for item in (path, *arguments))}))"
    if kind != "esp8266":
        run = f"\ntry:\n    {run}\nexcept KeyboardInterrupt as error:\n    simboot.interrupted(error)"
        run += "\nsimboot.end(globals())"
    return _command(interpreter, heap, f"{setup}; {run}")


def bridge_command(interpreter, fd, module="esp_link.main", frozen=True, heap="38k", folders=()):
    """Returns the command line that runs the bridge: frozen in the 32-bit interpreter that has the chip's modules in C,
    or from the source tree in any other. `folders` come on sys.path, for a module that is not frozen."""
    if frozen:
        given = ", ".join((str(fd), *map(_literal, folders)))
        setup = f"import simchip; simchip.attach({given}); del simchip"
    else:
        setup = _setup("esp8266", fd, _stand_ins("esp8266"), [ROOT])
    return _command(interpreter, heap, f"{setup}; import {module}")


# MicroPython's steps at boot before main.py: ports/esp8266/main.c and py/runtime.c. The board sees its flash only, not
# the computer's file system.
_BOOT = """
import simchip, sys, vfs
simchip.attach({fd}, "/rom", "/rom/lib", "/lib", "/")
simchip.flash({flash})
vfs.umount("/")
try:
    vfs.mount(vfs.VfsRom(simchip.rom()), "/rom")
except OSError:
    pass
import _boot
del _boot, sys.modules["_boot"], sys, vfs, simchip
exec(open("main.py").read())
"""


def flash_command(interpreter, fd, flash, heap="38k"):
    """Returns the command line that runs a flash's content, as the ESP8266 boots from it. _boot.py is frozen, main.py
    is in its file system. The bridge is frozen as well (BRIDGE) or in its ROMFS (CHIP)."""
    return _command(interpreter, heap, _BOOT.format(fd=fd, flash=_literal(flash)))


def _stand_ins(kind):
    own = [BOARDS / "esp8266"] if kind == "esp8266" else [BOARDS / "common", ON_BOARD, BOARDS / "host"]
    return [BOARDS / "link", *own]


def _setup(kind, fd, first, then):
    # The stand-ins must come before the interpreter's own modules; "" (the current folder) must not.
    listed = ",".join(_literal(item) for item in (*first, ".frozen", *then))
    looks = ", ".join(_literal(item) for item in LOOKS[kind])
    return f"import sys; sys.path[:] = [{listed}]; import simboot; simboot.start({fd}, {looks})"


def _command(interpreter, heap, program):
    return [interpreter, *(["-X", f"heapsize={heap}"] if heap else []), "-c", program]
