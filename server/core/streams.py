"""What differs in asyncio's streams between CPython and MicroPython, decided once, one name each."""

import asyncio
import sys

RECEIVE_BYTES = 8192  # that are taken from the kernel at a time, where that can be told

# Options of TCP, by number: MicroPython has no names for them.
_IPPROTO_TCP = 6
_TCP_NODELAY = 1
_TCP_QUICKACK = 12  # of Linux

if sys.implementation.name == "micropython":

    async def start_server(serve, host, port, backlog, limit):
        """Start a server as asyncio does. limit: of bytes that a reader holds; here it holds none."""
        return await asyncio.start_server(serve, host, port, backlog=backlog)

    def bound(writer):
        """Have the reader that belongs to it take no more than RECEIVE_BYTES at a time."""

    def _socket(writer):
        return writer.s

    def unsent(writer):
        """Bytes that have been written and that the kernel has not taken."""
        return len(writer.out_buf)

    def end_of(writer):
        """Tell the other end that nothing follows what has been written. Here the close that comes next does."""

else:

    async def start_server(serve, host, port, backlog, limit):
        return await asyncio.start_server(serve, host, port, backlog=backlog, limit=limit)

    def bound(writer):
        if hasattr(writer.transport, "max_size"):  # of asyncio's own loops; 256 KiB otherwise
            writer.transport.max_size = RECEIVE_BYTES

    def _socket(writer):
        return writer.get_extra_info("socket")

    def unsent(writer):
        return writer.transport.get_write_buffer_size()

    def end_of(writer):
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()


def prompt(writer):
    """Have what is written leave at once, though it is less than a segment: a bridge's lwIP acknowledges late.

    Returns a function of no arguments that acknowledges at once what has been read, to be called after each read (Linux
    forgets it), or None where the system has none. A bridge has room for two segments that are not acknowledged.
    """
    sock = _socket(writer)
    if not hasattr(sock, "setsockopt") or not _set(sock, _TCP_NODELAY):
        return None
    if sys.platform != "linux" or not _set(sock, _TCP_QUICKACK):
        return None
    return lambda: _set(sock, _TCP_QUICKACK)


def _set(sock, option):
    """Set an option. Returns False if the system refuses it: another kind of socket, or its connection has ended."""
    try:
        sock.setsockopt(_IPPROTO_TCP, option, 1)
    except OSError:
        return False
    return True
