"""The standard files of a process that was started without them (`>&-`).

A file or a connection that is opened later would get the number of the closed one, and what is printed would be
written into it: into the store, for example.
"""

import os
import sys

_STANDARD = ("stdin", "stdout", "stderr")


def fill():
    """Put os.devnull in the place of each standard file that is closed. Call it before any file is opened.

    Returns the names of those that were closed, such as {"stdout"}.
    """
    while True:
        number = os.open(os.devnull, os.O_RDWR)
        if number >= len(_STANDARD):
            os.close(number)
            break
        os.set_inheritable(number, True)  # programs that the application starts need them just as much
    closed = {name for name in _STANDARD if getattr(sys, name) is None}
    for name in closed:
        mode = "r" if name == "stdin" else "w"
        setattr(sys, name, open(_STANDARD.index(name), mode, encoding="utf-8", closefd=False))
    return closed
