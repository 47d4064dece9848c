"""The bridge's TCP connection to the server, one at a time.

Three tasks while it is open: one reads chunks into `_inbox`, one writes what
the mailbox has received, and `tick` is called regularly for keepalives and
time-outs. None of them ever holds up the mailbox: a stalled server leaves the
writer waiting, and the client's next transfer unread.
"""

import asyncio

from esp_link.limits import CONNECT_MS
from primitives.platform import Flag
from primitives.timeout import Timeout
from protocol.frame_relay import FrameRelay
from protocol.framing import KEEPALIVE, PREAMBLE
from protocol.mailbox import FRAME_END, HEADER, PAYLOAD

# A transfer's header goes in front of the payload, and one byte more may:
# half a length prefix that was held back (FrameRelay.strip).
_START = HEADER + 1


class Uplink:
    """Args:
    box: MailboxController, whose `incoming` is written to the server.
    wake: function of no arguments: the mailbox should be served.
    open_connection: asyncio.open_connection, or something like it.
    start_task: Supervisor.start of the group that the tasks belong to.
    """

    def __init__(self, box, wake, open_connection, start_task):
        self._start_task = start_task
        self._box = box
        self._wake = wake
        self._open_connection = open_connection
        self._relay = FrameRelay()
        self._inbox = bytearray(1 + HEADER + PAYLOAD)
        self._view = memoryview(self._inbox)
        self._read_view = self._view[_START:]
        self._inbox_free = Flag()
        self._outgoing = Flag()
        self._ended = Flag()
        self.up = False
        self._connecting = None  # the task that waits for a connection to open
        self.number = 0  # of the connection, 1..255, 0 before the first
        self.count = 0  # connections since the bridge started
        self.start = self.length = 0  # what waits in the inbox: offset and bytes
        self.in_flight = False  # the client has not confirmed what is in the inbox
        self._writing = False
        self._at_boundary = True  # the client's last transfer ended a frame

    async def connect(self, host, port):
        """Open a connection. Raises OSError."""
        self._connecting = task = asyncio.current_task()
        self._connect_limit = Timeout(CONNECT_MS)
        try:
            reader, writer = await self._open_connection(host, port)
        except asyncio.CancelledError:
            if self._connecting is task:
                raise  # not by `tick`
            raise OSError("the server does not answer")
        finally:
            self._connecting = None
        self._reader = reader
        self._writer = writer
        self._relay.reset()
        self.length = 0
        self._writing = False
        self._at_boundary = True
        self.number = self.number % 255 + 1
        self.count += 1

    async def serve(self, timeout_ms):
        """Relay until the connection ends, for whatever reason; then close it."""
        self._keepalive = Timeout(timeout_ms // 4)
        self._keepalive.expire()
        self._silence = Timeout(timeout_ms)
        self._ended.clear()
        if not self.in_flight:
            self._inbox_free.set()
        self._outgoing.clear()
        self.up = True
        self._writer.write(PREAMBLE)
        tasks = (self._start_task(self._read()), self._start_task(self._write()))
        try:
            await self._ended.wait()
        finally:
            self.up = False
            for task in tasks:
                task.cancel()
            self.length = 0
            self._release_incoming()
            await self._close()

    async def _close(self):
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            pass  # it was broken already
        self._reader = self._writer = None

    def end(self):
        """End the connection. May be called at any time."""
        self._ended.set()

    def tick(self, client_present):
        """Keepalives and the server's silence: call every HOUSEKEEPING_MS."""
        if self._connecting and self._connect_limit.expired():
            task, self._connecting = self._connecting, None
            task.cancel()
        if not self.up:
            return
        if self._silence.expired() or not client_present:
            self.end()
        elif self._keepalive.expired() and self._at_boundary and not self._writing:
            self._keepalive.restart()
            self._writer.write(KEEPALIVE)
            self._outgoing.set()  # have it drained

    # Server to client

    def buffer(self):
        """memoryview in which the transfer at `start` stands, with a gap for its header."""
        return self._view

    def release_inbox(self):
        """The client has confirmed what was in the inbox, or is another one."""
        self.in_flight = False
        self.length = 0
        self._inbox_free.set()

    async def _read(self):
        try:
            while True:
                await self._inbox_free.wait()
                while not self.length:
                    n = await self._reader.readinto(self._read_view)
                    if n == 0:
                        break
                    if n:
                        self._take(n)
                if not self.length:
                    break
                self._wake()
        except OSError:
            pass  # reset by the server or the network: the end of this connection
        self.end()

    def _take(self, n):
        self._silence.restart()
        start, end = self._relay.strip(self._inbox, _START, _START + n)
        if self._relay.fault:
            self.end()
            return
        self.start = start - HEADER
        self.length = end - start

    # Client to server

    def forward(self):
        """Send what the mailbox has received; its buffer is released when TCP has taken it."""
        self._writing = True
        self._outgoing.set()

    @property
    def writing(self):
        return self._writing

    async def _write(self):
        try:
            while True:
                await self._outgoing.wait()
                forwarded = self._writing  # else a keepalive woke us; it may become so meanwhile
                if forwarded:
                    self._writer.write(self._box.payload)
                    self._at_boundary = bool(self._box.kind & FRAME_END)
                await self._writer.drain()
                if forwarded:
                    self._release_incoming()
        except OSError:
            pass  # as in _read
        self.end()

    def _release_incoming(self):
        if self._writing:
            self._writing = False
            self._box.received = 0
            self._wake()
