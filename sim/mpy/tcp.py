"""TCP and name look-up between a simulated board and the real network, with the effects of Wi-Fi outages and crashes.

The board connects to a port here. If the server has accepted, the board gets a first byte; if not, a reset. What
follows is the server's. During an outage bytes and ends of connections stall, both ways. When the board crashes, the
server's end stays half-open. It is reset when the server sends something after the board is up again: a chip that has
no memory of the connection does the same.
"""

import asyncio
import errno
import socket
import struct
import sys

from sim.wires import dns
from sim.wires.lwip import DNS_GIVES_UP_S, TCP_MSS

SEGMENT_BYTES = TCP_MSS
# The minimum that Linux accepts (it doubles it and counts its own overhead). What the board has written and is not
# acknowledged is TCP_SND_BUF at most. One or two of these are on the way to a server that does not read.
KERNEL_BUFFER = 1152
# The board's segments, smaller than the window that such a buffer can announce. Linux sends a segment that does not
# fit the peer's window only when a probe is due, 200 ms later: a longer segment can wait that long each time.
BOARD_SEGMENT_BYTES = TCP_MSS
ACCEPT_WAIT_S = 5
OPEN = b"\0"
# The address that a name gets if all connections go to one server.
ANY_ADDRESS = "192.168.4.1"
# After the board's socket is closed, it takes this long to know whether its process died or only closed the socket.
GRACE_S = 0.05
POLL_S = 0.02


class Proxy:
    """The connections of one board.

    Args: connected() -> bool: whether the board is on the Wi-Fi; server: (host, port) in place of what the board asks
    for, or None; life() -> int: a number that changes when the board dies. `seen`: a LinesSeen that is shown all that
    passes, or None.
    """

    def __init__(self, connected, life, server=None):
        self._connected = connected
        self._life = life
        self.server = server
        self.seen = None
        self.server_listens = True
        self._with_server = set()  # the tasks of connections that the server has accepted
        self.opened = 0
        self.answers_names = True
        self.no_memory = False  # lwIP has no memory for the data to be sent
        self._tasks = set()
        self._names = None  # a socket

    def close(self):
        for task in self._tasks:
            task.cancel()
        if self._names is not None:
            self._names.close()
            self._names = None

    @property
    def open_now(self):
        """Returns how many connections to the server there are."""
        return len(self._with_server)

    def set_server(self, listens):
        """Has the server refuse connections, and those that there are reset, or has it accept them again. The server
        itself knows nothing of it but the end of its connections."""
        self.server_listens = listens
        if not listens:
            for task in list(self._with_server):
                task.cancel()

    def open(self, host, port):
        """Returns (errno, 0), or (0, the local port that the board must connect to)."""
        if not self._connected():
            return errno.EHOSTUNREACH, 0
        listener = _small_socket()
        if sys.platform == "linux":  # whose way of sending it is for
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, BOARD_SEGMENT_BYTES)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        self._start(self._serve(listener, self.server or (host, port)))
        return 0, listener.getsockname()[1]

    def _start(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, listener, address):
        loop = asyncio.get_running_loop()
        local = remote = None
        try:
            async with asyncio.timeout(ACCEPT_WAIT_S):
                local, _ = await loop.sock_accept(listener)
            local.setblocking(False)
            listener.close()
            await self._wifi()
            remote = _small_socket()
            try:
                if not self.server_listens:
                    raise ConnectionRefusedError
                if not await self._opened(remote, address, local):
                    return
            except OSError:
                await self._wifi()
                _reset(local)
                return
            await self._wifi()
            self.opened += 1
            self._with_server.add(asyncio.current_task())
            try:
                await loop.sock_sendall(local, OPEN)
                await self._relay(local, remote)
            except asyncio.CancelledError:
                if self.server_listens:
                    raise
                await asyncio.sleep(0)  # what waits for the socket is cancelled first
                _reset(local)
            finally:
                self._with_server.discard(asyncio.current_task())
        except (OSError, asyncio.TimeoutError):
            pass  # one end is gone, or the board never connected: both ends are closed below
        finally:
            for end in (listener, local, remote):
                if end is not None:
                    end.close()

    @staticmethod
    async def _opened(remote, address, local):
        """Connects. Returns False if the board gives up first: it sends nothing before."""
        connecting = asyncio.ensure_future(_connect(remote, address))
        given_up = asyncio.ensure_future(_readable(local))
        try:
            await asyncio.wait((connecting, given_up), return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                return False
            await connecting
            return True
        finally:
            connecting.cancel()
            given_up.cancel()

    # Names

    async def address_of(self, name):
        """Resolves a name like the chip's getaddrinfo. Returns 4 bytes, or None after 7 s if no name server answers."""
        if not self._connected() or not self.answers_names:
            await asyncio.sleep(DNS_GIVES_UP_S)
            return None
        address = await self._look_up(name)
        return address and socket.inet_aton(address)

    async def _look_up(self, name):
        if self.server:
            return ANY_ADDRESS
        try:
            found = await asyncio.get_running_loop().getaddrinfo(name, None, family=socket.AF_INET)
        except OSError:
            return None
        return found[0][4][0]

    def name_port(self):
        """The local port of the name server."""
        if self._names is None:
            self._names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._names.bind(("127.0.0.1", 0))
            self._names.setblocking(False)
            self._start(self._serve_names(self._names))
        return self._names.getsockname()[1]

    async def _serve_names(self, names):
        while True:
            await _readable(names)
            query, peer = names.recvfrom(512)
            name = dns.name_of(query)
            if name is None or not self._connected() or not self.answers_names:
                continue
            address = await self._look_up(name)
            if self._connected():
                names.sendto(dns.answer(query, address), peer)

    # Bytes

    async def _relay(self, local, remote):
        life = self._life()
        crossing = self.seen and self.seen.connection()
        up = asyncio.ensure_future(self._pump(local, remote, crossing and crossing.to_server))
        down = asyncio.ensure_future(self._pump(remote, local, crossing and crossing.to_client))
        try:
            done, _ = await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            if up in done or self._life() != life:
                down.cancel()
                await self._board_ended(remote, life)
            else:
                await self._server_ended(local, down, up)
        finally:
            up.cancel()
            down.cancel()

    async def _pump(self, source, sink, show):
        """Moves bytes until the source ends. Only one segment is in flight, and none while there is no Wi-Fi."""
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(source, SEGMENT_BYTES):
            await self._wifi()
            _acknowledge(source)
            if show is not None:
                show(data)
            await loop.sock_sendall(sink, data)

    async def _wifi(self):
        while not self._connected():
            await asyncio.sleep(POLL_S)

    async def _board_ended(self, remote, life):
        await asyncio.sleep(GRACE_S)
        while self._life() == life:
            if self._connected():
                return  # it closed the connection; close the other end too
            await asyncio.sleep(POLL_S)
        await self._wifi()
        await _readable(remote)
        _reset(remote)

    async def _server_ended(self, local, down, up):
        await self._wifi()
        if down.exception() is not None:
            _reset(local)
            return
        local.shutdown(socket.SHUT_WR)
        await asyncio.wait((up,))


def _small_socket():
    end = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    end.setblocking(False)
    return end


def _acknowledge(end):
    """Acknowledges at once: the amount that a board may write depends on it."""
    if hasattr(socket, "TCP_QUICKACK"):  # Linux
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


async def _connect(remote, address):
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(*address, family=socket.AF_INET, type=socket.SOCK_STREAM)
    await loop.sock_connect(remote, found[0][4])


async def _readable(end):
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(end, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(end)


def _reset(end):
    """Closes with RST instead of FIN."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


