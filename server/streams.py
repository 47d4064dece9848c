"""What differs in asyncio's streams between CPython and MicroPython, decided once, one name each."""

import asyncio
import sys

RECEIVE_BYTES = 8192  # that are taken from the kernel at a time, where that can be told

if sys.implementation.name == "micropython":

    async def start_server(serve, host, port, backlog, limit):
        """As asyncio's. limit: of bytes that a reader holds; here it holds none."""
        return await asyncio.start_server(serve, host, port, backlog=backlog)

    def bound(writer):
        """Have the reader that belongs to it take no more than RECEIVE_BYTES at a time."""

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

    def unsent(writer):
        return writer.transport.get_write_buffer_size()

    def end_of(writer):
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()
