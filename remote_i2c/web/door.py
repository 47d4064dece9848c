"""The door for web pages: a server of HTTP and WebSockets in the caller's loop, and the files that it serves.

    door = WebDoor({"1": shared}, "127.0.0.1:8080")
    await door.run()            # until it is cancelled

It serves `/` a page to try the buses with, `/web_i2c.js` the library, `/i2c` the WebSocket; at an address of its own
CHIRIMEN's protocol, if asked to. Uses uvicorn and Starlette; nothing here is known to them but this file.
"""

import asyncio
import collections
import contextlib
from pathlib import Path
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from remote_i2c.listen import is_loopback, split_listen
from remote_i2c.tls import read_tls
from remote_i2c.web.access import NO_ORIGIN, Access
from remote_i2c.web.frames import MAX_NAME, SUBPROTOCOL
from remote_i2c.web.serving import Server, bound, send_at_once
from remote_i2c.web.session import MAX_MESSAGE, ChirimenSession, Counts, Cut, Limits, OwnSession

# Where CHIRIMEN's polyfill looks for it: wss://localhost:33330/
CHIRIMEN_ADDRESS = "127.0.0.1:33330"
MAX_PORTS = 255
# From the cancellation of `run` to its end, at most.
END_S = 3
_GRACE_S = 1
# Connections without a WebSocket, which only fetch files: how many, and how long each may last.
_FILE_CONNECTIONS = 64
_FILE_S = 15
# Of a WebSocket: fragments of a message, and pongs while the other end reads nothing. No browser sends pings.
_FRAGMENTS = 64
_UNREAD_PONGS = 8

_HERE = Path(__file__).parent
_JAVASCRIPT, _HTML, _CSS = "text/javascript; charset=utf-8", "text/html; charset=utf-8", "text/css; charset=utf-8"
_FILES = {
    "/": (_HERE / "page" / "index.html", _HTML),
    "/try.js": (_HERE / "page" / "try.js", _JAVASCRIPT),
    "/try.css": (_HERE / "page" / "try.css", _CSS),
    "/web_i2c.js": (_HERE / "npm" / "web_i2c.js", _JAVASCRIPT),
    "/web_i2c.mjs": (_HERE / "npm" / "web_i2c.mjs", _JAVASCRIPT),
}
_FOR_ALL = ("/web_i2c.js", "/web_i2c.mjs")  # also for pages of other origins
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def port_numbers(names):
    """Returns {number: name} for names of buses: a name that is a number has it, the others have the lowest that are
    free, in their order. Raises: ValueError."""
    if not 1 <= len(names) <= MAX_PORTS:
        raise ValueError(f"a door has 1 to {MAX_PORTS} buses, not {len(names)}")
    found = {}
    for name in names:
        if not name or len(name.encode()) > MAX_NAME:
            raise ValueError(f"{name!r} is no name of a bus: it has 1 to {MAX_NAME} bytes")
        if name.isascii() and name.isdecimal() and int(name) <= 0xFFFF:
            if int(name) in found:
                raise ValueError(f"there are two buses {int(name)}")
            found[int(name)] = name
    free = (number for number in range(0x10000) if number not in found)
    numbers = {name: number for number, name in found.items()}
    return {numbers[name] if name in numbers else next(free): name for name in names}


