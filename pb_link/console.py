"""The client's console: what is printed here goes to the server, on system channel 3. Loaded with console=True.

What is written goes into a ring in RAM, in which the oldest bytes make way for new ones. A task of the link's sends it
in messages without qos while channel 3 can be used; until then it stays in the ring. Printing never waits for it.

A message to the server:
    0   1   flags: 01 TAKES_INPUT, see console_input.py
    1   4   offset: how many bytes were printed before these, modulo 2**30. A gap is what was lost, here or on the way
    5   ..  the bytes, or none

The bytes come from os.dupterm, which boards have: all that any terminal would show. console_print.py is for builds
without it. docs/console.md has the contract.
"""

import gc
import os
from io import IOBase
from struct import pack_into

from pb_link.channels import channels_of
from primitives.platform import sleep_ms
from protocol import const
from protocol.lines import NUMBERS

RING_BYTES = const(1024)
CHANNEL = const(3)
TAKES_INPUT = const(0x01)
HEADER = const(5)
# Bytes of one message, and how many of them may wait for their frame: lines and other channels go between.
PIECE_BYTES = const(200)
_WAITING = const(2)
# The ring is looked at this often.
_LOOK_MS = const(50)
# After the link or this task has run out of memory nothing is sent for so long: it would only print more about it.
_SHORTAGE_PAUSE_MS = const(5000)

_POLL = const(3)  # MP_STREAM_POLL
_POLL_READ = const(1)
_POLL_WRITE = const(4)


def load(repl):
    """Returns (the class Input or None, the class Printed or None): what this build needs."""
    input_class = printed_class = None
    if repl:
        from pb_link.console_input import Input as input_class
    if not hasattr(os, "dupterm"):
        from pb_link.console_print import Printed as printed_class
    return input_class, printed_class


class Ring:
    """The newest bytes of all that were written, as many as there is room for."""

    def __init__(self, size):
        self._buf = bytearray(size)
        self._at = 0  # place of the next byte
        self.end = 0  # bytes ever written, modulo 2**30
        self.count = 0  # of them that are here

    def write(self, data):
        """Write bytes. Allocates nothing, so that an exception of a lack of memory can be printed."""
        buf, at = self._buf, self._at
        size = len(buf)
        n = len(data)
        for i in range(max(0, n - size), n):
            buf[at] = data[i]
            at += 1
            if at == size:
                at = 0
        self._at = at
        self.end = (self.end + n) & NUMBERS
        self.count = min(self.count + n, size)

    def message(self, count, flags):
        """Returns a message with the oldest count bytes."""
        data = bytearray(HEADER + count)
        pack_into(">BI", data, 0, flags, (self.end - self.count) & NUMBERS)
        size = len(self._buf)
        at = (self._at - self.count) % size
        for i in range(HEADER, HEADER + count):
            data[i] = self._buf[at]
            at = at + 1 if at + 1 < size else 0
        return bytes(data)

    def drop(self, count):
        """Forget the oldest bytes."""
        self.count -= count


class Console(IOBase):
    """The console of a link that is not running yet. It is a stream for os.dupterm.

    Args: link: Link; repl: bool: it takes input. Only start.py makes sure that this can be.
    """

    def __init__(self, link, repl):
        self.ring = Ring(RING_BYTES)
        self.channel = None  # the protocol's Channel
        self.link = link
        self.create_task = link.create_task  # for tasks of the link's own, not of the application's
        self.muted = False  # a frame is printed, which may be one of the console
        self._told = False  # the server has a message on this connection
        self._run_link = link.run
        input_class, printed_class = load(repl)
        self._input = input_class and input_class(self)
        self._printed = printed_class and printed_class(self)
        if link.frame_log:
            link.frame_log.console = self
        link.run = self.run

    async def run(self):
        """In place of Link.run."""
        running = self._begin()
        while running is None:
            await sleep_ms(_LOOK_MS)
            running = self._begin()
        try:
            await running
        finally:
            self._end()

    def _begin(self):
        """Returns the coroutine of Link.run, or None if memory is short: the caller tries again."""
        try:
            self._attach()
            running = self._run_link()
            self.create_task(self._send_all())
        except MemoryError:
            gc.collect()
            return None
        return running

    def _attach(self):
        """Have what is printed from now on. Raises: MemoryError; it may be called again."""
        if self._printed:
            self._printed.attach()
            return
        before = os.dupterm(self)
        if before is not None and not isinstance(before, Console):
            os.dupterm(before)  # another one's terminal

    def _end(self):
        if self._printed:
            self._printed.detach()
        else:
            before = os.dupterm(None)
            if before is not None and before is not self:
                os.dupterm(before)

    async def _send_all(self):
        link = self.link
        shortages = link.shortage.count
        while not link.closed:
            pause = link.shortage.count != shortages
            try:
                if not pause:
                    self._look()
            except MemoryError:
                gc.collect()
                pause = True
            shortages = link.shortage.count
            await sleep_ms(_SHORTAGE_PAUSE_MS if pause else _LOOK_MS)

    def _look(self):
        """Send what can go; take what has come."""
        if not self._printed:
            self._attach()  # MicroPython lets go of a stream whose `write` could not be called for lack of memory
        link = self.link
        if self.channel is None:
            self.channel = channels_of(link).open(CHANNEL)
            link.flag.set()
        if link.up and self.channel.ready:
            self._send()
            if self._input:
                self._input.look()
        else:
            self._told = False

    def _send(self):
        ring, channel = self.ring, self.channel
        while ring.count or not self._told:
            count = min(ring.count, PIECE_BYTES)
            if channel.unacknowledged() >= _WAITING or not channel.room_for(HEADER + count):
                return
            channel.append(ring.message(count, TAKES_INPUT if self._input else 0), False)
            ring.drop(count)
            self._told = True
            self.link.flag.set()

    # The stream, as os.dupterm calls it. What it raises would have MicroPython let go of it.

    def write(self, data):
        """Returns how many bytes were taken: all."""
        if not self.muted:
            self.ring.write(data)
        return len(data)

    def readinto(self, buf):
        """Returns 1, or None: nothing has come."""
        return self._input.readinto(buf) if self._input else None

    def ioctl(self, request, flags):
        if request != _POLL:
            return 0
        if self._input and self._input.waits():
            return flags & (_POLL_READ | _POLL_WRITE)
        return flags & _POLL_WRITE
