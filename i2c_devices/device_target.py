"""The target's side of a device, as far as a stream and a packet device have it in common: a mailbox and its events.

All state is in the mailbox's memory, so events are hints: they may be late, coalesced or lost. The interrupt itself
only sets flags, and has the work scheduled; every call of the application (`any`, `read`, `ioctl`, ..) does it as well,
and costs a few comparisons if there is none. The two keep apart by `_busy`.

When memory runs out in the work, what is left of it is done by the next call or event, or POLL_MS later by a task
that waits. A call that raises MemoryError has done nothing: call it again.
"""

import asyncio  # noqa: F401 - first, because one import inside of another takes stack, and modules below import it
import sys

from i2c_devices.device_waits import DeviceWaits
from i2c_devices.mailbox_target import MailboxTarget
from i2c_devices.memory_target import MemoryTarget
from i2c_devices.pins import validate_pins
from i2c_devices.ports import drive
from i2c_devices.randomness import urandom
from primitives.platform import sleep_ms
from primitives.timeout import Timeout
from protocol.device import DEVICE_BYTES, MAX_CAPACITY, Layout, encode_device_into, encode_status_into
from protocol.mailbox import ADDRESS_BITS
from protocol.sequence import get16

if sys.implementation.name == "micropython":
    from io import IOBase as Pollable  # `select.poll` and asyncio's streams call its `ioctl`
else:

    class Pollable:
        """A base class that CPython does not need."""


# How often a call, or a task that waits, examines everything although no event came, and how long the controller may
# not know of a little more room.
POLL_MS = 20

# What is not whole POLL_MS after it might be was damaged, and is not on its way: a bus of 100 kHz carries 11 bytes/ms.
MIN_BYTES_PER_MS = 10

# Events that one call serves; those behind wait for the next one.
MAX_ROUNDS = 4

IRQ_RX = 1  # something has arrived: its checksum has not been looked at yet
IRQ_TX = 2  # the controller has taken something: there may be room
IRQ_ERROR = 4  # `faults` has grown
IRQ_RESET = 8  # a controller has begun anew

MP_STREAM_POLL = 3
MP_STREAM_CLOSE = 4
POLLIN = 1
POLLOUT = 4


def validate_capacity(name, value):
    """Raise ValueError unless the value can be a capacity."""
    if not 1 <= value <= MAX_CAPACITY:
        raise ValueError("%s must be 1..%d, not %r" % (name, MAX_CAPACITY, value))


