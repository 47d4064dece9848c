"""The socket on which `pb-link clients`, `tail`, `send` and others talk to the server.

The socket has a path, and is for its owner alone (local_socket.py). A request is a line of JSON, such as
{"do": "clients"}. Each answer is a line of JSON, too: {"error": ..} or the result. `tail` is answered by a line for
each line of the client, until the caller disconnects. So are `sensors`, `console` with `follow`, and `repl`, whose
caller sends lines of JSON as well. `devman` is a request of server/core/devman.py, `gateway` one of a gateway
(server/gateways/interface.py).
"""

import asyncio
import contextlib
import json
import os

from protocol.errors import LinkError
from server.core.devman import DevMan
from server.gateways.setting import SettingsError
from server.service import local_socket
from server.service.sensors_followed import follow

MAX_REQUEST = 1 << 16
MAX_BEHIND = 1000  # lines that a caller of tail may be behind; with more it is disconnected
ANSWER_S = 20.0  # for the answer to a question that waits for no client
MAX_ANSWER = 1 << 20  # bytes of an answer to `answer_from`


class AdminServer:
    """The server's end of the socket.

    Args: path; status: ClientStatus; registry: Registry; store: Store; consoles: Consoles; ask_gateway: coroutine
    function (name, request) that returns a gateway's answer; port: that the server listens on for clients."""

    def __init__(self, path, status, registry, store, consoles=None, ask_gateway=None, port=None):
        self.path = path
        self._status = status
        self._registry = registry
        self._store = store
        self._consoles = consoles
        self._ask_gateway = ask_gateway
        self._port = port
        self._tails = {}  # id -> set of queues
        self._server = None

    async def start(self):
        """Listen on the socket. Raises: SettingsError."""
        look_at(self.path)
        try:
            self._server = await local_socket.listen(self._serve, self.path, MAX_REQUEST)
        except OSError as error:
            raise SettingsError(f"admin_socket {self.path} cannot be made: {error.strerror or error}")

    def close(self):
        if self._server is None:
            return
        self._server.close()
        with contextlib.suppress(OSError):  # a file that remains does no harm: see start
            local_socket.remove(self.path)

    def note(self, event, client_id, details):
        """Pass on an event to the callers of `tail`. It is a subscriber of events."""
        if event == "received":
            self.received(client_id, details["lines"])

    def received(self, client_id, lines):
        for queue in list(self._tails.get(client_id, ())):
            for line in lines:
                if queue.qsize() == MAX_BEHIND:
                    self._tails[client_id].discard(queue)
                    queue.put_nowait(None)
                    break
                queue.put_nowait(line.decode(errors="replace"))

    async def _serve(self, reader, writer):
        try:
            request = json.loads(await reader.readline())
            async for answer in self._answers(request, reader):
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, LinkError) as error:
            writer.write(json.dumps({"error": str(error)}).encode() + b"\n")
        except (OSError, asyncio.CancelledError):
            pass  # the caller has disconnected, or the server ends
        finally:
            writer.close()

    async def _answers(self, request, reader):
        what = request["do"]
        if what == "clients":
            others = getattr(self._store, "others", None)
            yield {"clients": self._status.clients(), "node": others and others.name, "port": self._port}
        elif what == "send":
            await self._send(request, reader)
            yield {"delivered" if request.get("wait") else "stored": True}
        elif what == "backlog":
            yield {"backlogs": await self._store.backlogs()}
        elif what == "discard":
            yield {"discarded": await self._registry.get(await self._with_backlog(request["id"])).discard()}
        elif what == "tail":
            async for line in self._tail(self._status.known(request["id"]), reader):
                yield {"line": line}
        elif what == "console":
            async for at, line in self._console(request, reader):
                yield {"at": round(at, 3), "line": line}
        elif what == "repl":
            async for answer in self._consoles.repl(self._status.known(request["id"]), reader):
                yield answer
        elif what == "sensors":
            async for answer in follow(self._registry.get(self._status.known(request["id"])), reader):
                yield answer
        elif what == "devman":
            sensors = self._registry.get(self._status.known(request["id"])).sensors()
            yield await DevMan(sensors).answer(request["path"], request["arguments"])
        elif what == "gateway":
            yield await self._ask_gateway(request["gateway"], request["request"])
        else:
            raise ValueError(f"unknown request {what!r}")

    async def _console(self, request, reader):
        client_id = self._status.known(request["id"])
        for entry in self._consoles.lines(client_id, request["lines"], request.get("since_s")):
            yield entry
        if request.get("follow"):
            async for entry in self._consoles.follow(client_id, reader):
                yield entry

    async def _send(self, request, reader):
        """Write a line to a client. Raises: ConnectionAbortedError if the caller disconnects before its delivery.

        The line then stays stored.
        """
        connection = self._registry.get(self._status.known(request["id"]))
        sending = asyncio.create_task(connection.write(request["line"], wait=bool(request.get("wait"))))
        gone = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise ConnectionAbortedError
            sending.result()
        finally:
            gone.cancel()
            sending.cancel()

    async def _with_backlog(self, client_id):
        """Returns the id. Raises: ValueError if no line waits for a client of that name, known or not."""
        if client_id not in {one["id"] for one in await self._store.backlogs()}:
            raise ValueError(f"no line waits for {client_id!r}: pb-link backlog shows for whom one does")
        return client_id

    async def _tail(self, client_id, reader):
        queue = asyncio.Queue()
        self._tails.setdefault(client_id, set()).add(queue)
        gone = asyncio.create_task(reader.read(1))
        try:
            while not gone.done():
                getting = asyncio.create_task(queue.get())
                await asyncio.wait((getting, gone), return_when=asyncio.FIRST_COMPLETED)
                if getting.done():
                    if getting.result() is None:
                        raise ValueError(f"more than {MAX_BEHIND} lines were not taken: the next ones are not shown")
                    yield getting.result()
                else:
                    getting.cancel()
        finally:
            gone.cancel()
            self._tails[client_id].discard(queue)


