"""A TCP socket under MicroPython's asyncio, without its streams: they would
cost the bridge a kilobyte of heap and copy what a stalled socket leaves.

Reads and writes never wait; two awaitables tell when they may succeed. They
go through asyncio's I/O queue, as its own streams do.
"""

import errno
import socket
from asyncio import core


class TcpSocket:
    """An open connection. Every method may raise OSError: the connection is broken."""

    def __init__(self, sock):
        self._sock = sock

    def readinto(self, buf):
        """Bytes read, 0 at the end of the stream, None if there are none yet."""
        return self._sock.readinto(buf)

    def write(self, buf):
        """Bytes taken, fewer than len(buf) if the send buffer is full."""
        return self._sock.write(buf) or 0

    def readable(self):
        """Awaitable: something can be read, or the connection is broken."""
        yield core._io_queue.queue_read(self._sock)

    def writable(self):
        """Awaitable: something can be written, or the connection is broken."""
        yield core._io_queue.queue_write(self._sock)

    def close(self):
        self._sock.close()


async def connect(host, port):
    """Open a connection; returns a TcpSocket. A host name blocks until it is resolved.

    Raises: OSError.
    """
    address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
    sock = socket.socket(address[0], address[1], address[2])
    sock.setblocking(False)
    connection = TcpSocket(sock)
    try:
        try:
            sock.connect(address[-1])
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
        await connection.writable()
        connection.write(b"")  # raises what the attempt ended with
    except BaseException:  # cancelled by the time limit, say: a socket must not be left open
        connection.close()
        raise
    return connection