class DeviceTarget(Pollable, DeviceWaits):
    """A device in its own program: a base class, since `select.poll` wants one. A device has these methods:

    _fits(n): there is room for a transfer of n bytes.
    _keep(payload): store what arrived, and accept it in the mailbox when nothing of the device's can fail any more.
    _offer(): put what waits into free slots of the mailbox.
    _confirm(number): the controller has the transfer with this number.
    _levels(): (available, room) for STATUS.
    _readable(), _writable(), flush(): as DeviceWaits wants them.
    """

    def __init__(self, port, kind, max_payload, rx, tx, life, pin, timeout_ms):
        DeviceWaits.__init__(self, POLL_MS, timeout_ms)
        self._absent = "the device was never opened, so no controller reaches it: call open()"
        layout = Layout(max_payload)
        self._max_payload = max_payload
        self._capacity = rx
        self._port = port
        self._on_schedule_ref = self._on_schedule  # bound once: an interrupt must not allocate
        self._pin = pin
        if hasattr(pin, "init"):  # a Pin, not just a function
            validate_pins(port.lines(type(pin)) + [("pin", pin)])
        self._handler = None
        self._trigger = 0
        self._flags = 0
        epoch = life or get16(urandom(2), 0)

        def memory(port, size, on_use):
            return MemoryTarget(port, size, on_use, ADDRESS_BITS, read_only=layout.READ_ONLY)

        self._box = box = MailboxTarget(port, epoch, self._on_use, layout, memory, encode_status_into)
        self._memory = box.device.memory
        self._ack_at = layout.ACK
        # SYNC and ACK as they were examined last.
        self._cells = memoryview(self._memory)[layout.SYNC : layout.RX]
        self._seen = memoryview(bytearray(len(self._cells)))
        self._examining = False  # they are still to be
        self._look = Timeout(POLL_MS)
        self._stalled = False  # what arrived is not whole, or finds no room: wait for an event
        self._stall = Timeout(POLL_MS + max_payload // MIN_BYTES_PER_MS)
        self._told = Timeout(POLL_MS)  # since STATUS was written
        self._busy = 0  # calls in progress, one inside the other
        self._over = False  # it finds no room, and has been counted
        self._base = 0  # number of the oldest transfer that is not confirmed
        self._reported = 0  # faults that the handler knows of
        self._overflows = 0
        cell = bytearray(DEVICE_BYTES)
        encode_device_into(cell, 0, kind, max_payload, rx, tx)
        box.device.put(0, cell)
        box.status.room = rx
        box.changed = True
        box.publish()

    def open(self):
        """Answer on the bus."""
        self._absent = None
        if hasattr(self._pin, "init"):
            drive(self._pin, 1)
        self._box.open()

    def close(self):
        """Leave the bus. What the controller has not confirmed is offered again after `open`."""
        self._busy += 1
        self._box.close()
        self._seen[:] = self._cells  # now empty: the controller may write the same SYNC again
        self._forget()
        self._busy -= 1

    # What went wrong

    @property
    def overflows(self):
        """Times that the controller wrote more than there was room for. Nothing was lost: it waits in the mailbox."""
        return self._overflows

    @property
    def damaged(self):
        """Transfers that failed their checksum; the controller writes them again."""
        return self._box.damaged

    @property
    def refused(self):
        """Times that the controller wrote where it must not; it was undone."""
        return self._box.device.refused

    @property
    def faults(self):
        return self._overflows + self._box.damaged + self._box.device.refused

    @property
    def resets(self):
        """Controllers that have begun, the first one included."""
        return self._box.resyncs

    # Events

    def irq(self, handler=None, trigger=IRQ_RX, hard=False):
        """Call handler(self) when one of the events of trigger occurs; in it, `flags` tells which.

        IRQ_RX and IRQ_TX call it from the interrupt, hard or soft, and are hints: they come before the checksum is
        looked at, and may be lost. IRQ_ERROR and IRQ_RESET call it from the work: in the application's next call, or
        scheduled, between any two of its bytecodes. In an interrupt the handler may use the device only if nothing
        else does; else it sets a flag. Returns self.

        Raises:
            ValueError: the port has no hard interrupts.
        """
        self._handler = None
        self._box.device.set_hard(hard)
        self._trigger = trigger
        self._handler = handler
        return self

    def flags(self):
        """The events that the handler is called for, while it runs."""
        return self._flags

    def _on_use(self):
        """The mailbox has been used. Called in an interrupt: it does not allocate."""
        self._port.schedule(self._on_schedule_ref)
        self._rx_flag.set()
        self._tx_flag.set()
        if self._handler is not None:
            box = self._box
            flags = 0
            base = box.status.base
            if box.arrived():
                flags = IRQ_RX
            if base != box.status.end and (flags or self._memory[self._ack_at] != base):
                flags |= IRQ_TX
            self._tell(flags)

    def _tell(self, flags):
        flags &= self._trigger
        if flags and self._handler is not None:
            before = self._flags  # an interrupt may come in the middle of a call of the handler
            self._flags = flags
            self._handler(self)
            self._flags = before

    # The work

    def service(self):
        """Take what has arrived, offer what waits. Every other call does it; bounded: two transfers each way."""
        self._enter()
        self._leave()

    def _end(self):
        """End a call that has changed something: offer that, and tell of it.

        MemoryError is not raised, because what the call has done is done.
        """
        try:
            self._offer()
            self._publish()
        except MemoryError:
            self._box.used = True  # somebody else does it
        self._leave()

    async def run(self):
        """Serve for ever, also when events are lost and the application does not call: a task of its own, if wanted."""
        while True:
            try:
                self.service()
            except MemoryError:
                pass  # it is done the next time
            await sleep_ms(POLL_MS)

    def _enter(self):
        """Begin a call: until `_leave` a scheduled callback leaves the device alone."""
        self._busy += 1
        if self._busy > 1:
            return
        entered = False
        try:
            self._look_around()
            entered = True
        finally:
            if not entered:  # a callback of the application raised, or memory ran out
                self._busy -= 1

    def _leave(self):
        try:
            for _ in range(MAX_ROUNDS):
                if self._busy > 1 or not self._box.used:
                    break
                self._look_around()  # an event came meanwhile, and found the device in use
        except MemoryError:
            return  # the next call, or a task that waits, looks again
        finally:
            self._busy -= 1
        if not self._busy and self._box.used:
            self._port.schedule(self._on_schedule_ref)

    def _on_schedule(self, _):
        if not self._busy:
            try:
                self.service()
            except MemoryError:
                pass  # as `_leave`: `used` stays

    def _look_around(self):
        box = self._box
        if box.used or self._look.expired() or box.arrived() and not self._stalled or self._cells != self._seen:
            box.used = False
            self._look.restart()
            try:
                self._serve()
            except MemoryError:
                box.used = True
                raise

    def _serve(self):
        box = self._box
        box.device.restore()
        events = 0
        if self._cells != self._seen or self._examining:
            self._examining = True
            self._seen[:] = self._cells
            if box.poll():
                self._forget()
                events = IRQ_RESET
            self._examining = False
        self._fetch_all()
        self._confirm_all()
        self._offer()
        self._publish()
        if self.faults != self._reported:
            self._reported = self.faults
            events |= IRQ_ERROR
        self._tell(events)

    def _forget(self):
        self._base = 0
        self._stalled = self._over = False

    def _fetch_all(self):
        box = self._box
        while box.arrived():
            if not box.fetch(self._stalled and self._stall.expired()):
                if not self._stalled:
                    self._stalled = True
                    self._stall.restart()
                return
            payload = box.payload
            if not self._fits(len(payload)):
                self._stalled = True
                self._overflows += not self._over
                self._over = True
                return
            self._stalled = self._over = False
            self._keep(payload)
            self._rx_flag.set()
        self._stalled = False

    def _confirm_all(self):
        status = self._box.status
        while self._base != status.base:
            self._confirm(self._base)
            self._base = (self._base + 1) & 0xFF
            self._tx_flag.set()

    def _publish(self):
        """Write STATUS if the mailbox has changed, or if the controller should know of more room."""
        box = self._box
        status = box.status
        available, room = self._levels()
        # Not at each byte that is read, or the controller would write as many small transfers.
        # But in the end, for the application may wait for more than half before it reads.
        late = self._told.expired()  # asked each time: a Timeout must be
        if room != status.room and (
            late or room == self._capacity or room - status.room >= self._capacity // 2
        ):
            box.changed = True
        if status.faults != self.faults & 0xFF:
            status.faults = self.faults & 0xFF
            box.changed = True
        if box.changed:
            status.available = min(available, 0xFFFF)
            status.room = room
            box.publish()
            self._told.restart()
            if self._pin is not None:
                self._pin(0)
                self._pin(1)

    def ioctl(self, request, arg):
        """MicroPython's stream protocol: MP_STREAM_POLL, MP_STREAM_CLOSE."""
        if request == MP_STREAM_POLL:
            ready = 0
            if arg & POLLIN and self._readable():
                ready = POLLIN
            if arg & POLLOUT and self._writable():
                ready |= POLLOUT
            return ready
        if request == MP_STREAM_CLOSE:
            self.close()
            return 0
        return -1
