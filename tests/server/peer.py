"""What the server sees at the other end of TCP: a bridge with a client behind it, made of the protocol core.

`Client` is one life of a client: its session outlives connections. `Service` runs the server in this process, with a
fresh Server, and can be stopped and started. Unrealistic: client and bridge are one, there is no mailbox between
them, and a frame is handed over the moment it arrives.
"""

import asyncio
import itertools
import os
import random
import socket
import time

import server
from primitives.broadcast import Broadcast
from primitives.platform import ticks_diff, ticks_ms
from protocol.frame import PROOF
from protocol.frame_reader import FrameReader
from protocol.framing import KEEPALIVE, MAX_FRAME, PREAMBLE
from protocol.handshake import Initiator
from protocol.limits import MAX_LINE
from protocol.line_bytes import bytes_in, decode_line
from protocol.lines import encode_line
from protocol.session import OPEN, Session
from server.stores.default import default_store
from tests.patience import PATIENCE_S
from tests.sessions import idle

HOST = "127.0.0.1"
KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
KEYS = {"a": KEY, "b": OTHER_KEY}

# Silence that ends a connection, where a test is not about that.
TIMEOUT_MS = 10000


async def within(awaitable, seconds=PATIENCE_S):
    """The result of the awaitable; fails the test when it takes too long."""
    async with asyncio.timeout(seconds):  # wait_for may swallow a cancellation
        return await awaitable


async def until(condition, what="a condition", seconds=PATIENCE_S):
    """Return when condition() is true: for what no event tells."""
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{what} did not come true within {seconds} s")


# Below the range from which the kernel gives ports to whoever connects. Each process of pytest-xdist has its own part.
_OF, _PART = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)), os.environ.get("PYTEST_XDIST_WORKER", "gw0")
PORTS = range(12000 + int(_PART.removeprefix("gw")), 30000, _OF)
_in_turn = itertools.cycle(random.SystemRandom().sample(PORTS, len(PORTS)))  # a test may ask for two at once


def free_port():
    """A port that nobody has at the moment, and none of the other tests that run asks for, nor this one again."""
    while True:
        port = next(_in_turn)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port


async def open_stream(port):
    """asyncio streams to the server, which may not listen quite yet."""
    limit = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit:
        try:
            return await asyncio.open_connection(HOST, port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.005)
    raise AssertionError("the server does not listen")


class Service:
    """The server, in this process. Use: `async with Service() as service`."""

    def __init__(self, keys=None, expected=("a",), store=None, timeout=TIMEOUT_MS, verbose=False):
        self.keys = KEYS if keys is None else keys
        self.expected = set(expected)
        self.store = store or server.MemoryStore()
        self.timeout = timeout
        self.verbose = verbose
        self.port = free_port()
        server._server = server.Server(default_store)
        self.registry = server._server.registry
        self.events = self.registry.events
        self.task = None

    def start(self):
        self.task = asyncio.create_task(
            server.run(
                self.expected,
                self.verbose,
                self.port,
                self.timeout,
                keys=self.keys,
                store=self.store,
                host=HOST,
            )
        )

    async def stop(self):
        self.task.cancel()
        await asyncio.wait([self.task], timeout=PATIENCE_S)
        assert self.task.done()

    def connection(self, client_id="a"):
        return self.registry.get(client_id)

    async def refusals(self, count):
        """Return when so many connections have been refused."""
        await until(lambda: sum(self.events.refusals.values()) >= count, "the refusal")

    async def __aenter__(self):
        self.start()
        return self

    async def __aexit__(self, *error):
        await self.stop()
        leftover = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in leftover:
            task.cancel()
        await asyncio.gather(*leftover, return_exceptions=True)


