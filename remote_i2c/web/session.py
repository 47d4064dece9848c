"""One WebSocket with a page: its calls in their order, and its limits. Knows nothing of HTTP.

Calls of one port are done one after another, in the order in which they came: a page may send many without waiting.
Each is answered, also if there was no time or no room for it. Nothing grows: a page that sends more than it may is told
so, a page that goes on is cut, and so is one that does not read its answers.
"""

import asyncio
from dataclasses import dataclass
from errno import EAGAIN, ENODEV

from remote_i2c.errors import CALLER, LOCK, BusError, timed_out
from remote_i2c.messages import MAX_BYTES
from remote_i2c.web import chirimen, frames
from remote_i2c.web.calls import failure_of, perform
from remote_i2c.web.rate import Rate

# Codes with which the door closes a WebSocket. Source: RFC 6455 7.4: 4000 to 4999 are for private use.
WRONG_TOKEN = 4001
BAD_MESSAGE = 4002
FLOOD = 4003
TOO_LATE = 4004

# Until a call's bus is asked. With the wait for the bus and the time on it, MAX_WAIT_MS and MAX_HOLD_MS, a call has its
# answer within 14 s: before callTimeoutMs of web_i2c.js.
CALL_MS = 7000


@dataclass(frozen=True)
class Limits:
    """connections: at a time; of_peer: those of one address beyond this computer; in_flight: calls of one connection
    that have no answer yet; per_second, reserve: calls of one connection, see Rate; refusals: calls in a row that were
    too many, until the connection is cut; hello_ms: from the handshake to the first message; call_ms: from a call's
    arrival until its bus is asked; send_ms: until a page must have taken an answer; ping_ms: between pings, and until
    one must be answered."""

    connections: int = 32
    of_peer: int = 8
    in_flight: int = 64
    per_second: int = 10000
    reserve: int = 2000
    refusals: int = 1000
    hello_ms: int = 5000
    call_ms: int = CALL_MS
    send_ms: int = 10000
    ping_ms: int = 20000


MAX_MESSAGE = frames.HEADER_BYTES + MAX_BYTES


