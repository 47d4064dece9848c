"""A life: the number that tells one run of a program from the last one."""

import os


def random16():
    """A random number 1..65535."""
    a, b = os.urandom(2)
    return 1 + (a << 8 | b) % 0xFFFF
