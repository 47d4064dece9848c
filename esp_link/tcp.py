"""TCP connections under MicroPython, without asyncio's streams: they would
cost the bridge a kilobyte of heap and copy what a stalled socket leaves.

What `connect` returns is MicroPython's socket: reads and writes never wait
(None: not now), and `primitives.platform.readable` and `writable` do.
"""

import errno
import socket

from primitives.platform import writable


async def connect(host, port):
    """Open a connection; returns a socket that does not block. A host name blocks until it is resolved.

    Raises: OSError.
    """
    address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
    sock = socket.socket(address[0], address[1], address[2])
    sock.setblocking(False)
    try:
        try:
            sock.connect(address[-1])
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
        await writable(sock)
        sock.write(b"")  # raises what the attempt ended with
    except BaseException:  # cancelled by the time limit, say: a socket must not be left open
        sock.close()
        raise
    return sock
