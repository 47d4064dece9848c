"""TCP connections under MicroPython, without asyncio's streams: they would
cost the bridge a kilobyte of heap and copy what a stalled socket leaves.

What `connect` returns is MicroPython's socket: reads and writes do not wait
(None: not now), and `primitives.platform.readable` and `writable` do.

lwIP of the ESP8266 (docs/hardware.md) sends segments of 536 bytes, and holds
1,072 bytes and 8 pbufs that are not acknowledged. A write for which it has no
memory is tried again for up to 10 s, in which nothing else runs: the watchdog
resets the chip. So small frames are left to Nagle's algorithm, which sends one
and lets those that follow gather until it is acknowledged: there are never 8
pbufs. See `no_delay`.
"""

import errno
import socket

from primitives.platform import writable
from protocol import const

_W_NO_HOST = const(4)  # as in names.py


async def connect(host, port):
    """Open a connection; returns a socket that does not block. Raises: OSError."""
    if host.replace(".", "").isdigit():
        address = host
    else:
        # Costs heap, so only when needed. getaddrinfo would wait up to 7 s, in which the watchdog resets the chip.
        from esp_link.names import resolve

        address = await resolve(host)
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        try:
            sock.connect((address, port))
        except ValueError:
            raise OSError(_W_NO_HOST, "no address of a host")
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
        await writable(sock)
        sock.send(b"")  # raises what the attempt ended with; `write` of nothing does not ask the socket
    except BaseException:  # cancelled by the time limit, say: a socket must not be left open
        sock.close()
        raise
    return sock


def no_delay(sock, on):
    """Let what is written from now on leave at once (on), or when all is acknowledged or a segment is full.

    Where that is refused it is as before: slower, and not wrong.
    """
    try:
        # On a socket whose connection has failed setsockopt crashes the chip. `send` raises then, and between the two
        # there is no jump and no return, at which lwIP might run.
        sock.send(b"")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, on)
    except (OSError, AttributeError):
        pass  # broken or full, which the write will tell; or a firmware without the option
