"""A network between processes of a test that can be held, slowed and cut, each direction by itself.

A `Proxy` listens at a port and passes on each connection to one server. What it holds is kept and passed on later, as
TCP does after an outage that was short enough; `reset` ends the connections, as a long one does. A trap holds a
direction at the very message that a test waits for.

Unrealistic: bytes that are held have left the sender's kernel, and a connection to a cut server is accepted.
"""

import asyncio
import itertools
import socket
import struct

TO_SERVER, TO_CLIENT = "to the server", "to the client"
WAYS = (TO_SERVER, TO_CLIENT)
HELD_BYTES = 1 << 20  # of a direction: its sender waits then
HOST = "127.0.0.1"
_AT_ONCE = struct.pack("ii", 1, 0)  # the end of a connection is a RST


class Way:
    """One direction of one connection. Args: proxy: for what holds for all of its connections."""

    def __init__(self, proxy, name):
        self.name = name
        self.source = self.target = None  # transports
        self.held = False  # a trap, or a test, holds this one
        self.watch = None  # function (data) that returns what is passed on: a list of bytes, and of functions to call
        self.passed = 0  # bytes
        self._proxy = proxy
        self._waiting = []  # (time from which it may pass, bytes; None for the end)
        self._size = 0
        self._timer = None

    def feed(self, data):
        """Bytes have arrived, or the end (None)."""
        if self.watch is not None and data:
            pieces = self.watch(data)
        else:
            pieces = [data]
        now = self._proxy.loop.time()
        for piece in pieces:
            self._waiting.append((now + self._proxy.delay_s[self.name], piece))
            if isinstance(piece, bytes):
                self._size += len(piece)
        if self._size > HELD_BYTES:
            self.source.pause_reading()
        self.flow()

    @property
    def waiting(self):
        """Bytes that are kept."""
        return self._size

    def flow(self):
        """Pass on what may pass now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and not (self.held or self._proxy.held[self.name] or self.target is None):
            due, piece = self._waiting[0]
            if due > (now := self._proxy.loop.time()):
                self._timer = self._proxy.loop.call_later(due - now, self.flow)
                return
            self._waiting.pop(0)
            if callable(piece):  # a trap: it holds this way, or another one
                piece()
                continue
            if piece is None:
                self.target.close()
                return
            self._size -= len(piece)
            if self.target.is_closing():
                continue
            self.passed += len(piece)
            self.target.write(piece)
        if self._size <= HELD_BYTES and self.source is not None and not self.source.is_closing():
            self.source.resume_reading()


class Link:
    """One connection. Its ways are `link[TO_SERVER]` and `link[TO_CLIENT]`."""

    def __init__(self, proxy, number):
        self.number = number
        self.peer = None  # address of the client
        self._ways = {name: Way(proxy, name) for name in WAYS}

    def __getitem__(self, name):
        return self._ways[name]

    def hold(self, *names):
        """Hold these directions, or both."""
        for name in names or WAYS:
            self[name].held = True

    def release(self):
        """Pass on again what was held."""
        for way in self._ways.values():
            way.held = False
            way.flow()

    def reset(self):
        """End the connection: neither end gets what was held."""
        for way in self._ways.values():
            if way.source is not None and not way.source.is_closing():
                way.source.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                way.source.abort()


class _End(asyncio.Protocol):
    """One end of a connection: what comes from it goes into `way`."""

    def __init__(self, way, other, made=None):
        self._way, self._other, self._made = way, other, made

    def connection_made(self, transport):
        self._way.source = self._other.target = transport
        if self._made is not None:
            self._made(transport)
        self._other.flow()

    def data_received(self, data):
        self._way.feed(data)

    def eof_received(self):
        self._way.feed(None)
        return True  # the other direction stays

    def connection_lost(self, error):
        self._way.feed(None)


class Proxy:
    """Args: server: path of a Unix socket, or a port of `at`; watch: None, or a function (link) that may set `watch` of
    its ways; port, host: where it listens; at: address of the server.

    Use in a running loop: `await Proxy(..).open()`."""

    def __init__(self, server, watch=None, port=0, host=HOST, at=HOST):
        self.server = server
        self._host, self._at = host, at
        self.port = port
        self.links = []
        self.held = dict.fromkeys(WAYS, False)
        self.delay_s = dict.fromkeys(WAYS, 0.0)
        self.made = 0  # connections so far
        self.loop = None
        self._watch = watch
        self._numbers = itertools.count()
        self._listener = None
        self._tasks = set()

    async def open(self):
        self.loop = asyncio.get_running_loop()
        self._listener = await self.loop.create_server(self._accepted, self._host, self.port)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    def close(self):
        self._listener.close()
        self.reset()
        for task in self._tasks:
            task.cancel()

    def hold(self, *names):
        """Hold these directions, or both, of all connections, new ones too."""
        for name in names or WAYS:
            self.held[name] = True

    def release(self):
        """Pass on all again, at full speed."""
        for name in WAYS:
            self.held[name], self.delay_s[name] = False, 0.0
        for link in self.links:
            link.release()

    def slow(self, seconds, *names):
        """Pass on each byte so many seconds later."""
        for name in names or WAYS:
            self.delay_s[name] = seconds

    def reset(self):
        """End all connections."""
        for link in self.links[:]:
            link.reset()
        self.links.clear()

    def _accepted(self):
        link = Link(self, next(self._numbers))
        self.made += 1
        self.links = [one for one in self.links if not _ended(one)] + [link]
        if self._watch is not None:
            self._watch(link)

        def made(transport):
            link.peer = transport.get_extra_info("peername")
            task = self.loop.create_task(self._connect(link))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return _End(link[TO_SERVER], link[TO_CLIENT], made)

    async def _connect(self, link):
        def end():
            return _End(link[TO_CLIENT], link[TO_SERVER])

        try:
            if isinstance(self.server, str):
                await self.loop.create_unix_connection(end, self.server)
            else:
                await self.loop.create_connection(end, self._at, self.server)
        except OSError:
            link.reset()


def _ended(link):
    return all(link[name].source is not None and link[name].source.is_closing() for name in WAYS)
