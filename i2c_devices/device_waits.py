"""The calls of a stream and a packet device that wait, the same on both sides of the bus."""

from primitives.platform import sleep_ms
from primitives.timed_flag import TimedFlag


class DeviceWaits:
    """A base class. Args: interval_ms: how often a task that waits looks at the device although nothing has woken it.

    A device has these methods, each of which looks at the mailbox first:

    _readable(): there is something to read.
    _writable(): there is room to write.
    flush(): the other side has everything that was written.
    """

    def __init__(self, interval_ms):
        self._interval_ms = interval_ms
        self._rx_flag = TimedFlag()  # one for each task that may wait: one that reads, one that writes
        self._tx_flag = TimedFlag()

    async def _wait(self, flag, ready):
        """Wait until ready() returns something, and return it."""
        await sleep_ms(0)  # others run, also when something is always ready
        try:
            while True:
                try:
                    flag.clear()
                    result = ready()
                    if result:
                        return result
                    flag.open()
                except MemoryError:
                    await sleep_ms(self._interval_ms)
                else:
                    await flag.wait_ms(self._interval_ms)  # without an event or a hint: look all the same
        finally:
            flag.close()

    async def readable(self):
        """Wait until there is something to read. One task at a time; a time-out around it loses nothing."""
        await self._wait(self._rx_flag, self._readable)

    async def writable(self):
        """Wait until there is room to write. As `readable`."""
        await self._wait(self._tx_flag, self._writable)

    async def drain(self):
        """Wait until the other side has everything. A controller repeats a write in its calls only: end with this."""
        await self._wait(self._tx_flag, self.flush)