def look_at(path):
    """Check that the socket can be used. Raises: SettingsError: another server uses it, or it is another file."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise SettingsError(f"admin_socket {path} cannot be made: there is no folder {folder}")
    size = len(os.fsencode(path))
    if local_socket.HAS_UNIX and size > local_socket.PATH_BYTES:
        text = f"its path has {size} bytes, which is too long: at most {local_socket.PATH_BYTES} can be"
        raise SettingsError(f"admin_socket {path} cannot be made: {text}")
    try:
        good = local_socket.is_one(path)
    except OSError:
        return
    if not good:
        raise SettingsError(f"admin_socket {path} is there already, and is no socket: give another path")
    try:
        local_socket.connected(path, ANSWER_S).close()
    except OSError:
        return  # no server uses it
    raise SettingsError(f"another server has the admin_socket {path}: give this one its own")


def ask(path, request, limit_s=None):
    """Yields the answers to a request. Raises: OSError if no server runs, or it is silent for limit_s; ValueError if
    the request is too long."""
    data = json.dumps(request).encode()
    if len(data) > MAX_REQUEST:
        raise ValueError(f"that is too long: {len(data)} bytes as JSON, and a server takes {MAX_REQUEST}")
    with local_socket.connected(path, limit_s) as sock:
        sock.sendall(data + b"\n")
        with sock.makefile("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):  # else the server was killed meanwhile
                    yield json.loads(line)


async def answer_from(path, request, limit_s):
    """Returns the one answer to a request. Raises: OSError if no server runs, it ends before it has answered, or it is
    silent for limit_s (TimeoutError)."""
    async with asyncio.timeout(limit_s):
        reader, writer = await local_socket.open_connection(path, MAX_ANSWER)
        try:
            writer.write(json.dumps(request).encode() + b"\n")
            await writer.drain()
            line = await reader.readline()
        finally:
            writer.close()
    if not line.endswith(b"\n"):
        raise ConnectionResetError(None, "the server ended before it answered")
    return json.loads(line)
