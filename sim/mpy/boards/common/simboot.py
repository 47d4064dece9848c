"""Starts a program on a board: `exec(simboot.program(..))` or `simboot.start(..)` and an import.

The stand-ins' folders are on sys.path already. `sys` is replaced by one that names the
board, `micropython` by one with what boards have and the unix port has not.
"""

from io import StringIO

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
    looks.print_exception = _print_exception
    if build:
        looks.implementation = _implementation(build, machine)
    usys.modules["micropython"] = chip = _Over(micropython)
    chip.alloc_emergency_exception_buf = _nothing  # the unix port has none
    chip.schedule = simlink.schedule  # not between any two bytecodes, of which some send a frame


def _print_exception(error, file=None):
    """sys.print_exception. To no file, it goes to a doubled terminal as well."""
    if file is not None:
        usys.print_exception(error, file)
        return
    usys.print_exception(error)
    if _terminal() is not None:
        text = StringIO()
        usys.print_exception(error, text)
        usys.modules["os"].show(text.getvalue())


def _terminal():
    """The doubled terminal, or None."""
    return getattr(usys.modules.get("os"), "terminal", None)


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


def interrupted(error):
    """The program was ended by KeyboardInterrupt: on a board the REPL comes next, see `end`."""
    if _terminal() is None:
        raise error
    _print_exception(error)


def end(names):
    """What a board does when its program has ended: a REPL, if the program has doubled the terminal."""
    if _terminal() is not None:
        import simrepl

        simrepl.run(names)
