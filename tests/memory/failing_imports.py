"""A program for MicroPython: an import of a module that is loaded when needed fails at each of its allocations.

    failing -c "import tests.memory.failing_imports" TIMES

TIMES: of each import every so many-th allocation fails, times the steps that are named here. Prints how many imports
failed. After each, the module is imported again, as the client does. Some failures are none: a call whose frame finds
no room in the heap takes the C stack.
"""

import sys

import allocations

from pb_link.app_base import _load_start
from pb_link.link import Link  # noqa: F401 - and all that a client has in memory
from pb_link.loading import half_loaded, opening_class
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


def channels():
    from pb_link import channels  # which imports six more

    return channels.channel


def utc():
    from pb_link import utc  # which imports one more

    return utc.utc


def strict_json():
    from protocol import strict_json

    return strict_json.decode_json


def surrogates():
    return encode_text("\ud83d\ude00")


def fails(load, n):
    """Have the n-th allocation of load() fail. Returns None if it has fewer, else True if it raised MemoryError."""
    allocations.fail(n, 1)
    allocations.resume()
    try:
        load()
        found = False if allocations.failed() else None
    except MemoryError:
        found = True
    allocations.pause()
    allocations.fail(0, 0)
    return found


def forget(name):
    package, leaf = name.split(".")
    if sys.modules.pop(name, None) and hasattr(sys.modules[package], leaf):
        delattr(sys.modules[package], leaf)


OF_CHANNELS = (
    "channel", "channel_errors", "channel_receiver", "channel_records", "channel_sender", "channel_session", "channels",
    "time_messages",
)  # fmt: skip
TIMES = int(sys.argv[1])
STEPS = {channels: 3, utc: 7}  # the others: each allocation. What utc and the console import is mostly the channels'
CONSOLE_STEP = 7
count = 0
for load in (release_check, failures, runner, surrogates, strict_json, channels, utc):
    name = ("protocol." if load in (surrogates, strict_json) else "pb_link.") + load.__name__
    n = 1
    while True:
        failed = fails(load, n)
        if failed is None:
            break
        if failed:
            count += 1
            if load is not surrogates:  # which sees to it itself
                half_loaded(name)
        load()
        forget(name)
        for leaf in OF_CHANNELS:
            forget("protocol." + leaf)
        n += TIMES * STEPS.get(load, 1)
    forget(name)
    for leaf in OF_CHANNELS:
        forget("protocol." + leaf)

n = 1
while True:
    failed = fails(opening_class, n)  # the same
    if failed is None:
        break
    count += 1 if failed else 0
    opening_class()
    n += TIMES

n = 1
while True:
    failed = fails(_load_start, n)  # which sees to it itself, for all that it imports
    if failed is None:
        break
    count += 1 if failed else 0
    _load_start().forget()
    n += TIMES


def console():
    start = _load_start()
    try:
        start.console_class(True, True)
    finally:
        start.forget()


n = 1
names = _load_start()._CONSOLE.split()
while True:
    failed = fails(console, n)  # which sees to it itself as well
    if failed is None:
        break
    count += 1 if failed else 0
    console()
    for name in names:
        forget(name)
    n += TIMES * CONSOLE_STEP
_load_start().forget()

from pb_link.channels import _load_requests  # noqa: E402 - `Link` and its imports come first

n = 1
while True:
    failed = fails(_load_requests, n)  # which sees to it itself, too
    if failed is None:
        break
    count += 1 if failed else 0
    _load_requests()
    for name in ("pb_link.requests", "protocol.requests"):
        forget(name)
    n += TIMES
assert n > 20, n
print(count)
