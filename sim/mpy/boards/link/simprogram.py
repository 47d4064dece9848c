"""Compiles what a board is to run."""

import usys


def program(path, *arguments):
    """The compiled program of a file, to be executed in `__main__`."""
    usys.argv[:] = (path,) + arguments
    with open(path) as source:
        return compile(source.read(), path, "exec")