class Client:
    """One life of a client. `port` is the server's. max_line: what it announces; may be changed."""

    def __init__(self, port, client_id="a", key=KEY, max_line=MAX_LINE):
        self.port = port
        self.client_id = client_id
        self.key = key
        self.epoch = os.urandom(8)
        self.max_line = max_line
        self.session = Session(ticks_diff, line_in=bytes_in)
        self.changed = Broadcast()
        self.reading = True  # False: the application does not read
        self.answering = True  # False: nothing is sent, no keepalive either
        self.lines = []  # received and handed over, str
        self.sent = b""  # what this connection has sent
        self.received = b""
        self.fault = None  # why the connection ended
        self.up = False
        self._task = None
        self._writer = None
        self._half_open = []

    async def connect(self):
        """Open a connection and wait until the session has resumed. One that is there is left half open."""
        if self._task is not None and not self._task.done():
            self._half_open.append(self._writer)
            self.cut()
        self._task = asyncio.create_task(self._run())
        while not self.up and not self._task.done():
            await self.changed.wait()
        assert self.up, f"not connected: {self.fault}"

    async def refused(self):
        """Open a connection that the server ends. Returns why, as this end sees it."""
        self._task = asyncio.create_task(self._run())
        await within(asyncio.wait([self._task]))
        assert self.session.resumes == 0
        return self.fault

    def cut(self):
        """End the connection at once, with a reset."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._lose("cut")

    async def ended(self):
        """Wait until the server has ended the connection."""
        await within(asyncio.wait([self._task]))

    async def write(self, line, qos=True):
        """Admit a line; does not wait for its acknowledgement."""
        data = encode_line(line)
        while not self.session.room_for(len(data)):
            await self.changed.wait()
        self.session.append(data, qos)
        self._flush()

    async def acknowledged(self):
        """Wait until the server has accepted every line written."""
        while not idle(self.session):
            await self.changed.wait()

    async def expect(self, count):
        """Wait until count lines have been received in all."""
        while len(self.lines) < count:
            await self.changed.wait()
        return self.lines[:count]

    async def _run(self):
        writer = None
        try:
            reader, writer = await open_stream(self.port)
            self._writer = writer
            self.sent = self.received = b""
            frames = FrameReader()
            initiator = Initiator(self.client_id, self.key, self.epoch, os.urandom(16), max_line=self.max_line)
            self._send(PREAMBLE)
            self._send_frame(initiator.hello())
            attached = False
            while True:
                data = await self._read(reader)
                self.received += data
                for frame in frames.feed(memoryview(data)):
                    if not attached:
                        reply, fault = initiator.welcome(frame)
                        if fault:
                            return self._lose(fault)
                        self._send_frame(reply)
                        peer = initiator
                        self.session.attach(peer.seal, peer.peer_epoch, peer.peer_max_frame, ticks_ms())
                        attached = True
                        continue
                    fault = self.session.receive(frame, ticks_ms())
                    if fault:
                        return self._lose(fault)
                self._hand_over()
                self._flush()
        except (OSError, EOFError) as error:
            self._lose(str(error) or "closed by the server")
        finally:
            if writer is not None and writer not in self._half_open:
                writer.transport.abort()
            self.changed.pulse()

    async def _read(self, reader):
        """The next bytes; acknowledgements and keepalives go out meanwhile."""
        while True:
            due_ms = self.session.next_timeout(ticks_ms())
            wait_ms = 100 if due_ms is None else min(due_ms, 100)
            try:
                async with asyncio.timeout(wait_ms / 1000):
                    data = await reader.read(4096)
            except asyncio.TimeoutError:
                self._flush()
                self._send(KEEPALIVE)
                continue
            if not data:
                raise EOFError
            return data

    def _hand_over(self):
        lines = self.session.lines
        while self.reading and lines:
            self.lines.append(decode_line(lines[0]))
            self.session.accept(1, ticks_ms())
        self.up = self.session.state == OPEN
        self.changed.pulse()

    def read_again(self):
        """The application reads after having stopped."""
        self.reading = True
        self._hand_over()
        self._flush()

    def _flush(self):
        buf = bytearray(MAX_FRAME)
        while True:
            end = self.session.encode_into(buf, 0, ticks_ms())
            if end == 0:
                return
            self._send(bytes(buf[:end]))

    def _send_frame(self, frame):
        self._send(bytes((len(frame) >> 8, len(frame) & 0xFF)) + frame)

    def _send(self, data):
        if self.answering:
            self.sent += data
            self._writer.write(data)

    def _lose(self, why):
        self.fault = why
        self.up = False
        self.session.detach()
        self.changed.pulse()


class Forger(Client):
    """Says a HELLO with the right hint, as who repeats one does, and answers the challenge with a proof of zeros."""

    def _send_frame(self, frame):
        super()._send_frame(frame if frame[0] != PROOF else frame[:1] + bytes(32))
