"""What differs between MicroPython and CPython, decided once, one name each.

Times are MicroPython's: `ticks_ms()` counts milliseconds and wraps at 2**30;
only `ticks_diff` may touch them, and a difference is right below 2**29 ms
(6.2 days). Under CPython they follow the running loop's clock,
so a loop on a virtual clock gives virtual ticks.

`core` has asyncio's `create_task`, `current_task` and `CancelledError`. The
package around it would cost the bridge 0.4 KB of heap.
"""

try:
    from asyncio import core, sleep_ms
    from io import IOBase
    from time import ticks_diff, ticks_ms

    class Flag(IOBase):
        """Wakes one task; set() may be called by any interrupt handler. `await flag` waits for it and clears it.

        What asyncio.ThreadSafeFlag does, without the rest of its module: 0.4 KB
        of heap less on the bridge. Nothing is allocated to wait, but a place in
        asyncio's queue.
        """

        def __init__(self):
            self._state = 0

        def ioctl(self, request, flags):
            return self._state * flags if request == 3 else -1  # MP_STREAM_POLL

        def set(self):
            self._state = 1

        def clear(self):
            self._state = 0

        def __iter__(self):
            return self

        def __next__(self):
            if not self._state:
                return core._io_queue.queue_read(self)
            self._state = 0
            raise StopIteration

    def readable(sock):
        """Awaitable: something can be read from the stream, or it is broken."""
        yield core._io_queue.queue_read(sock)

    def writable(sock):
        """Awaitable: something can be written to the stream, or it is broken."""
        yield core._io_queue.queue_write(sock)

except ImportError:  # CPython
    import asyncio

    core = asyncio
    _WRAP = 1 << 30

    def ticks_ms():
        try:
            seconds = asyncio.get_running_loop().time()
        except RuntimeError:  # no loop runs: outside of tasks any clock will do
            from time import monotonic

            seconds = monotonic()
        return int(seconds * 1000) & (_WRAP - 1)

    def ticks_diff(a, b):
        return ((a - b + _WRAP // 2) & (_WRAP - 1)) - _WRAP // 2

    async def sleep_ms(ms):
        await asyncio.sleep(ms / 1000)

    def readable(sock):  # one that is simulated knows by itself
        return sock.readable()

    def writable(sock):
        return sock.writable()

    class Flag:
        """What the Flag above is, for callbacks of the same loop."""

        def __init__(self):
            self._event = asyncio.Event()

        def set(self):
            self._event.set()

        def clear(self):
            self._event.clear()

        def __await__(self):
            yield from self._event.wait().__await__()
            self._event.clear()
