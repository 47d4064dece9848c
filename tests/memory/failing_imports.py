"""A program for MicroPython: an import of a module that is loaded when needed fails at each of its allocations.

    failing -c "import tests.memory.failing_imports"

Prints how many imports failed. After each, the module is imported again, as the client does.
"""

import sys

import allocations

from pb_link.app_base import _load_start
from pb_link.link import Link  # noqa: F401 - and all that a client has in memory
from pb_link.shortage import half_loaded
from protocol.text import encode_text


def release_check():
    from pb_link.release_check import ReleaseCheck

    return ReleaseCheck


def failures():
    from pb_link import failures

    return failures.Failures


def runner():
    from pb_link.runner import Runner

    return Runner


def surrogates():
    return encode_text("\ud83d\ude00")


def failed(load, n):
    """Returns True if the n-th allocation of load() failed."""
    allocations.fail(n, 1)
    allocations.resume()
    try:
        load()
        return False
    except MemoryError:
        return True
    finally:
        allocations.pause()
        allocations.fail(0, 0)


count = 0
for load in (release_check, failures, runner, surrogates):
    name = ("protocol." if load is surrogates else "pb_link.") + load.__name__
    n = 1
    while failed(load, n):
        if load is not surrogates:  # which sees to it itself
            half_loaded(name)
        load()
        sys.modules.pop(name)
        package = sys.modules[name.split(".")[0]]
        if hasattr(package, load.__name__):
            delattr(package, load.__name__)
        n += 1
        count += 1

n = 1
while failed(_load_start, n):  # which sees to it itself, for all that it imports
    _load_start().forget()
    n += 1
    count += 1
_load_start().forget()
print(count)
