"""The bridge's TCP connection to the server, one at a time.

It never holds up the mailbox: `read` and `write` return at once. A task waits
for the socket to become readable; when the send buffer is full, another one
is started and waits for room; `tick` does keepalives and time-outs.
"""

import socket

from primitives.platform import Flag, core, readable, sleep_ms, writable
from protocol import const, framing

# An attempt to connect is given up after this.
_CONNECT_MS = const(8000)

# WELCOME and REFUSED, bytes: the most that a server sends without a session. The shortest frame of one has 17.
_NO_SESSION = const(65)

# Why no session came of an attempt: docs/protocol.md section 7, where the other codes are.
_W_NO_ANSWER = const(2)
_W_CLOSED = const(5)
_W_SILENT = const(6)
_W_FOREIGN = const(7)
_W_UNFINISHED = const(8)

# What is longer is cut into segments by lwIP (docs/hardware.md), of which the last one is not to wait.
_SEGMENT = const(536)

# From the first room in a full socket until it is used: what was sent together is acknowledged one segment after the
# other, and what is written in between would be as many small segments, of which lwIP has few.
_ROOM_MS = const(5)
# Four times as long after each write that took less than a segment of more, up to this: else small pieces, each
# acknowledged by itself, make room for small pieces for ever.
_ROOM_LAST_MS = const(320)

# Its countdowns, the first two of the bridge's: the server's silence, or how long connecting takes; the next keepalive.
_T_SILENCE = const(0)
_T_KEEPALIVE = const(1)


