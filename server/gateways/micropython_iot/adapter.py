"""A client of the original micropython-iot: its line protocol on one side, one of our sessions on the other.

    client                            server
    ID\\n                       ->
                               <-     \\n            keepalive, at once and every quarter of the timeout
    07text\\n                   ->                    two hexadecimal digits of message id, and text
                               <-     07\\n          its acknowledgement: the line is in the store
                               <-     1ftext\\n      the other direction; sent again until
    1f\\n                       ->                    it is acknowledged
    \\n                         ->

Message ids are 0, 1 .. 255, 1 ... Each side begins with 0 when it starts. Id 0 tells the other side to forget the
ids that it has received. A client that misses the acknowledgement of message 0 sends it again, which looks like another
start. The original server delivers it twice. This one distinguishes the two cases as far as possible. One start sends
one message 0, and one TCP connection belongs to one start. So a second message 0 on a connection is a repetition.
A message 0 on the next connection, with the same text, is a repetition unless the last connection lasted long
enough after the acknowledgement: a client that had missed it would have repeated the message there.

There are no keys: any peer that reaches the port can claim to be such a client. Only clients that the settings name are
served, and never under an id that has a key. Received messages are remembered in the store: see message_ids.py. An
empty line cannot be distinguished from an acknowledgement, and is not sent.
"""

import asyncio
import os

from primitives.platform import ticks_diff, ticks_ms
from primitives.task_flag import TaskFlag
from protocol.errors import LinkError, RemoteProtocolError
from protocol.frame import FrameSeal
from protocol.framing import MAX_FRAME, PREFIX
from protocol.limits import EPOCH_BYTES, MAX_LINE
from protocol.line_bytes import bytes_in
from protocol.session import OPEN, Session
from protocol.text import is_utf8
from server.gateways.micropython_iot.message_ids import NAME, Memory, digest

_HEXADECIMAL = set(b"0123456789abcdefABCDEF")  # int() takes "+1" as well
PAUSE_S = 0.2  # the original's pause after a client's first byte, before it sends a line


