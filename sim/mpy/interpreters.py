"""Chooses the MicroPython that runs a board, and its command line.

MICROPYTHON, MICROPYTHON_BRIDGE and MICROPYTHON_CHIP name the interpreters; without them `build/micropython.py` finds
or builds them.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from sim.mpy import models
from sim.root import ON_BOARDS, ROOT, SIM

BOARDS = SIM / "mpy" / "boards"
ON_BOARD = SIM / "wires" / "on_board"  # what boards import by its bare name, too



class NoInterpreter(Exception):
    """There is no MicroPython; the text says what to do."""


# For the bridge: frozen into the interpreter, or started from a flash with the images of firmware/.
BRIDGE, CHIP = "bridge", "chip"
_VARIABLES = {None: "MICROPYTHON", BRIDGE: "MICROPYTHON_BRIDGE", CHIP: "MICROPYTHON_CHIP"}

FINDER = ROOT / "build" / "micropython.py"  # of the checkout
OLDEST = (1, 25)  # with the asyncio and the modules that boards have
_PROBE = "import sys, asyncio, hashlib; print(sys.implementation[0], *sys.implementation[1][:2], sys.maxsize > 2**32)"
PROBE_S = 20
_GET_ONE = (
    "Install one, 1.25 or newer (the package micropython of your system or of Homebrew), or have one built, with "
    "CHECKOUT for the folder of pb_link's source:\n"
    '  export MICROPYTHON="$(python3 CHECKOUT/build/micropython.py)"\n'
    "`sim run --bed virtual` needs none"
)


def find(which=None):
    """Returns the path of an interpreter. In the checkout one is built if there is none, which may take a minute.
    Raises: NoInterpreter."""
    if os.name != "posix":
        raise NoInterpreter(
            "boards are processes of MicroPython's unix port: on Windows, run this in WSL. `sim run --bed virtual` "
            "runs here"
        )
    named = os.environ.get(_VARIABLES[which])
    if named:
        if not os.access(named, os.X_OK):
            raise NoInterpreter(f"{named} is not a program that can be run (it is named in the environment)")
        return named
    return _built(which) if FINDER.exists() else _installed(which)


def has_bridge(which=BRIDGE):
    """Returns whether there is, or can be built, an interpreter with the chip's modules for the bridge. An installed
    wheel has none: there the bridge runs from source, in the interpreter that the client has."""
    return FINDER.exists() or bool(os.environ.get(_VARIABLES[which]))


def _built(which):
    command = [sys.executable, str(FINDER)] + ([f"--{which}"] if which else ["--bits", "64"])
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    lines = result.stdout.strip().splitlines()
    if result.returncode or not lines:
        raise NoInterpreter("no MicroPython could be found or built; name one in the environment variable MICROPYTHON")
    return lines[-1]


def _installed(which):
    """Returns the `micropython` of PATH, which has to be new enough, and of 64 bits."""
    if which:
        raise NoInterpreter("the bridge's own interpreter is built in the checkout of pb_link: run this there")
    program = shutil.which("micropython")
    if program is None:
        raise NoInterpreter(f"boards are processes of MicroPython, and there is none here. {_GET_ONE}")
    try:
        done = subprocess.run([program, "-c", _PROBE], stdout=subprocess.PIPE, text=True, timeout=PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        done = None
    found = done and re.fullmatch(r"micropython (\d+) (\d+) True\n", done.stdout)
    if not found or tuple(map(int, found.groups())) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise NoInterpreter(f"{program} is no MicroPython {oldest} or newer for 64 bits with asyncio. {_GET_ONE}")
    return program


def _literal(value):
    # Every str is written so that MicroPython reads back the same text, for any path.
    return repr(str(value))


def board_command(interpreter, board, fd, path, arguments=(), heap=None, folders=()):
    """Returns the command line that runs the program of a file. Args: board: a name of models.py; folders: on sys.path,
    after the file's own."""
    path = Path(path).resolve()
    after = [path.parent, *folders, BOARDS / "lib"]
    model = models.find(board)
    kind = model.kind
    setup = _setup(model, fd, _stand_ins(kind), after)
    run = f"exec(simboot.program({', '.join(_literal(item) for item in (path, *arguments))}))"
    if kind != "esp8266":
        run = f"\ntry:\n    {run}\nexcept KeyboardInterrupt as error:\n    simboot.interrupted(error)"
        run += "\nsimboot.end(globals())"
    return _command(interpreter, heap, f"{setup}; {run}")


def bridge_command(interpreter, fd, module="esp_link.main", frozen=True, heap="38k", folders=()):
    """Returns the command line that runs the bridge: frozen in the 32-bit interpreter that has the chip's modules in C,
    or from the source tree in any other. `folders` come on sys.path, for a module that is not frozen."""
    if frozen:
        module = module.removeprefix("pb_link.")  # a wheel has it there, and what is frozen is as boards have it
        given = ", ".join((str(fd), *map(_literal, folders)))
        setup = f"import simchip; simchip.attach({given}); del simchip"
    else:
        setup = _setup(models.find("esp8266"), fd, _stand_ins("esp8266"), ON_BOARDS)
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
    return [BOARDS / "link", *own, *([BOARDS / "pyboard"] if kind == "pyboard" else [])]


def _setup(model, fd, first, then):
    # The stand-ins must come before the interpreter's own modules; "" (the current folder) must not.
    listed = ",".join(_literal(item) for item in (*first, ".frozen", *then))
    looks = ", ".join(_literal(item) for item in (model.platform, model.build, model.machine))
    return f"import sys; sys.path[:] = [{listed}]; import simboot; simboot.start({fd}, {looks})"


def _command(interpreter, heap, program):
    return [interpreter, *(["-X", f"heapsize={heap}"] if heap else []), "-c", program]
