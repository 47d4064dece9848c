"""The calls of a stream and a packet device that wait, the same on both sides of the bus."""

from errno import ETIMEDOUT

from primitives.platform import sleep_ms
from primitives.timed_flag import TimedFlag
from primitives.timeout import LONGEST_MS, Timeout

# A wait for a device that is not there ends with an error after this: its board may boot first.
SILENT_MS = 5000


class DeviceWaits:
    """A base class.

    Args:
    interval_ms: how often a task that waits looks at the device although nothing has woken it.
    timeout_ms: a call that waits for a device that is not there raises OSError (ETIMEDOUT) after so long, and may be
        made again; None: it waits for ever.

    A device sets `_absent`: None, or why it is not there, the text of that error. It has these methods, each of which
    looks at the mailbox first:

    _readable(): there is something to read.
    _writable(): there is room to write.
    flush(): the other side has everything that was written.
    """

    def __init__(self, interval_ms, timeout_ms):
        if timeout_ms is not None and not 1 <= timeout_ms <= LONGEST_MS:
            raise ValueError("timeout_ms must be 1..%d or None" % LONGEST_MS)
        self._interval_ms = interval_ms
        self._timeout_ms = timeout_ms
        self._absent = None
        self._rx_flag = TimedFlag()  # one for each task that may wait: one that reads, one that writes
        self._tx_flag = TimedFlag()

    async def _wait(self, flag, ready):
        """Wait until ready() returns something, and return it. Raises: OSError (ETIMEDOUT)."""
        await sleep_ms(0)  # others run, also when something is always ready
        limit = None
        try:
            while True:
                try:
                    flag.clear()
                    result = ready()
                    if result:
                        return result
                    if self._absent is None or self._timeout_ms is None:
                        limit = None
                    elif limit is None:
                        limit = Timeout(self._timeout_ms)
                    elif limit.expired():
                        raise OSError(ETIMEDOUT, self._absent)
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
