"""TCP connections under MicroPython, without asyncio's streams: they would
cost the bridge a kilobyte of heap and copy what a stalled socket leaves.
Loaded by program.py for each connection.

What `connect` returns is MicroPython's socket: reads and writes do not wait
(None: not now), and `primitives.platform.readable` and `writable` do.

lwIP of the ESP8266 (docs/hardware.md) sends segments of 536 bytes, and holds
1,072 bytes and 8 pbufs that are not acknowledged. A write for which it has no
memory is tried again for up to 10 s, in which nothing else runs: the watchdog
resets the chip. So small frames are left to Nagle's algorithm, which sends one
and lets those that follow gather until it is acknowledged: there are never 8
pbufs. See `uplink.no_delay`.
"""

import errno
import socket

from protocol import const

_W_NO_HOST = const(4)  # as in names.py


async def connect(host, port, resolve, writable):
    """Open a connection; returns a socket that does not block. Raises: OSError.

    Args:
    resolve: coroutine function (name) -> address: esp_link.names.resolve, which costs heap, so only when it is needed.
        getaddrinfo would wait up to 7 s, in which the watchdog resets the chip.
    writable: primitives.platform.writable.
    """
    address = host if host.replace(".", "").isdigit() else await resolve(host)
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
