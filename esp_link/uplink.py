"""The bridge's TCP connection to the server, one at a time.

It never holds up the mailbox: `read` and `write` return at once. A task waits
for the socket to become readable, another one, when the send buffer is full,
for it to become writable; `tick` does keepalives and time-outs.
"""

import asyncio

from primitives.platform import Flag
from primitives.timeout import Timeout
from protocol.framing import KEEPALIVE, PREAMBLE, FrameRelay

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


# An attempt to connect is given up after this.
_CONNECT_MS = const(8000)


class Uplink:
    """Args:
    connect: coroutine function (host, port) -> esp_link.tcp.TcpSocket, or its like.
    wake: function of no arguments: the mailbox should be served.
    start_task: function that runs a coroutine as a task of the bridge and returns it.
    """

    def __init__(self, connect, wake, start_task):
        self._connect = connect
        self._wake = wake
        self._start_task = start_task
        self._relay = FrameRelay()
        self._consumed = Flag()
        self._full = Flag()
        self._ended = Flag()
        self._socket = None
        self._connecting = None  # the task that waits for a connection to open
        self.up = False
        self.readable = False  # `read` may have something
        self.writing = False  # not all of the last `write` has been taken
        self.number = 0  # of the connection, 1..255, 0 before the first
        self.count = 0  # connections since the bridge started
        self._rest = None  # memoryview: what is still to be written
        self._at_boundary = True  # what was written last ended a frame
        self._silence = Timeout(0)
        self._keepalive = Timeout(0)

    async def open(self, host, port):
        """Open a connection. Raises OSError."""
        self._connecting = task = asyncio.current_task()
        self._silence.ms = _CONNECT_MS
        self._silence.restart()
        self._ended.clear()  # here, not in `serve`: `end` may come while the connection opens
        try:
            self._socket = await self._connect(host, port)
        except asyncio.CancelledError:
            if self._connecting is task:
                raise  # not by `tick`
            raise OSError("the server does not answer")
        finally:
            self._connecting = None
        self.number = self.number % 255 + 1
        self.count += 1

    async def serve(self, timeout_ms):
        """Relay until the connection ends, for whatever reason; then close it."""
        self._relay.reset()
        self._silence.ms = timeout_ms
        self._silence.restart()
        self._keepalive.ms = timeout_ms // 4
        self._keepalive.restart()
        self._full.clear()
        self._at_boundary = True
        self.up = True
        tasks = (self._start_task(self._watch_reads()), self._start_task(self._finish_writes()))
        try:
            self.write(PREAMBLE, True)
            await self._ended.wait()
        finally:
            self.up = self.readable = self.writing = False
            self._rest = None
            for task in tasks:
                task.cancel()
            self._socket.close()
            self._socket = None
            self._wake()

    def end(self):
        """End the connection. May be called at any time."""
        self._ended.set()

    def tick(self, client_present):
        """Keepalives and the server's silence: call it regularly."""
        if self._connecting and self._silence.expired():
            task, self._connecting = self._connecting, None
            task.cancel()
        if not self.up:
            return
        if self.readable:  # it has spoken: nobody has had time to read it
            self._silence.restart()
        if self._silence.expired() or not client_present:
            self.end()
        elif self._keepalive.expired() and self._at_boundary and not self.writing:
            self._keepalive.restart()
            self.write(KEEPALIVE, True)

    # Server to client

    def read(self, buf, view, start, end):
        """Read what has come into buf[start:end]; view is a memoryview of buf.

        Returns: (start, length) of what is to be passed on; the start may be
        one more. length is 0 if there is nothing.
        """
        self.readable = False
        if self._relay.held >= 0:
            start += 1  # what the relay has held back goes in front: it counts as well
        try:
            n = self._socket.readinto(view[start:end])
        except OSError:
            n = 0
        if n == 0:
            self.end()
        if not n:
            self._consumed.set()
            return start, 0
        self._silence.restart()
        start, end = self._relay.strip(buf, start, start + n)
        if self._relay.fault:
            self.end()
            return start, 0
        self._consumed.set()
        return start, end - start

    async def _watch_reads(self):
        while True:
            await self._socket.readable()
            self._consumed.clear()
            self.readable = True
            self._wake()
            await self._consumed.wait()

    # Client to server

    def write(self, view, ends_frame):
        """Write view; what does not fit goes out later, and `writing` is True until then.

        view must stay as it is until `writing` is False. Not while it is True.
        """
        self._at_boundary = ends_frame
        self._rest = view
        self.writing = True
        self._write_rest()
        if self.writing:
            self._full.set()

    def _write_rest(self):
        try:
            n = self._socket.write(self._rest)
        except OSError:  # broken: the rest goes nowhere, and nobody may wait for it
            self.end()
            n = len(self._rest)
        if n < len(self._rest):
            self._rest = self._rest[n:]
        else:
            self._rest = None
            self.writing = False

    async def _finish_writes(self):
        while True:
            await self._full.wait()
            while self.writing:
                await self._socket.writable()
                self._write_rest()
            self._wake()