class WebDoor:
    """Args: buses: dict of name -> SharedBus, open; listen: "host:port"; token: str, or None: then it listens to this
    computer alone; origins, hosts: see Access; tls: (file of the certificate, file of the key), or None: the same,
    unless plain: a proxy or the network protects it; chirimen: "host:port" of this computer, for CHIRIMEN's protocol,
    or None; chirimen_bus: name of its bus (default: port 1, or the only one); limits: Limits; log: function
    (event, **details).

    `counts`: Counts; `ready`: asyncio.Event, set while it listens; `addresses`: then (host, port) of the door, and of
    CHIRIMEN's. Raises: ValueError: it may not be started like this; OSError: certificate or key cannot be read.
    """

    def __init__(
        self, buses, listen="127.0.0.1:8080", *, token=None, origins=(), hosts=(), tls=None, plain=False,
        chirimen=None, chirimen_bus=None, limits=None, log=lambda event, **details: None,
    ):  # fmt: skip
        self.counts = Counts()
        self.ready = asyncio.Event()
        self.addresses = []
        self._of_peer = collections.Counter()  # address -> its connections
        self._names = port_numbers(list(buses))
        self._ports = {number: buses[name] for number, name in self._names.items()}
        self._limits = limits or Limits()
        self._log = log
        self._tls = tls
        if tls is not None:
            read_tls(*tls)  # uvicorn reads them itself, and names neither
        self._listen = split_listen(listen)
        self._access = Access(self._listen[0], token, origins, hosts, tls is not None or plain)
        self._apps = [(self._listen, self._app([*self._file_routes(), WebSocketRoute("/i2c", self._own)]))]
        self._chirimen_port = None
        if chirimen is not None:
            self._add_chirimen(split_listen(chirimen), chirimen_bus, origins)

    def _add_chirimen(self, address, bus, origins):
        if not is_loopback(address[0]):
            raise ValueError(f"CHIRIMEN's protocol has no token: it cannot listen at {address[0]}, only at 127.0.0.1")
        if not origins:
            raise ValueError("CHIRIMEN's protocol has no token: name the origins of the pages that may use it")
        if NO_ORIGIN in (origin.lower() for origin in origins):
            raise ValueError('CHIRIMEN\'s protocol has no token, and each page can have the origin "null": take it out')
        numbers = {name: number for number, name in self._names.items()}
        if bus is None:
            bus = self._names.get(1) or (next(iter(numbers)) if len(numbers) == 1 else None)
        if bus not in numbers:
            raise ValueError(f"CHIRIMEN's protocol has one bus: name one of {', '.join(numbers)}")
        self._chirimen_port = numbers[bus]
        self._apps.append((address, self._app([WebSocketRoute("/", self._chirimen)])))

    async def run(self):
        """Serve until it is cancelled. Raises: OSError: it cannot listen, or the certificate cannot be read."""
        with contextlib.ExitStack() as stack:
            servers = []
            for (host, port), app in self._apps:
                listener = stack.enter_context(bound(host, port))
                servers.append((Server(self._config(app)), listener))
            self.addresses = [listener.getsockname()[:2] for _, listener in servers]
            tasks = [asyncio.create_task(server.serve(sockets=[listener])) for server, listener in servers]
            self.ready.set()
            self._log("web_i2c_listening", addresses=[f"{host}:{port}" for host, port in self.addresses])
            if self._chirimen_port is not None and self._tls is None:
                self._log("web_i2c_no_tls", reason="CHIRIMEN's polyfill takes TLS alone: give certificate and key")
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                self.ready.clear()
                for server, _ in servers:
                    server.should_exit = True
                _, late = await asyncio.wait(tasks, timeout=END_S)
                for task in late:
                    task.cancel()

    def metrics(self):
        """Returns (name, type, help, value) of what it counts; the names are without that of the gateway."""
        counts = self.counts
        return [
            ("web_connections", "gauge", "Connections of Web I2C", counts.connections),
            ("web_calls_total", "counter", "Calls by Web I2C", counts.taken),
            ("web_refused_total", "counter", "Calls that could not be understood, or are too many", counts.refused),
            ("web_strangers_total", "counter", "Connections with a wrong token, origin or host", counts.strangers),
        ]

    def _config(self, app):
        certificate, key = self._tls or (None, None)
        ping_s = self._limits.ping_ms / 1000
        try:
            config = uvicorn.Config(
                app, http=_HTTP, ws=_WebSocket, ws_max_size=MAX_MESSAGE, ws_per_message_deflate=False,
                ws_ping_interval=ping_s, ws_ping_timeout=ping_s, lifespan="off", log_config=None, log_level="error",
                access_log=False, proxy_headers=False, server_header=False, timeout_graceful_shutdown=_GRACE_S,
                ssl_certfile=certificate, ssl_keyfile=key,
            )  # fmt: skip
            config.load()
        except OSError as error:
            raise OSError(error.errno, f"the certificate or its key cannot be read: {error.strerror or error}")
        return config

    def _app(self, routes):
        return _Guard(Starlette(routes=routes), self._access, self._count_stranger)

    def _count_stranger(self, what, value, peer):
        self.counts.strangers += 1
        self._log("web_i2c_refused", reason=what, value=value[:200], peer=peer)

    def _file_routes(self):
        return [Route(path, _file(*what, path in _FOR_ALL), methods=["GET"]) for path, what in _FILES.items()]

    async def _own(self, websocket):
        origin, host = websocket.headers.get("origin"), websocket.headers.get("host", "")
        if not self._access.admits_origin(origin, host):
            await self._refuse(websocket, "origin", origin)
            return
        offered = websocket.scope["subprotocols"]
        session = lambda socket: OwnSession(
            self._ports, self._limits, socket, self.counts, admits=self._access.admits_token, names=self._names
        )
        await self._serve(websocket, session, SUBPROTOCOL if SUBPROTOCOL in offered else None)

    async def _chirimen(self, websocket):
        origin = websocket.headers.get("origin")
        if not self._access.admits_named_origin(origin):
            await self._refuse(websocket, "origin", origin or "")
            return
        session = lambda socket: ChirimenSession(
            self._ports, self._limits, socket, self.counts, port=self._chirimen_port
        )
        await self._serve(websocket, session, None)

    async def _refuse(self, websocket, what, value):
        self._count_stranger(what, value, _peer(websocket.scope))
        text = f"pages of the {what} {quote(value, safe=':/')} may not use this door\n"
        await websocket.send_denial_response(PlainTextResponse(text, 403))

    async def _serve(self, websocket, session, subprotocol):
        peer, host = _peer(websocket.scope), _peer_host(websocket.scope)
        if self.counts.connections >= self._limits.connections:
            await self._refuse_more(websocket, "connections", self.counts.connections, peer)
            return
        if self._of_peer[host] >= self._limits.of_peer and not is_loopback(host):
            await self._refuse_more(websocket, "of_peer", self._of_peer[host], peer)
            return
        self.counts.connections += 1
        self.counts.opened += 1
        self._of_peer[host] += 1
        try:
            await websocket.accept(subprotocol)
            self._log("web_i2c_opened", peer=peer)
            await session(_Socket(websocket)).run()
            self._log("web_i2c_closed", peer=peer)
        except WebSocketDisconnect:
            self._log("web_i2c_closed", peer=peer)
        except Cut as cut:
            self._log("web_i2c_cut", peer=peer, code=cut.code, reason=str(cut))
            await _close(websocket, cut, self._limits.send_ms / 1000)
        finally:
            self.counts.connections -= 1
            self._of_peer[host] -= 1
            self._of_peer += collections.Counter()  # forgets those that have none

    async def _refuse_more(self, websocket, reason, count, peer):
        self._log("web_i2c_refused", reason=reason, value=str(count), peer=peer)
        await websocket.send_denial_response(PlainTextResponse("there are too many connections\n", 503))


