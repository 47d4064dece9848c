"""One TCP connection of a bridge: frames in and out, keepalives, silence.

This module handles the stream's framing, not the contents of the frames.
"""

import asyncio

from primitives.task_flag import TaskFlag
from primitives.timeout import Timeout
from protocol.errors import RemoteProtocolError
from protocol.frame_reader import FrameReader
from protocol.framing import KEEPALIVE, MAX_FRAME, PREAMBLE
from protocol.limits import STALL_MS
from server.core.streams import bound, end_of, leave_out, leave_out_idle, prompt, unsent, writing

_CHUNK = 2048  # bytes read at a time
# Of the handshake: HELLO and PROOF are some 150, keepalives of 10 s at most 500.
UNPROVEN_BYTES = 2048
# Calls of `look` in the timeout. Silence is noticed up to one such interval late.
LOOKS = 6
KEEPALIVE_LOOKS = 3  # a keepalive is due after so many, half of the timeout: sending them is what idle clients cost
# Keepalives that come with nothing between them: then the connection is idle, and they cost less.
IDLE_KEEPALIVES = 4
IDLE_LOOKS = 4  # two keepalives of an idle connection are read together: in looks after so many, also one alone
# For the frame that is being written: it is copied before anybody else writes one.
_BUFFER = bytearray(MAX_FRAME)


def _nothing():
    """Do nothing. The system decides when to acknowledge."""