class Client:
    """One client, over all of its connections: the client's half of a session, in this process.

    `_unacknowledged` has the messages that have not been acknowledged to the client. The other messages that the
    memory knows are in the store.
    """

    def __init__(self, client_id, registry, store, timeout_ms):
        self.client_id = client_id
        self.served = False
        self._registry = registry
        self._store = store
        self._timeout_ms = timeout_ms
        self._memory = Memory(os.urandom(EPOCH_BYTES))
        self._restored = False
        self._session = Session(ticks_diff, line_in=bytes_in)
        self._unacknowledged = []  # (message id, lines acknowledged when this one is)
        self._next_id = 0  # of our messages
        self._waiting = None  # id of the one that has been sent and not acknowledged
        self._room = TaskFlag()
        self._told = TaskFlag()
        self._timer = None  # handle of the scheduled call of _start_is_over, for the present connection

    async def serve(self, transport):
        """Serve this connection until it ends. Raises the cause: OSError, EOFError, LinkError."""
        try:
            await self._serve(transport)
        finally:
            self._session.detach()
            self.served = False

    async def _serve(self, transport):
        connection = self._registry.get(self.client_id)
        welcome = await connection.welcome(self._store)
        await connection.admit(self._store, welcome)
        self._connection = connection
        if not self._restored:
            self._restored = True
            if self._memory.restore(connection.notes.get(NAME), connection.state):
                self._session = Session(ticks_diff, first=self._memory.number, line_in=bytes_in)
        connection.notes.put(NAME, self._memory.note())  # a failed store may have lost what was not stored
        keys = os.urandom(32), os.urandom(32)
        inside = self._inside = _Inside(transport, self._take)
        connection.attach(inside, _Introduction(FrameSeal(*keys[::-1]), self._memory.epoch), welcome)
        self._session.attach(FrameSeal(*keys), welcome.epoch, MAX_FRAME, ticks_ms())
        self._zero_seen = False
        self._heard = asyncio.Event()
        self._transport = transport
        self._writer = transport.writer
        transport.keepalive = b"\n"
        transport.put(b"\n")
        self._flush()
        work = (connection.serve(inside), self._read(transport), self._write_lines())
        tasks = [asyncio.create_task(one) for one in work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            inside.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    # From the client

    async def _read(self, transport):
        while True:
            line = await read_line(transport.reader)
            transport.heard(len(line))
            line = line[:-1]
            self._heard.set()
            if line:
                await self._received(line)
            await self._writer.drain()  # a client that reads no acknowledgements is not read either

    async def _received(self, line):
        digits = line[:2]
        if len(digits) != 2 or set(digits) - _HEXADECIMAL or len(line) > MAX_LINE + 2:
            raise RemoteProtocolError("neither message nor acknowledgement: %r" % line[:16])
        if not is_utf8(line):  # no application could read it
            raise RemoteProtocolError("a message that is not UTF-8")
        number = int(digits, 16)
        if len(line) == 2:
            self._acknowledged_by_client(number)
        elif not self._is_new(number, line[2:]):
            self._acknowledge()
        else:
            session = self._session
            while not session.room_for(len(line)):
                await self._room.wait()
            self._connection.notes.put(NAME, self._memory.note(number))
            count = session.append(line[2:], True)  # before it is remembered: a repetition is not taken
            self._memory.add(number)
            self._unacknowledged.append((number, count))
            self._flush()

    def _is_new(self, number, text):
        memory = self._memory
        if number == 0:
            again = self._zero_seen or memory.first == digest(text) and 0 in memory
            self._zero_seen = True
            if not again:
                memory.start(text)
                self._unacknowledged = []
        else:
            again = number in memory
            memory.first = None  # other messages follow: it will not be repeated
        if again and all(number != waiting for waiting, _ in self._unacknowledged):
            self._unacknowledged.append((number, 0))
        return not again

    def _acknowledge(self):
        """Acknowledge the messages that are in the store."""
        done = self._session.acknowledged
        stored = [number for number, count in self._unacknowledged if count <= done]
        self._unacknowledged = [entry for entry in self._unacknowledged if entry[1] > done]
        for number in stored:
            self._write(b"%02x\n" % number)
            if number == 0 and self._memory.first and self._timer is None:
                later = 2 * self._timeout_ms / 1000
                self._timer = asyncio.get_running_loop().call_later(later, self._start_is_over, self._memory.first)

    def _start_is_over(self, first):
        """Forget message 0. By now, the client would have repeated it on this connection."""
        self._timer = None
        if not self._inside.closed and self._memory.first == first:
            self._memory.first = None
            try:
                self._connection.notes.put(NAME, self._memory.note(), at_once=True)
            except LinkError:
                pass  # the store has failed, which ends the connection: the next one begins with a note

    # To the client

    async def _write_lines(self):
        await self._heard.wait()
        await asyncio.sleep(PAUSE_S)
        lines = self._session.lines
        while True:
            while not lines:
                await self._told.wait()
            self._waiting = self._next_id
            await self._until_acknowledged(lines[0])
            self._next_id = self._next_id % 255 + 1
            self._session.accept(1, ticks_ms())
            self._flush()

    async def _until_acknowledged(self, line):
        while line and self._waiting is not None:
            self._write(b"%02x%s\n" % (self._waiting, line))
            await self._writer.drain()
            try:
                async with asyncio.timeout(self._timeout_ms / 1000):
                    while self._waiting is not None:
                        await self._told.wait()
            except TimeoutError:
                pass  # once more

    def _acknowledged_by_client(self, number):
        if number == self._waiting:
            self._waiting = None
            self._told.set()

    def _write(self, data):
        self._transport.put(data)

    # The server's end of the session, in this process

    def _take(self, frame):
        """Handle a frame from the server's half."""
        fault = self._session.receive(frame, ticks_ms())
        if fault:
            raise RemoteProtocolError(fault)
        self._acknowledge()
        self._room.set()
        self._told.set()
        self._flush()

    def _flush(self):
        """Pass this half's frames to the server's half. Its acknowledgements are not delayed."""
        buffer = bytearray(MAX_FRAME)
        while end := self._session.encode_into(buffer, 0, ticks_ms()):
            self._inside.put(bytes(buffer[PREFIX:end]))
        due = self._session.next_timeout(ticks_ms())
        if due is not None and self._session.state == OPEN:
            asyncio.get_running_loop().call_later(due / 1000 + 0.001, self._flush_later, self._inside)

    def _flush_later(self, inside):
        if inside is self._inside and not inside.closed:
            self._flush()


async def read_line(reader):
    """Returns a line with its newline. Raises: RemoteProtocolError, EOFError, OSError."""
    try:
        return await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError:
        raise RemoteProtocolError("a line without an end")
    except asyncio.IncompleteReadError:
        raise EOFError("closed by the client")


class _Introduction:
    """A substitute for a Responder after a handshake."""

    def __init__(self, seal, epoch):
        self.seal = seal
        self.peer_epoch = epoch
        self.peer_max_frame = MAX_FRAME
        self.peer_max_line = MAX_LINE


class _Inside:
    """A substitute for Connection's Transport. Frames go to take(frame), and come from `put`."""

    may_wait = False  # micropython-iot gives up when its message is not acknowledged
    takes_farewell = False

    def __init__(self, transport, take):
        self.buffer = bytearray(MAX_FRAME)
        self.wake = TaskFlag()
        self.peer = transport.peer
        self._transport = transport
        self._take = take
        self._frames = []
        self._come = TaskFlag()
        self._ended = asyncio.Event()

    @property
    def closed(self):
        return self._ended.is_set()

    @property
    def fault(self):
        return self._transport.fault

    @property
    def received(self):
        return self._transport.received

    @property
    def sent(self):
        return self._transport.sent

    def put(self, frame):
        self._frames.append(memoryview(frame))
        self._come.set()

    async def receive(self):
        while not self._frames:
            await self._come.wait()
        frames, self._frames = self._frames, []
        return frames

    def raise_fault(self):
        pass  # only whole frames arrive

    async def send(self, end):
        self.put_frame(end)

    def put_frame(self, end):
        self._take(memoryview(bytes(self.buffer[PREFIX:end])))

    def finish(self):
        self._transport.finish()

    def close(self):
        self._ended.set()
        self._transport.close()

    async def wait_ended(self):
        await self._ended.wait()
