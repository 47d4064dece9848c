"""The clock of a board: this computer's, with what the program has set. It keeps that through resets."""

import struct

import utime
from simlink import call

_RTC = 25
_offset = None


def offset():
    """Seconds from this computer's clock to the board's."""
    global _offset
    if _offset is None:
        reply = bytearray(4)
        call(_RTC, into=reply)
        _offset = struct.unpack("<i", reply)[0]
    return _offset


def set(moment):
    """Sets the clock to a tuple as of `gmtime`."""
    global _offset
    _offset = int(utime.mktime(moment)) - int(utime.mktime(utime.gmtime(utime.time_ns() // 1000000000)))
    call(_RTC, 1, data=struct.pack("<i", _offset), into=bytearray(4))


def time():
    return time_ns() // 1000000000


def time_ns():
    return utime.time_ns() + offset() * 1000000000


def gmtime(*seconds):
    return utime.gmtime(seconds[0] if seconds and seconds[0] is not None else time())[:8]  # as on boards


def localtime(*seconds):
    return gmtime(*seconds)