class Transport:
    """The server's end of a TCP connection.

    Args: reader, writer: asyncio streams; timeout_ms: silence that ends it; `look` is called LOOKS times in it."""

    may_wait = True  # the client, for its RESUME: see pace.py
    takes_farewell = True  # the client knows other servers, perhaps

    def __init__(self, reader, writer, timeout_ms):
        bound(writer)
        self._acknowledge = prompt(writer) or _nothing
        self.reader = reader
        self.writer = writer
        self.keepalive = KEEPALIVE
        self.received = 0  # bytes
        self.sent = 0
        self.fault = None  # why it was closed, if the transport itself closed it
        self._first = b""  # of the preamble, if it has been read
        self._frames = FrameReader()
        self._rest = None  # frames that came in one chunk with the last one of the handshake
        self.buffer = _BUFFER
        self._timeout_ms = timeout_ms
        self._unheard = 0  # calls of `look` since the bridge was heard
        self._quiet = 1  # since something was sent
        self._wrote = True  # something may wait to be taken by the system
        self._write = writing(writer)
        self._unsent = unsent(writer)
        self._alone = 0  # keepalives since anything else came
        self._idle = None  # IdleConnection: it is read as an idle one, or was
        self._taken = None  # bytes that the bridge's side had taken when some had to wait
        self._stuck = Timeout(STALL_MS)
        self.wake = TaskFlag()  # for the one task that sends
        self.closed = False
        self.finished = False  # nothing more is sent
        self._ended = asyncio.Event()

    def proven(self):
        """Note that the client has authenticated. From now on a keepalive that comes alone runs no task. The system
        acknowledges it when it likes: a bridge has room for a frame beside it."""
        leave_out(self.reader, KEEPALIVE, self._is_keepalive)

    def _is_keepalive(self):
        """Note that two zeros have come alone. Returns False if they belong to a frame."""
        if self._rest is not None or self._frames.prefix:
            return False
        self.heard(len(KEEPALIVE))
        self._alone += 1
        if self._alone % IDLE_KEEPALIVES == 0 and not self.closed:
            self._idle = leave_out_idle(self.writer, KEEPALIVE, self.heard, self._fail)
        return True

    @property
    def peer(self):
        """The address of the peer, for logs."""
        address = self.writer.get_extra_info("peername")
        if isinstance(address, tuple):
            return "%s:%d" % address[:2]
        return "a bridge"  # MicroPython gives a packed address or none

    @property
    def address(self):
        """The peer's host alone, or None."""
        address = self.writer.get_extra_info("peername")
        return address[0] if isinstance(address, tuple) else None

    async def first_byte(self):
        """Returns the first byte, which distinguishes the protocols on this port. Raises: EOFError, OSError."""
        self._first = await self._exactly(1)
        return self._first

    async def expect_preamble(self):
        """Returns the bridge's version of the protocol. Raises: RemoteProtocolError, EOFError, OSError."""
        preamble = self._first + await self._exactly(len(PREAMBLE) - len(self._first))
        if preamble[:-1] != PREAMBLE[:-1]:
            raise RemoteProtocolError("not the pb_link protocol")
        return preamble[-1]

    async def _exactly(self, size):
        data = await self.reader.readexactly(size)
        self._acknowledge()  # the next frame waits for it
        self.received += size
        return data

    async def receive(self):
        """Wait for bytes and return an iterable of the frames they complete.

        Each frame (memoryview) is valid until the next one is asked for; call
        `raise_fault` when all have been taken. Raises: EOFError, OSError.
        """
        if self._rest is not None:
            frames, self._rest = self._rest, None
            return frames
        data = await self.reader.read(_CHUNK)
        if not data:
            raise EOFError("closed by the bridge")
        self._acknowledge()
        self._unheard = self._alone = 0
        self.received += len(data)
        return self._frames.feed(memoryview(data))

    def heard(self, size):
        """Note that bytes were read elsewhere: they count as a sign of life."""
        self._unheard = 0
        self.received += size

    async def next_frame(self):
        """Returns one frame of the handshake, bytes. `receive` begins after it. Raises: as `receive`, raise_fault."""
        while True:
            frames = await self.receive()
            if self.received > UNPROVEN_BYTES:
                raise RemoteProtocolError("more than %d bytes without a proof" % UNPROVEN_BYTES)
            for data in frames:
                self._rest = frames
                return bytes(data)
            self.raise_fault()

    def raise_fault(self):
        """Check that the framing is intact. Raises: RemoteProtocolError."""
        if self._frames.fault:
            raise RemoteProtocolError(self._frames.fault)

    async def send(self, end):
        """Send buffer[:end], one frame with its prefix. Call it in the step that has written the frame."""
        self.put_frame(end)
        await self.writer.drain()

    def put_frame(self, end):
        """Send buffer[:end] without waiting."""
        self.put(bytes(memoryview(self.buffer)[:end]))

    async def send_frame(self, frame):
        """Send a frame, bytes, with its prefix."""
        self.put(bytes((len(frame) >> 8, len(frame) & 0xFF)) + frame)
        await self.writer.drain()

    def put(self, data):
        """Send bytes without waiting. Raises: OSError (under MicroPython)."""
        if self.finished:
            return
        self._quiet = 0
        self._wrote = True
        self.sent += len(data)
        self._write(data)

    def look(self):
        """Send a keepalive if one is due. End the connection if the bridge is silent, or takes no data."""
        self._unheard += 1
        self._quiet += 1
        if self._quiet < KEEPALIVE_LOOKS and self._unheard < IDLE_LOOKS and not self._wrote:
            return  # as mostly
        if self.closed or self.finished:
            return
        if self._unheard >= IDLE_LOOKS and self._idle is not None:
            since_ms = self._idle.look()
            if self.closed:
                return
            if since_ms is not None:
                self._unheard = min(since_ms * LOOKS // self._timeout_ms, LOOKS)
        if self._unheard > LOOKS:
            self._fail(OSError("nothing heard for %d ms" % self._timeout_ms))
            return
        if self._wrote:
            waiting = self._unsent()
            if waiting:
                self._look_at_waiting(self.sent - waiting)
                return
            self._wrote = False
        if self._quiet >= KEEPALIVE_LOOKS:
            self._keep_alive()

    def _keep_alive(self):
        """Send a keepalive. Nothing waits to be taken."""
        data, taken = self.keepalive, 0
        try:
            if self._idle is not None:
                taken = self._idle.write(data)
            if taken == len(data):
                self._quiet = 0
            else:
                self.put(data[taken:])
            self.sent += taken
        except OSError as error:
            self._fail(error)

    def _look_at_waiting(self, taken):
        """End the connection if waiting data makes no progress. The bridge's side may be slow, but it must not stop.

        taken: number of the bytes so far that the bridge's side has had room for.
        """
        if taken != self._taken:
            self._taken = taken
            self._stuck.restart()
        elif self._stuck.expired():
            self._fail(OSError("the bridge has taken nothing for %d ms" % STALL_MS))

    def _fail(self, error):
        self.fault = error
        self.close()

    def finish(self):
        """Tell the peer that nothing follows. The peer then closes, and the reader notices that."""
        if not self.closed and not self.finished:
            self.finished = True
            try:
                end_of(self.writer)
            except OSError:
                pass  # it was broken already

    def close(self):
        """Close at once. Data that is still to be sent may be lost. It may be called twice."""
        if self.closed:
            return
        self.closed = True
        if self._idle is not None:
            self._idle.end()
        self._ended.set()
        transport = getattr(self.writer, "transport", None)
        if transport is None:  # MicroPython: the socket is closed in wait_closed
            self.writer.close()
        else:
            transport.abort()  # close() would wait until a dead peer has read everything

    def dismiss(self, frame):
        """Close with a last frame, bytes. It arrives if no earlier data blocks it."""
        try:
            self.writer.write(bytes((len(frame) >> 8, len(frame) & 0xFF)) + frame)
        except OSError:
            pass  # it was broken already
        self.close()

    async def wait_ended(self):
        """Return when `close` has been called."""
        await self._ended.wait()

    async def wait_closed(self):
        try:
            await self.writer.wait_closed()
        except OSError:
            pass  # it was broken already
