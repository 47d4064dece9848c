"""Starts a program on a board: `exec(simboot.program(..))` or `simboot.start(..)` and an import.

The stand-ins' folders are on sys.path already. `sys` is replaced by one that names the board.
"""

import usys

import simlink


class _Sys:
    def __init__(self, platform):
        self.platform = platform

    def __getattr__(self, name):
        return getattr(usys, name)


def start(fd, platform, build="", machine=""):
    simlink.attach(fd)
    usys.modules["sys"] = looks = _Sys(platform)
    if build:
        looks.implementation = _implementation(build, machine)


def _implementation(build, machine):
    class Implementation:
        name = "micropython"
        version = usys.implementation.version
        _mpy = usys.implementation._mpy
        _build = build
        _machine = machine

    return Implementation


def program(path, *arguments):
    """The compiled program of a file, to be executed in `__main__`."""
    usys.argv[:] = (path,) + arguments
    with open(path) as source:
        return compile(source.read(), path, "exec")
