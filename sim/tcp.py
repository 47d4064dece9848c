"""TCP between a simulated board and the real network: what Wi-Fi outages and crashes do to a connection.

During an outage bytes and ends of connections stall, both ways. When the board crashes, the server's end stays
half-open; it is reset when the server sends something after the board is up again, as a chip without memory of the
connection does.
"""

import asyncio
import errno
import socket
import struct

SEGMENT_BYTES = 1460
# The least that Linux takes (it doubles it and counts its own overhead): with the segment under way a board can have
# 3 to 6 KB ahead of a server that does not read, where lwIP on the ESP8266 has 2 * 1460.
KERNEL_BUFFER = 1152
# The board's segments, as lwIP's there, and below the window that such a buffer can announce. Linux sends what does
# not fit the peer's window only when a probe is due, 200 ms later: a longer segment can wait so each time.
BOARD_SEGMENT_BYTES = 536
# A server nearby answers at once, with a connection or a refusal that the board's connect() reports. A slow one is
# waited for while the board goes on; its refusal then looks like a reset.
CONNECT_WAIT_S = 0.25
ACCEPT_WAIT_S = 5
# After its socket is closed, it takes this long to know whether the board's process died or only closed it.
GRACE_S = 0.05
POLL_S = 0.02


class Proxy:
    """The connections of one board.

    Args: connected() -> bool: whether the board is on the Wi-Fi; server: (host, port) in place of what the board asks
    for, or None; life() -> int: a number that changes when the board dies.
    """

    def __init__(self, connected, life, server=None):
        self._connected = connected
        self._life = life
        self.server = server
        self.opened = 0
        self._tasks = set()

    def close(self):
        for task in self._tasks:
            task.cancel()

    async def open(self, host, port):
        """Returns (errno, 0) or (0, local port that the board is to connect to)."""
        if not self._connected():
            return errno.EHOSTUNREACH, 0
        remote = _small_socket()
        connecting = asyncio.ensure_future(_connect(remote, self.server or (host, port)))
        done, _ = await asyncio.wait((connecting,), timeout=CONNECT_WAIT_S)
        if done and connecting.exception() is not None:
            remote.close()
            return connecting.exception().errno or errno.EHOSTUNREACH, 0
        listener = _small_socket()
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, BOARD_SEGMENT_BYTES)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        task = asyncio.ensure_future(self._serve(listener, remote, connecting))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.opened += 1
        return 0, listener.getsockname()[1]

    async def _serve(self, listener, remote, connecting):
        loop = asyncio.get_running_loop()
        local = None
        try:
            local, _ = await asyncio.wait_for(loop.sock_accept(listener), ACCEPT_WAIT_S)
            local.setblocking(False)
            listener.close()
            try:
                await connecting
            except OSError:
                _reset(local)
                return
            await self._relay(local, remote)
        except (OSError, asyncio.TimeoutError):
            pass  # either end is gone, or the board never came: both ends are closed below
        finally:
            connecting.cancel()
            for end in (listener, local, remote):
                if end is not None:
                    end.close()

    async def _relay(self, local, remote):
        life = self._life()
        up = asyncio.ensure_future(self._pump(local, remote))
        down = asyncio.ensure_future(self._pump(remote, local))
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

    async def _pump(self, source, sink):
        """Moves bytes until the source ends. Only one segment is under way, and none while there is no Wi-Fi."""
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(source, SEGMENT_BYTES):
            await self._wifi()
            await loop.sock_sendall(sink, data)

    async def _wifi(self):
        while not self._connected():
            await asyncio.sleep(POLL_S)

    async def _board_ended(self, remote, life):
        await asyncio.sleep(GRACE_S)
        while self._life() == life:
            if self._connected():
                return  # it closed the connection; so do we
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


