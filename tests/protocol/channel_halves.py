"""What the tests of channels have in common."""

from protocol.channel import Channel
from protocol.frame import LENGTH
from protocol.limits import MAX_LINE, RECEIVE_BYTES
from protocol.sequence import get16
from tests.protocol.wire import ticks_diff

try:
    from micropython import heap_lock, heap_unlock
except ImportError:

    def heap_lock():
        """CPython: nothing keeps it from allocating."""

    heap_unlock = heap_lock


def a_channel(fresh=False):
    channel = Channel(20, ticks_diff, RECEIVE_BYTES, MAX_LINE, fresh)
    channel.take_entry((0, 0, 0, 0, 100, 0), False)
    return channel


def records(sender, space=1000):
    """(header bits, bytes behind it) of the records that fill a frame."""
    sender.grant(0, 8000)
    buf = bytearray(space)
    end, at, found = sender.fill(buf, 0, space), 0, []
    while at < end:
        header = get16(buf, at)
        n = header & LENGTH
        found.append((header & ~LENGTH, bytes(buf[at + 2 : at + 2 + n])))
        at += 2 + n
    return found
