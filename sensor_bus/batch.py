"""A batch: what one message of system channel 2 carries, samples of several devices of one bus. Pure.

    0   1   version: 1
    1   4   life: the random number of this start of the client's service
    5   6   now: the bus's time of the newest sample, in units of 100 us since the bus was made
    11  1   count of the type names that follow
    ..      each: type number 2, length 1, the name in UTF-8
    ..      a devbin envelope: publish.py

A sample has only the low 16 bits of its time. No sample of a batch is older than `now` by SPAN or more, so its whole
time follows from `now`. Each batch names the types in it: it is understood without any other one.
"""

from struct import pack, unpack_from

from protocol import const

VERSION = const(1)
# In front of the names.
HEAD = const(12)
# Samples of one batch lie within this time, in 100 us: 6 s, less than the 6.5536 s after which a stamp repeats.
SPAN = const(60000)
MAX_NAME = const(255)
MAX_NAMES = const(255)

_HEAD = ">BIHIB"
_NAME = ">HB"
NAME_HEAD = const(3)


def encode_batch(life, now, names, envelope):
    """Returns the bytes. Args: life: 0..2**32-1; now: 0..2**48-1; names: {type number: name}; envelope: bytes."""
    parts = [pack(_HEAD, VERSION, life, now >> 32, now & 0xFFFFFFFF, len(names))]
    for number in sorted(names):
        name = names[number].encode()
        parts.append(pack(_NAME, number, len(name)))
        parts.append(name)
    parts.append(envelope)
    return b"".join(parts)


def decode_batch(data):
    """Returns (life, now, {type number: name}, envelope). Raises: ValueError, if it is no batch of this version."""
    if len(data) < HEAD:
        raise ValueError("a batch has at least %d bytes, not %d" % (HEAD, len(data)))
    version, life, high, low, count = unpack_from(_HEAD, data, 0)
    if version != VERSION:
        raise ValueError("this release reads batches of version %d, not %d" % (VERSION, version))
    names, at = {}, HEAD
    for _ in range(count):
        if at + NAME_HEAD > len(data):
            raise ValueError("the names of the batch are cut")
        number, size = unpack_from(_NAME, data, at)
        at += NAME_HEAD
        if at + size > len(data):
            raise ValueError("the names of the batch are cut")
        try:
            names[number] = str(bytes(data[at : at + size]), "utf-8")
        except UnicodeError:
            raise ValueError("the name of type %d is not UTF-8" % number)
        at += size
    return life, high << 32 | low, names, data[at:]


def time_of(now, stamp):
    """Returns the whole time of a sample, in 100 us. Args: now: of its batch; stamp: its low 16 bits."""
    return now - ((now - stamp) & 0xFFFF)