class Uplink:
    """The connection to the server, and what is needed to open the next one.

    Args:
    connect: esp_link.tcp.connect, or its like.
    wake: function of no arguments: the mailbox should be served.
    start_task: function that runs a coroutine as a task of the bridge and returns it.
    times: primitives.countdowns.Countdowns, of which 0 and 1 are the uplink's.
    """

    def __init__(self, connect, wake, start_task, times):
        self._connect = connect
        self._wake = wake
        self._start_task = start_task
        self._relay = None  # of the present connection
        self._consumed = Flag()  # `readable` is over, or the connection
        self._over = False  # the connection is to end
        self._reading = None  # the task of `serve` while it waits for the socket
        self._socket = None
        self._connecting = None  # the task that waits for a connection to open
        self.up = False
        self.readable = False  # `read` may have something
        self.writing = None  # memoryview: what of the last `write` has not been taken yet
        self.number = 0  # of the connection, 1..255, 0 before the first
        self.count = 0  # connections since the bridge started
        self._at_boundary = True  # what was written last ended a frame
        self._times = times
        self._timeout_ms = 0
        self._finishing = None  # the task that waits until the rest can be written, after it was first needed

    async def open(self, host, port):
        """Open a connection. Raises OSError."""
        self._connecting = task = core.current_task()
        self._times.start(_T_SILENCE, _CONNECT_MS)
        self._over = False  # here, not in `serve`: `end` may come while the connection opens
        try:
            self._socket = await self._connect(host, port)
        except core.CancelledError:
            if self._connecting is task:
                raise  # not by `tick`
            raise OSError(_W_NO_ANSWER, "the server does not answer")
        finally:
            self._connecting = None
        self.number = self.number % 255 + 1
        self.count += 1

    async def serve(self, timeout_ms):
        """Relay until the connection ends, for whatever reason; then close it.

        Returns: 0 if the server has opened a session: whoever else takes connections there says less. Otherwise why
            not, a code of DOWN.
        """
        self._relay = framing.FrameRelay()
        self._timeout_ms = timeout_ms
        self._times.start(_T_SILENCE, timeout_ms)
        self._times.start(_T_KEEPALIVE, timeout_ms // 4)
        self._at_boundary = True
        self.up = True
        self._finishing = None
        try:
            self.write(framing.PREAMBLE, True)
            while not self._over:
                self._consumed.clear()
                self._reading = core.current_task()
                await readable(self._socket)
                self._reading = None
                self.readable = True
                self._wake()
                await self._consumed
        except core.CancelledError:
            if not self._over:
                raise  # not by `end`
        finally:
            self.up = self.readable = False
            self.writing = self._reading = None
            if self._finishing:
                self._finishing.cancel()
            self._socket.close()
            self._socket = None
            self._wake()
        passed = self._relay.passed
        if passed > _NO_SESSION:
            return 0
        if self._relay.fault:
            return _W_FOREIGN
        if passed:
            return _W_UNFINISHED
        return _W_SILENT if self._times.over(_T_SILENCE) else _W_CLOSED

    def end(self):
        """End the connection. May be called at any time."""
        self._over = True
        self._consumed.set()
        if self._reading:
            task, self._reading = self._reading, None
            task.cancel()

    def tick(self, client_present):
        """See to keepalives and to the server's silence. Call it after each tick of the countdowns."""
        if self._connecting and self._times.over(_T_SILENCE):
            task, self._connecting = self._connecting, None
            task.cancel()
        if not self.up:
            return
        if self.readable:  # it has spoken: nobody has had time to read it
            self._times.start(_T_SILENCE, self._timeout_ms)
        if self._times.over(_T_SILENCE) or not client_present:
            self.end()
        elif self._times.over(_T_KEEPALIVE) and self._at_boundary and not self.writing:
            self._times.start(_T_KEEPALIVE, self._timeout_ms // 4)
            self.write(framing.KEEPALIVE, True)

    # Server to client

    def read(self, buf, view, start, end):
        """Read what has come into buf[start:end]; view is a memoryview of buf.

        Returns: (start, length) of what is to be passed on; the start may be
        one more. length is 0 if there is nothing.
        """
        if self._relay.held >= 0:
            start += 1  # what the relay has held back goes in front: it counts as well
        try:
            n = self._socket.readinto(view[start:end])
        except OSError:
            n = 0
        if n == 0:
            self.end()
        if n is None or n < end - start:  # that was all: the next read is worth it when more has come
            self.readable = False
            self._consumed.set()
        if not n:
            return start, 0
        self._times.start(_T_SILENCE, self._timeout_ms)
        start, end = self._relay.strip(buf, start, start + n)
        if self._relay.fault:
            self.readable = False
            self.end()
            return start, 0
        return start, end - start

    # Client to server

    def write(self, view, ends_frame):
        """Write view; what does not fit goes out later, and is `writing` until then.

        view must stay as it is until nothing is. Not before that.
        """
        self._at_boundary = ends_frame
        self.writing = view
        self._write_rest()
        if self.writing:
            self._finishing = self._start_task(self._finish_writes())

    def _write_rest(self):
        no_delay(self._socket, len(self.writing) > _SEGMENT)
        try:
            n = self._socket.write(self.writing) or 0
        except OSError:  # broken: the rest goes nowhere, and nobody may wait for it
            self.end()
            n = len(self.writing)
        self.writing = self.writing[n:] if n < len(self.writing) else None

    async def _finish_writes(self):
        pause_ms = _ROOM_MS
        while self.writing:
            await writable(self._socket)
            await sleep_ms(pause_ms)
            left = len(self.writing)
            self._write_rest()
            if self.writing and left - len(self.writing) < _SEGMENT:
                pause_ms = min(4 * pause_ms, _ROOM_LAST_MS)
        self._wake()


def no_delay(sock, on):
    """Let what is written from now on leave at once (on), or when all is acknowledged or a segment is full.

    Where that is refused it is as before: slower, and not wrong.
    """
    try:
        # On a socket whose connection has failed setsockopt crashes the chip. `send` raises then, and between the two
        # there is no jump and no return, at which lwIP might run.
        sock.send(b"")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, on)
    except (OSError, AttributeError):
        pass  # broken or full, which the write will tell; or a firmware without the option