class Cut(Exception):
    """The connection is to be closed. code: above; text: for people."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class Session:
    """Args: ports: dict of number -> SharedBus; limits: Limits; socket: has `receive()`, which returns a message:
    bytes, str if it was text, None at the end, and `send(bytes)`; both are coroutines; counts: Counts, of the door."""

    def __init__(self, ports, limits, socket, counts):
        self._ports = ports
        self._limits = limits
        self._socket = socket
        self._counts = counts
        self._queues = {}  # number of a port -> (asyncio.Queue of (Request, time of its arrival), task that does them)
        self._in_flight = 0
        self._refused = 0  # in a row
        self._clock = asyncio.get_running_loop().time
        self._rate = Rate(limits.per_second, limits.reserve, self._clock())

    async def run(self):
        """Serve until the other end closes. Raises: Cut."""
        try:
            async with asyncio.TaskGroup() as workers:
                self._workers = workers
                try:
                    await self._greet()
                    while (message := await self._socket.receive()) is not None:
                        await self._take(message)
                finally:
                    self._stop()
        except ExceptionGroup as group:
            raise group.exceptions[0]  # the others follow from it

    def _stop(self):
        """End the workers: what they have not begun is not begun. A transfer that is on the bus ends there."""
        for _, worker in self._queues.values():
            worker.cancel()

    async def _take(self, message):
        try:
            if isinstance(message, str):
                raise frames.BadFrame("messages are binary here")
            request = self._decode(message)
        except frames.BadFrame as error:
            if error.id is None:
                raise Cut(BAD_MESSAGE, str(error))
            self._counts.bad += 1
            await self._count_refusal(error.id, error)
            return
        refusal = self._refusal(request)
        if refusal is not None:
            await self._count_refusal(request.id, refusal)
            return
        self._refused = 0
        self._in_flight += 1
        self._counts.taken += 1
        if request.port not in self._queues:
            queue = asyncio.Queue()
            self._queues[request.port] = queue, self._workers.create_task(self._work(queue))
        self._queues[request.port][0].put_nowait((request, self._clock()))

    def _refusal(self, request):
        """Returns why a call is not taken, or None."""
        if request.port not in self._ports:
            return BusError(ENODEV, f"there is no port {request.port}", place=CALLER)
        if self._in_flight >= self._limits.in_flight:
            text = f"{self._in_flight} calls of this page wait already: await some before you make more"
            return BusError(EAGAIN, text, place=CALLER)
        if not self._rate.take(self._clock()):
            return BusError(EAGAIN, f"a page may make {self._limits.per_second} calls a second", place=CALLER)
        return None

    async def _count_refusal(self, id, error):
        self._refused += 1
        self._counts.refused += 1
        if self._refused > self._limits.refusals:
            raise Cut(FLOOD, f"{self._refused} calls in a row that could not be taken")
        await self._send(self._encode_failed(id, error))

    async def _work(self, queue):
        while True:
            request, came_at = await queue.get()
            try:
                if self._clock() - came_at > self._limits.call_ms / 1000:
                    raise timed_out(LOCK, f"the calls before it took more than {self._limits.call_ms} ms")
                answer = self._encode_done(request, await perform(self._ports[request.port], request))
                self._counts.done += 1
            except (BusError, ValueError, TypeError) as error:
                answer = self._encode_failed(request.id, error)
                self._counts.failed += 1
            await self._send(answer)
            self._in_flight -= 1

    async def _send(self, message):
        try:
            async with asyncio.timeout(self._limits.send_ms / 1000):
                await self._socket.send(message)
        except TimeoutError:
            raise Cut(TOO_LATE, "answers are not read")


class OwnSession(Session):
    """With the protocol of frames.py. Args: admits: function (token, bytes) that returns whether it is good; names:
    dict of the port's number -> its name."""

    def __init__(self, ports, limits, socket, counts, *, admits, names):
        super().__init__(ports, limits, socket, counts)
        self._admits = admits
        self._names = names

    async def _greet(self):
        try:
            async with asyncio.timeout(self._limits.hello_ms / 1000):
                message = await self._socket.receive()
        except TimeoutError:
            raise Cut(TOO_LATE, "there was no hello")
        if message is None:
            return
        try:
            token = frames.decode_hello(message if isinstance(message, bytes) else b"")
        except frames.BadFrame as error:
            raise Cut(BAD_MESSAGE, str(error))
        if not self._admits(token):
            self._counts.strangers += 1
            raise Cut(WRONG_TOKEN, "the token is wrong" if token else "a token is needed")
        ports = {number: (name, self._ports[number].max_bytes) for number, name in self._names.items()}
        await self._send(frames.encode_welcome(ports, self._limits.in_flight))

    _decode = staticmethod(frames.decode_request)
    _encode_failed = staticmethod(lambda id, error: frames.encode_failed(id, failure_of(error)))
    _encode_done = staticmethod(lambda request, data: frames.encode_done(request.id, data))


class ChirimenSession(Session):
    """With CHIRIMEN's protocol, on one port. Args: port: its number."""

    def __init__(self, ports, limits, socket, counts, *, port):
        super().__init__(ports, limits, socket, counts)
        self._port = port

    async def _greet(self):
        """Its clients say nothing before their first call."""

    def _decode(self, message):
        return chirimen.decode_request(message, self._port)

    _encode_failed = staticmethod(lambda id, error: chirimen.encode_failed(id))
    _encode_done = staticmethod(chirimen.encode_done)


class Counts:
    """What has happened at a door. connections: now; the others: since it began."""

    def __init__(self):
        self.connections = 0
        self.opened = 0
        self.taken = 0  # calls that are or were done
        self.strangers = 0  # wrong tokens, origins and hosts
        self.bad = 0  # calls that could not be understood
        self.refused = 0  # calls that were too many, or could not be
        self.done = 0
        self.failed = 0
