"""Idle connections of asyncio, under Linux: those on which one message comes and goes, again and again.

asyncio runs a handle, a protocol and a reader for each message. Here one handle reads all idle connections, by an epoll
of their own, and the system tells of two messages at a time (SO_RCVLOWAT). A connection on which anything else comes
goes back to asyncio, with what has come.
"""

import asyncio
import os
import select
import sys

MOST = 256  # connections that are read before others have a turn: a millisecond
# So many idle connections are read each PAUSE_S, not as the system tells of each: to wake up costs as much as to read
# some. So a line on one of them may wait for so long. Half as many are read at once again.
MANY = 256
PAUSE_S = 0.01
_BYTES = 64  # that are read at a time: asyncio reads the rest of what is longer
# Of Linux's struct tcp_info: ms since data came last.
_TCP_INFO_BYTES = 56
_LAST_DATA_RECEIVED = 52
_by_loop = {}  # loop -> _IdleOnes, while it has connections


def read_idle(transport, data, function, failed):
    """Read a connection here from now on, until something else than these bytes comes. function(size) is called when
    they have come, mostly twice: one alone, or less than one, waits in the system until more comes, or `look`.

    Args: transport: of asyncio, on whose protocol nothing waits to be read; failed: function (OSError): the connection
    has failed. Returns the IdleConnection; None: nothing was done, since the connection is closing, is no socket of the
    system, or the system has no epoll, or none any more."""
    sock = transport.get_extra_info("socket")
    if not hasattr(select, "epoll") or not hasattr(sock, "fileno") or transport.is_closing():
        return None
    loop = asyncio.get_running_loop()
    try:
        found = _by_loop.get(loop) or _IdleOnes(loop)
        one = IdleConnection(found, transport, data, function, failed)
        found.add(one)
    except OSError:  # too many open files
        return None
    _by_loop[loop] = found
    return one


class IdleConnection:
    """A connection that is read here, or was."""

    __slots__ = ("_all", "_closed", "_data", "_failed", "_function", "_twice", "fd", "here", "transport")

    def __init__(self, ones, transport, data, function, failed):
        self.transport = transport
        self.fd = transport.get_extra_info("socket").fileno()
        self._data = data
        self._twice = data + data
        self._function = function
        self._failed = failed
        self._all = ones
        # When asyncio has closed the socket, its number may be that of another one, or of a file.
        self._closed = transport.is_closing
        self.here = False  # of those that are read here

    def idle(self):
        """True while it is read here."""
        return self.here and not self._closed()

    def read(self):
        """Read what has come. Returns True if it was the message, once or more often."""
        if not self.here or self._closed():
            return False
        try:
            data = os.read(self.fd, _BYTES)
        except BlockingIOError:
            return False
        except OSError as error:  # asyncio would not meet it again
            self._all.remove(self)
            self._failed(error)
            return False
        if data == self._twice or data and data == self._data * (len(data) // len(self._data)):
            self._function(len(data))
            return True
        self._all.remove(self)
        self.transport.resume_reading()
        if data:
            self.transport.get_protocol().data_received(data)
        return False

    def look(self):
        """Read also what comes alone. Returns the ms since it came, 0 if the system does not tell, or None: nothing has
        come."""
        from socket import IPPROTO_TCP, TCP_INFO

        if not self.read():
            return None
        try:
            info = self.transport.get_extra_info("socket").getsockopt(IPPROTO_TCP, TCP_INFO, _TCP_INFO_BYTES)
        except OSError:  # no tcp_info, as in some sandboxes
            return 0
        return int.from_bytes(info[_LAST_DATA_RECEIVED:], sys.byteorder)

    def write(self, data):
        """Write past asyncio, which has nothing to write. Returns how many bytes the system took. Raises: OSError."""
        if not self.here or self._closed():
            return 0
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0

    def end(self):
        """Read it here no more: it is being closed."""
        self._all.remove(self)

    def tell_of(self, messages):
        """Have the system tell when so many messages have come, or anything else that is longer than all but one."""
        from socket import SO_RCVLOWAT, SOL_SOCKET

        size = len(self._data) * (messages - 1) + 1
        try:
            self.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_RCVLOWAT, size)
        except OSError:
            pass  # it is closed


class _IdleOnes:
    """The idle connections of one loop. When the last one is removed, it is at its end."""

    def __init__(self, loop):
        self._loop = loop
        self._connections = {}  # fd -> IdleConnection
        self._epoll = select.epoll()
        self._are_many = False

    def add(self, one):
        self._epoll.register(one.fd, select.EPOLLIN)
        if not self._connections:
            self._loop.add_reader(self._epoll.fileno(), self._read)
        self._connections[one.fd] = one
        one.here = True
        if len(self._connections) >= MANY and not self._are_many:
            self._are_many = True
            self._loop.remove_reader(self._epoll.fileno())
            self._loop.call_later(PAUSE_S, self._read_often)
        one.transport.pause_reading()
        one.tell_of(2)

    def remove(self, one):
        if not one.here:
            return
        one.here = False
        if self._connections.get(one.fd) is not one:  # its number is another one's by now
            return
        del self._connections[one.fd]
        one.tell_of(1)
        try:
            self._epoll.unregister(one.fd)
        except OSError:
            pass  # it was closed
        if not self._connections:
            del _by_loop[self._loop]
            if not self._loop.is_closed():
                self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _read(self):
        for fd, _ in self._epoll.poll(0, MOST):
            if fd in self._connections:  # what one of them has brought may have ended another one
                self._connections[fd].read()

    def _read_often(self):
        """Read each PAUSE_S while there are many."""
        if not self._connections:
            return
        self._read()
        if len(self._connections) > MANY // 2:
            self._loop.call_later(PAUSE_S, self._read_often)
        elif self._connections:
            self._are_many = False
            self._loop.add_reader(self._epoll.fileno(), self._read)
