"""What a stream and a packet device have in common on the controller's side.

Bus errors are not raised: a transfer that fails is repeated, and `failures` counts. What is raised is OSError
(ECONNRESET), once, after the device has begun anew: what was on its way then is lost, or will come again.
"""

import asyncio
from errno import ECONNRESET

from i2c_devices.life import random16
from i2c_devices.mailbox_controller import FREE, SENDING, MailboxController
from i2c_devices.memory_controller import MemoryController
from primitives.platform import Flag, sleep_ms, wait_for_ms
from primitives.timeout import Timeout
from protocol.device import DEVICE_BYTES, MAX_PAYLOAD, Layout, decode_device
from protocol.mailbox import ADDRESS_BITS, HEADER

# A transfer that the device has not taken by then is written again; before, if it says that it was damaged.
REWRITE_MS = 100


class DeviceController:
    """Args: interval_ms: how often a task that waits looks at the device, if `notify` is not called before."""

    def __init__(self, i2c, address, kind, interval_ms):
        self._memory = MemoryController(i2c, address, ADDRESS_BITS)
        self._kind = kind
        self._cell = bytearray(DEVICE_BYTES)
        self._interval_ms = interval_ms
        self._box = None  # once the device has said what it is
        self.window = self.capacity = 0
        self._payload_at = Layout.STATUS_BYTES + HEADER
        self._life = 0  # of the device
        self._established = False
        self._broken = False
        self._faults = 0  # of the device, when the transfer was written that is on its way
        self._rewrite = Timeout(REWRITE_MS)
        self._rx_flag = Flag()  # one for each task that may wait: one that reads, one that writes
        self._tx_flag = Flag()
        self._lost_cells = 0
        self._failures = 0
        self.resets = 0  # times that the device began anew

    @property
    def synchronised(self):
        """True while the device answers to this controller."""
        return self._box is not None and self._box.synchronised

    @property
    def failures(self):
        """Exchanges that ended in an OSError."""
        return self._failures + (self._box.failures if self._box else 0)

    @property
    def damaged(self):
        """Cells and transfers that failed their check, and were read again."""
        return self._lost_cells + (self._box.damaged if self._box else 0)

    def notify(self):
        """Have the tasks that wait look at once. May be called from an interrupt handler, e.g. of the device's pin."""
        self._rx_flag.set()
        self._tx_flag.set()

    def poll(self):
        """Look at the device: a few exchanges, never waits. True if its state is known now."""
        if self._box is None and not self._identify():
            return False
        box = self._box
        fresh = box.poll()
        if box.status.client_life != self._life:
            self._meet()
        if box.new_life:
            box.new_life = False
            if self._established:
                self._established = False
                self._broken = True
                self.resets += 1
        if not fresh or self._box is not box:
            return False
        self._established = True
        if box.state != SENDING:
            box.acknowledge()
        elif box.status.faults != self._faults or self._rewrite.expired():
            self._mark()
            box.send_again()
        return True

    def _identify(self):
        try:
            self._memory.read_into(0, self._cell)
        except OSError:
            self._failures += 1
            return False
        device = decode_device(self._cell)
        if device is None:
            self._lost_cells += 1
            return False
        kind, window, self.capacity, _ = device
        if kind != self._kind:
            raise ValueError("the device is of kind %r, not %r" % (chr(kind), chr(self._kind)))
        if self._box is None or window != self.window:
            if self._box is not None:
                self._failures += self._box.failures
                self._lost_cells += self._box.damaged
            self.window = window
            self._box = MailboxController(self._memory, random16, MAX_PAYLOAD, Layout(window))
        return True

    def _meet(self):
        """Another life of the device: it may have other sizes."""
        box = self._box
        self._life = box.status.client_life
        if not self._identify():
            self._life = 0  # ask again

    def _mark(self):
        self._faults = self._box.status.faults
        self._rewrite.restart()

    def _check(self):
        if self._broken:
            self._broken = False
            raise OSError(ECONNRESET)

    def _can_send(self):
        """True if the buffer is free and the device has room, as far as is known; looks at it if not."""
        box = self._box
        if box is None or not box.synchronised or box.state != FREE or not box.status.room:
            if not self.poll():
                return False
            box = self._box
        return box.state == FREE and box.status.room > 0

    def _send(self, n):
        """Send what stands in the buffer at _payload_at."""
        box = self._box
        self._mark()
        if not box.send(0, 0, self._payload_at, n):
            self._rewrite.expire()

    def _fetch(self):
        """Fetch the next transfer. True if it is there: a `memoryview` of it is `_payload()`, until `_done`."""
        box = self._box
        if box is None or not box.can_receive():
            if not self.poll():
                return False
            box = self._box
            if not box.can_receive():
                return False
        return box.receive()

    def _payload(self):
        box = self._box
        return box.view[box.start : box.start + box.length]

    def _done(self):
        self._box.release()
        self._box.acknowledge()

    async def _wait(self, flag, ready):
        """Wait until ready() returns something, and return it."""
        await sleep_ms(0)  # others run, also when something is always ready
        while True:
            flag.clear()
            result = ready()
            if result:
                return result
            try:
                await wait_for_ms(flag.wait(), self._interval_ms)
            except asyncio.TimeoutError:
                pass  # no hint came: look all the same

    async def readable(self):
        """Wait until there is something to read. One task at a time; a time-out around it loses nothing."""
        await self._wait(self._rx_flag, self._readable)

    async def writable(self):
        """Wait until there is room to write. As `readable`."""
        await self._wait(self._tx_flag, self._writable)

    async def drain(self):
        """Wait until the device has taken everything: what is written is only repeated in calls, so end with this."""
        await self._wait(self._tx_flag, self.flush)

    def _writable(self):
        self._check()
        return self._can_send()

    def flush(self):
        """True if the device has taken everything that was written."""
        self._check()
        if self._box is not None and self._box.state == SENDING:
            self.poll()
            self._check()
        return self._box is None or self._box.state == FREE
