"""One interface to asyncio's streams, which differ between CPython and MicroPython."""

import asyncio
import sys

from server.core.listening import AcceptFailures, hosts, listen_error, plain_host

RECEIVE_BYTES = 8192  # read from the kernel at a time, where that can be set

# Options of TCP, by number: MicroPython has no names for them.
_IPPROTO_TCP = 6
_TCP_NODELAY = 1
_TCP_QUICKACK = 12  # of Linux

if sys.implementation.name == "micropython":

    async def start_server(serve, host, port, backlog, limit):
        """Start a server as asyncio does. limit: the bytes that a reader holds; here it holds none.

        host: as listening.py has it; here :: is what the system makes of it. Raises: ListenError."""
        try:
            return await asyncio.start_server(serve, plain_host(host), port, backlog=backlog)
        except OSError as error:
            failed = listen_error(error, host, port)
        raise failed

    def report_failed_accepts(tell):
        """Report that no connection can be accepted as the event "accept_failed": tell(event, **details).

        Returns a function of no arguments that ends it. Here asyncio ignores such failures."""
        return lambda: None

    def bound(writer):
        """Limit the writer's reader to RECEIVE_BYTES at a time."""

    def leave_out(reader, data, function):
        """Do nothing: this reader returns all."""

    def leave_out_idle(writer, data, function, failed):
        """Returns None: nothing was done."""

    def writing(writer):
        return writer.write

    def _socket(writer):
        return writer.s

    def unsent(writer):
        """Returns a function (), which returns the number of bytes that have been written and that the kernel has not
        taken."""
        return lambda: len(writer.out_buf)

    def end_of(writer):
        """Tell the peer that nothing follows what has been written. Here the close that comes next does it."""

else:
    from server.core.idle import read_idle

    class _Reader(asyncio.StreamReader):
        """A reader that can leave out what wakes nobody: see `leave_out`."""

        left_out = None  # bytes
        leaves_out = None  # function () -> bool

        def feed_data(self, data):
            if data != self.left_out or self._buffer or not self.leaves_out():
                super().feed_data(data)

    def leave_out(reader, data, function):
        """Have the reader drop these bytes where they come alone, nothing waits to be read, and function() is true.

        It is called for each, and no task runs for it. Other readers, such as those of MicroPython, return all."""
        if isinstance(reader, _Reader):
            reader.left_out, reader.leaves_out = data, function

    def leave_out_idle(writer, data, function, failed):
        """As leave_out, for a connection on which nothing else has come for a while, and at less cost: see idle.py.

        Returns an IdleConnection, or None: nothing was done."""
        return read_idle(writer.transport, data, function, failed)

    def writing(writer):
        """Returns the writer's `write`, without its checks."""
        return writer.transport.write

    async def start_server(serve, host, port, backlog, limit):
        loop = asyncio.get_running_loop()

        async def served(reader, writer):
            try:
                await serve(reader, writer)
            except asyncio.CancelledError:  # CPython 3.11 prints a traceback of a handler that ends like this
                writer.close()

        def protocol():
            return asyncio.StreamReaderProtocol(_Reader(limit, loop), served, loop)

        try:
            return await loop.create_server(protocol, hosts(host), port, backlog=backlog)
        except (OSError, ValueError) as error:  # ValueError: such as a label of the name that is too long
            failed = listen_error(error, host, port)
        raise failed

    def report_failed_accepts(tell):
        failures = AcceptFailures(tell)
        failures.begin()
        return failures.end

    def bound(writer):
        if hasattr(writer.transport, "max_size"):  # of asyncio's own loops; 256 KiB otherwise
            writer.transport.max_size = RECEIVE_BYTES

    def _socket(writer):
        return writer.get_extra_info("socket")

    def unsent(writer):
        return writer.transport.get_write_buffer_size

    def end_of(writer):
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()


def prompt(writer):
    """Send written data at once, even less than a segment: a bridge's lwIP delays its acknowledgements.

    Returns a function of no arguments that acknowledges at once what has been read. Call it after each read, since
    Linux resets the option. Returns None where the system has no such option. A bridge has room for two segments that
    are not acknowledged.
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
