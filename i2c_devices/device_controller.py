"""The controller's side of a device, as far as a stream and a packet device have it in common.

Bus errors are not raised: a transfer that fails is repeated, and `failures` counts. What is raised is OSError
(ECONNRESET), once, after the device has begun anew: what was on its way then is lost, or will come again. If something
was written that is lost, and a call that reads was told, the next one that writes is told too. A call that waits for
a device that does not answer raises OSError (ETIMEDOUT).
"""

import asyncio  # noqa: F401 - first, because one import inside of another takes stack, and modules below import it
from errno import ECONNRESET

from i2c_devices.device_waits import DeviceWaits
from i2c_devices.mailbox_controller import FETCHED, FREE, NEW_EPOCH, SENDING, MailboxController
from i2c_devices.randomness import urandom
from primitives.timeout import Timeout
from protocol.device import DEVICE_BYTES, Layout, decode_device
from protocol.mailbox import ADDRESS_BITS, HEADER

# A transfer that the device has not taken by then is written again; before, if it says that it was damaged.
REWRITE_MS = 100


class DeviceController(DeviceWaits):
    """A device as its controller sees it: a base class.

    Args:
    interval_ms: how often a task that waits looks at the device, if `notify` is not called before.
    timeout_ms: as of DeviceWaits.

    A controller has these methods:

    _readable(): there is something to read; fetches if not.
    _discard(): forget what was fetched, and not read.
    """

    def __init__(self, i2c, address, kind, interval_ms, timeout_ms):
        super().__init__(interval_ms, timeout_ms)
        self._i2c = i2c
        self._address = address
        self._no_answer = "no device answers at 0x%02x: has it power, is it open, are scl and sda wired?" % address
        self._foreign = "what answers at 0x%02x is no stream or packet device: is the address right?" % address
        self._kind = kind
        self._cell = bytearray(DEVICE_BYTES)
        self._box = None  # once the device has said what it is
        self.max_payload = self.capacity = 0
        self._payload_at = HEADER
        self._epoch = 0  # of the device
        self._established = False
        self._broken = False
        self._lost = False  # what was written last, with the device's epoch
        self._faults = 0  # of the device, when the transfer was written that is on its way
        self._rewrite = Timeout(REWRITE_MS)
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
        """Cells and transfers that failed their checksum, and were read again."""
        return self._lost_cells + (self._box.damaged if self._box else 0)

    def notify(self):
        """Have the tasks that wait look at once. May be called from an interrupt handler, e.g. of the device's pin."""
        self._rx_flag.set()
        self._tx_flag.set()

    def poll(self):
        """Look at the device: a few exchanges, never waits. True if its state is known now."""
        failures = self.failures
        known = self._look()
        self._absent = self._no_answer if self.failures != failures else None if self._box else self._foreign
        return known

    def _look(self):
        if self._box is None and not self._identify():
            return False
        box = self._box
        sending, damaged = box.state == SENDING, box.damaged
        fresh = box.poll()
        events, box.events = box.events, 0
        if events & NEW_EPOCH:
            self._end_epoch(sending)
        met = box.status.target_epoch == self._epoch or self._meet()
        if box.damaged != damaged:
            self._identify()  # STATUS may not be where it was: another epoch may have another max_payload
        if not fresh or not met or self._box is not box:
            return False
        self._established = True
        if box.state != SENDING:
            box.acknowledge()
        elif box.status.faults != self._faults or self._rewrite.expired():
            box.send_again()
            self._mark()
        return True

    def _identify(self):
        try:
            self._i2c.readfrom_mem_into(self._address, 0, self._cell, addrsize=ADDRESS_BITS)
        except OSError:
            self._failures += 1
            return False
        device = decode_device(self._cell)
        if device is None:
            self._lost_cells += 1
            return False
        kind, max_payload, capacity, _ = device
        if self._box is not None and (kind != self._kind or max_payload != self.max_payload):
            self._end_epoch(self._box.state == SENDING)
            self._failures += self._box.failures
            self._lost_cells += self._box.damaged
            self._box = None
        if kind != self._kind:
            raise ValueError("the device is of kind %r, not %r" % (chr(kind), chr(self._kind)))
        self.max_payload = max_payload
        self.capacity = capacity
        if self._box is None:
            self._box = MailboxController(self._i2c, self._address, urandom, Layout(max_payload))
        return True

    def _end_epoch(self, sending):
        if self._established:
            self._established = False
            self._broken = True
            self._lost |= sending
            self.resets += 1

    def _meet(self):
        """Read DEVICE of another epoch, which may have other sizes. True if it is known now."""
        epoch = self._box.status.target_epoch
        if not self._identify():
            return False
        self._epoch = epoch
        return True

    def _mark(self):
        self._faults = self._box.status.faults
        self._rewrite.restart()

    def _raise_fault(self):
        if self._broken:
            self._broken = False
            self._discard()
            raise OSError(ECONNRESET, "the device has begun anew")

    def _raise_write_fault(self):
        self._broken |= self._lost
        self._lost = False
        self._raise_fault()

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
        try:
            sent = box.send(0, 0, self._payload_at, n)
        except MemoryError:
            if not box.sending:
                raise  # nothing has been sent
            sent = False
        self._mark()  # now: at 100 kHz it may have taken 90 ms
        if not sent:
            self._rewrite.expire()

    def _fetch(self):
        """Fetch the next transfer. True if it is there: `_payload()` is a memoryview of it, until `_done`."""
        box = self._box
        if box is not None and box.state == FETCHED:  # memory ran out before it could be kept
            return True
        if box is None or not box.can_fetch():
            if not self.poll():
                return False
            box = self._box
            if not box.can_fetch():
                return False
        return box.fetch()

    def _payload(self):
        return self._box.payload

    def _done(self):
        self._box.release()
        self._box.acknowledge()

    def _writable(self):
        self._raise_write_fault()
        return self._can_send()

    def flush(self):
        """True if the device has taken everything that was written."""
        self._raise_write_fault()
        if self._box is not None and self._box.state == SENDING:
            self.poll()
            self._raise_write_fault()
        return self._box is None or self._box.state == FREE
