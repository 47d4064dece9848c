"""A life: the number that tells one run of a program from the last one."""

import os


def random16():
    """A random number 1..65535. Raises: RuntimeError where there is no generator."""
    if not hasattr(os, "urandom"):
        raise RuntimeError("this board has no os.urandom: a target can be given life= instead, new in each run")
    a, b = os.urandom(2)
    return 1 + (a << 8 | b) % 0xFFFF