async def _close(websocket, cut, limit_s):
    """Tell why, and see that the connection ends, also if the other end takes nothing any more."""
    with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
        async with asyncio.timeout(limit_s):
            await websocket.close(cut.code, str(cut))
            return
    websocket.state.abort()


class _Socket:
    """What a Session needs of a WebSocket."""

    def __init__(self, websocket):
        self._websocket = websocket

    async def receive(self):
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        data = message.get("bytes")
        return message["text"] if data is None else data

    async def send(self, data):
        await self._websocket.send_bytes(data)


class _Guard:
    """Refuses a Host that nobody named. Args: app: ASGI; refused(what, value, peer): is told."""

    def __init__(self, app, access, refused):
        self._app = app
        self._access = access
        self._refused = refused

    async def __call__(self, scope, receive, send):
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        if self._access.admits_host(host):
            await self._app(scope, receive, send)
            return
        self._refused("host", host, _peer(scope))
        answer = PlainTextResponse("this door is not known by that name: see the setting `hosts`\n", 421)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            await answer(scope, receive, send)


def _file(path, kind, for_all):
    data = path.read_bytes()
    headers = {**_HEADERS, **({"Access-Control-Allow-Origin": "*"} if for_all else {})}

    async def answer(request):
        return Response(data, media_type=kind, headers=headers)

    return answer


def _peer(scope):
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else "?"


def _peer_host(scope):
    client = scope.get("client")
    return client[0] if client else "?"


class _HTTP(H11Protocol):
    """Ends connections that are too many or last too long: uvicorn would wait for a request without end."""

    def connection_made(self, transport):
        super().connection_made(transport)
        send_at_once(transport)
        self._timer = self.loop.call_later(_FILE_S, transport.abort)
        if sum(isinstance(one, _HTTP) for one in self.connections) > _FILE_CONNECTIONS:
            transport.abort()

    def connection_lost(self, error):
        self._timer.cancel()
        super().connection_lost(error)

    def handle_websocket_upgrade(self, event):
        self._timer.cancel()
        super().handle_websocket_upgrade(event)


class _WebSocket(WebSocketsSansIOProtocol):
    """Can end a connection whose other end takes nothing: a close would wait for it without end. Ends those that would
    fill the memory with what no limit of a message counts: pongs that are not read, and fragments."""

    def connection_made(self, transport):
        super().connection_made(transport)
        self.app_state = {**self.app_state, "abort": transport.abort}
        self._unread_pongs = 0

    def handle_ping(self):
        self._unread_pongs = 0 if self.writable.is_set() else self._unread_pongs + 1
        if self._unread_pongs > _UNREAD_PONGS:
            self.transport.abort()
            return
        super().handle_ping()

    def handle_cont(self, event):
        if len(self.frames) == _FRAGMENTS:
            self.transport.abort()
            return
        super().handle_cont(event)

    def keepalive_timeout(self):
        super().keepalive_timeout()
        self.transport.abort()
