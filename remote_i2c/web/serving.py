"""What makes uvicorn a part of a program: a server that leaves signals and the listening socket to its caller."""

import contextlib
import socket

import uvicorn

BACKLOG = 64


def bound(host, port):
    """Returns a listening socket. uvicorn ends the whole program if it cannot make one. Raises: OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def send_at_once(transport):
    """Turn Nagle's algorithm off: with it the second of two answers waits for the acknowledgement of the first, 40 ms.
    asyncio does so for sockets that say they are TCP's, which those of `bound` do not."""
    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Limited(socket.socket):
    """A listening socket that closes connections beyond so many at once: those of TLS that say nothing too, of which
    uvicorn knows nothing before the handshake. Where asyncio does not call `accept` (Windows) it limits nothing.

    Args: listener: a socket, in whose place it is; most: connections that are open."""

    def __init__(self, listener, most):
        super().__init__(listener.family, listener.type, listener.proto, listener.detach())
        self._most = most
        self._accepted = []

    def accept(self):
        connection, address = super().accept()
        self._accepted = [one for one in self._accepted if one.fileno() >= 0]
        if len(self._accepted) >= self._most:
            connection.close()
            raise ConnectionAbortedError  # of which asyncio waits for the next one
        self._accepted.append(connection)
        return connection, address


class Server(uvicorn.Server):
    """A server that leaves signals to the program in whose loop it runs."""

    @contextlib.contextmanager
    def capture_signals(self):
        yield
