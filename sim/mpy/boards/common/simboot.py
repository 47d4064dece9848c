"""Starts a program on a board: `exec(simboot.program(..))` or `simboot.start(..)` and an import.

The stand-ins' folders are on sys.path already. `sys` is replaced by one that names the
board, `micropython` by one with what boards have and the unix port has not.
"""

import micropython
import simlink
import usys
from simprogram import program


class _Over:
    """A module with some names replaced."""

    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        return getattr(self._module, name)


def start(fd, platform, build="", machine=""):
    simlink.attach(fd)
    usys.modules["sys"] = looks = _Over(usys)
    looks.platform = platform
    if build:
        looks.implementation = _implementation(build, machine)
    usys.modules["micropython"] = chip = _Over(micropython)
    chip.alloc_emergency_exception_buf = _nothing  # the unix port has none
    chip.schedule = simlink.schedule  # not between any two bytecodes, of which some send a frame


def _nothing(size):
    pass


def _implementation(build, machine):
    class Implementation:
        name = "micropython"
        version = usys.implementation.version
        _mpy = usys.implementation._mpy
        _build = build
        _machine = machine

    return Implementation


def end(names):
    """What a board does when its program has ended: a REPL, if the program has doubled the terminal."""
    system = usys.modules.get("os")
    if getattr(system, "terminal", None) is not None:
        import simrepl

        simrepl.run(names)
