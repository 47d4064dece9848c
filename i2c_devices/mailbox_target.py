"""The target's side of the mailbox: a memory that the controller reads and writes. docs/protocol.md section 2.

The controller can overwrite all of the memory at any moment, between two bytecodes
too. So what comes is copied first, then checked, and not looked at again; what
goes is made and sealed in a private buffer, then copied, and not read back: a
checksum or MAC over the memory itself would be one over what the controller put there.
"""

from hashlib import sha256

from i2c_devices.memory_engine import MemoryEngine
from protocol import const
from protocol import mailbox as box
from protocol.limits import MIN_FRAME
from protocol.sequence import diff8
from protocol.target_cells import decode_ack, decode_sync, encode_status_into

# A private buffer has what a transfer's checksum begins with in front of it, so that it is hashed in two steps:
#     0   1  direction
#     1   4  epochs
#     5   6  header up to the checksum
#     11  4  checksum
#     15  n  payload
_FROM_CONTROLLER = const(0x62)  # protocol/mailbox.py's FROM_CONTROLLER
_FROM_TARGET = const(0x63)
_EPOCHS = const(1)
_TRANSFER = const(5)
KIND_AT = const(6)  # of `received`
CONNECTION_AT = const(7)
_CHECKSUM = const(11)
_PAYLOAD = const(15)


class MailboxTarget:
    """The mailbox in the target's memory.

    Args:
    port: i2c_devices.ports.TargetPort.
    epoch: of the target, random, 0..65535; 0 is taken for 1.
    wake: function of no arguments, called when the controller has used the
        mailbox; it may be called from an interrupt handler.
    layout: protocol.mailbox, or what has its sizes (protocol/device.py).
    memory: function (port, size, on_use) that makes the memory: MemoryEngine, or what returns a MemoryTarget.
    encode_status_into: function of that layout, as in protocol/target_cells.py.
    """

    def __init__(self, port, epoch, wake, layout=box, memory=MemoryEngine, encode_status_into=encode_status_into):
        self._layout = layout
        self._encode_status_into = encode_status_into
        size = layout.TX + box.SLOTS * layout.TX_STRIDE
        self.device = memory(port, size, self._on_use)
        self._memory = self.device.memory
        self._view = memoryview(self._memory)
        self._sync_view = self._view[layout.SYNC : layout.SYNC + box.SYNC_BYTES]
        self._cell = bytearray(box.SYNC_BYTES)  # SYNC, as it was looked at last
        self.received = bytearray(_TRANSFER + layout.SLOT)  # [KIND_AT], [CONNECTION_AT]: of the one that was fetched
        # The link is done with what has come before it writes what is to go: one buffer does for both. A device's
        # function for packets may send while it reads one.
        self._outgoing = self.received if layout is box else bytearray(_TRANSFER + layout.SLOT)
        # Views that are used for each transfer: made for each they would be its garbage.
        self._received_view = memoryview(self.received)
        self._received_head = self._received_view[:_CHECKSUM]
        self._outgoing_view, self._outgoing_head = self._received_view, self._received_head
        if self._outgoing is not self.received:
            self._outgoing_view = memoryview(self._outgoing)
            self._outgoing_head = self._outgoing_view[:_CHECKSUM]
        self.payload = None  # of the transfer that `fetch` has copied: a memoryview
        self._status_cell = bytearray(layout.STATUS_BYTES)
        behind = layout.TX + layout.SLOT
        # The one that the controller polls is written last: what comes with a transfer must not be of an older epoch.
        self._status_places = sorted({layout.STATUS, behind, behind + layout.TX_STRIDE}, reverse=True)
        self._wake = wake
        # The controller has used the mailbox; the reader clears it. The target's event says so, and so does
        # progress that is seen in memory, since events can be lost.
        self.used = False
        self.heard = False  # an event has told of it; the reader clears it
        self.damaged = 0  # transfers and cells that failed their checksum
        self.resyncs = 0  # epochs of the controller that were met
        self.other_layout = 0  # version of a controller with another mailbox, if one has been met
        self.max_payload = layout.PAYLOAD
        self.status = layout.StatusCell()
        self.status.target_epoch = epoch or 1
        self._epochs = None
        self._new_epoch = False  # `poll` has not said so yet
        self._slot = (self._outgoing, _PAYLOAD)
        self.changed = False  # a field of `status` has, and `publish` is to write it
        self._bad = None  # header of a damaged transfer, so that it is counted once
        self._restart(0)
        self.publish()

    def open(self):
        self.device.open()

    def close(self):
        """Leave the bus, and the synchronisation with it."""
        self.device.close()
        self._restart(0)
        for at in range(self._layout.SYNC, self._layout.RX):
            self._memory[at] = 0
        self._forget_sync()
        try:
            self.publish()
        except MemoryError:
            pass  # it is still to be done
        self.used = False

    def _on_use(self):
        self.used = self.heard = True
        self._wake()

    def _restart(self, controller_epoch):
        status = self.status
        # First, because it may fail.
        epochs = box.pack_epochs(status.target_epoch, controller_epoch) if controller_epoch else None
        status.controller_epoch = controller_epoch
        status.next = status.base = status.end = status.drop = 0
        status.length0 = status.length1 = 0
        self._memory[self._layout.RX] = 1  # no transfer of another epoch may look like the first one of this
        self._epochs = epochs
        self.synchronised = epochs is not None
        if epochs is not None:
            for i in range(len(epochs)):  # a slice would be an object, and must not fail here
                self.received[_EPOCHS + i] = self._outgoing[_EPOCHS + i] = epochs[i]
        self.changed = True

    # From the controller

    def poll(self):
        """Look at SYNC and ACK. Returns True if the controller began a new epoch, since it last said so."""
        if self._sync_view != self._cell:
            self._look_at_sync()
        if self._epochs is not None and self._memory[self._layout.ACK] != self.status.base:
            self._look_at_ack(self._layout.ACK)
        if self._new_epoch:
            self._new_epoch = False
            return True
        return False

    def _look_at_sync(self):
        self._cell[:] = self._sync_view
        try:
            if self._cell[0]:
                self._new_epoch |= self._poll_sync()
        except MemoryError:
            self._forget_sync()  # it is looked at again
            raise

    def _forget_sync(self):
        for i in range(box.SYNC_BYTES):
            self._cell[i] = 0

    def _look_at_ack(self, at):
        cell = self._status_cell  # STATUS is made anew whenever it is written
        for i in range(box.ACK_BYTES):
            cell[i] = self._memory[at + i]
        number = decode_ack(cell, 0, self._epochs)
        if number is not None:
            self._acknowledge(number)

    def _poll_sync(self):
        sync = decode_sync(self._cell)
        if sync is None:
            self.other_layout = box.other_layout(self._cell, box.SYNC_BYTES)
            return False
        controller_epoch, target_epoch, max_payload = sync
        if target_epoch != self.status.target_epoch or controller_epoch == self.status.controller_epoch:
            return False
        if not controller_epoch or max_payload < MIN_FRAME:  # no controller says that, and no line could ever go
            return False
        self._restart(controller_epoch)
        self.used = True
        self.max_payload = min(max_payload, self._layout.PAYLOAD)
        self.resyncs += 1
        return True

    def _acknowledge(self, number):
        status = self.status
        if 0 < diff8(number, status.base) <= diff8(status.end, status.base):
            status.base = number
            self.changed = self.used = True

    def transfers(self, most=-1):
        """Yield (kind, connection, payload) of each transfer that has arrived, or of this many at most.

        A transfer is accepted when the next one is asked for: one that has met an exception comes again.

        payload: memoryview, valid until the next step; in the link until something is written into `slot()`.
        """
        while most and self.fetch():
            yield self.received[KIND_AT], self.received[CONNECTION_AT], self.payload
            self.accept()
            most -= 1

    def arrived(self):
        """True if something stands where the next transfer is expected. Does not allocate."""
        return self._memory[self._layout.RX] == self.status.next

    def fetch(self, count=True):
        """Copy the transfer that is expected next. True if it is there and whole: then `payload` has it.

        count: one that is not whole is damaged, not on its way.
        """
        if self._epochs is None or not self.arrived():
            return False
        self._copy(self._layout.RX)
        buf = self.received
        buf[0] = _FROM_CONTROLLER
        length = buf[9] << 8 | buf[10]
        if buf[_TRANSFER] != self.status.next or length == 0 or length > self._layout.PAYLOAD:
            return False
        view = self._received_view
        self.payload = view[_PAYLOAD : _PAYLOAD + length]
        if self._whole(self._received_head):
            return True
        if count:
            self._count_damaged(bytes(buf[_TRANSFER:_PAYLOAD]))
        return False

    def _copy(self, at):
        self.received[_TRANSFER:] = self._view[at : at + self._layout.SLOT]

    def _whole(self, head):
        digest, buf = _digest(head, self.payload), self.received
        return buf[11] == digest[0] and buf[12] == digest[1] and buf[13] == digest[2] and buf[14] == digest[3]

    def _count_damaged(self, header):
        if self._bad != header:
            self._bad = header
            self.damaged += 1

    def accept(self):
        """Count the transfer that was fetched as received: the controller is told with the next `publish`."""
        status = self.status
        status.next = (status.next + 1) & 0xFF
        self.changed = self.used = True
        if self.received[8] != status.base:
            self._acknowledge(self.received[8])

    # To the controller

    def pending(self):
        """True while the controller has something to fetch, or has not said that it has fetched it."""
        return self.status.base != self.status.end

    def slot(self):
        """(bytearray, offset in it) where the next payload is to be written, or None if no slot is free.

        The bytearray is private: the controller neither sees nor changes it. In the link it is also that of `payload`.
        """
        status = self.status
        if self._epochs is None or diff8(status.end, status.base) >= box.SLOTS:
            return None
        return self._slot

    def offer(self, kind, connection, length):
        """Offer the payload of length bytes that was written into `slot()`."""
        buf = self._outgoing
        buf[0] = _FROM_TARGET
        buf[_TRANSFER] = self.status.end
        buf[KIND_AT] = kind
        buf[CONNECTION_AT] = connection
        buf[9] = length >> 8
        buf[10] = length & 0xFF
        # No local more, and no slice: see protocol/receiver.py.
        connection = _PAYLOAD + length
        kind = _digest(self._outgoing_head, self._outgoing_view[_PAYLOAD:connection])
        buf[11] = kind[0]
        buf[12] = kind[1]
        buf[13] = kind[2]
        buf[14] = kind[3]
        self._show(self._outgoing_view[_TRANSFER:connection], length)

    def _show(self, transfer, length):
        status, layout = self.status, self._layout
        number = status.end
        at = layout.TX + layout.TX_STRIDE * (number % box.SLOTS) + layout.PAYLOAD - length
        self.device.put(at, transfer)
        if number & 1:
            status.length1 = length
        else:
            status.length0 = length
        status.end = (number + 1) & 0xFF
        self.changed = True

    def drop(self, connection):
        """Ask the controller to close this connection."""
        self.status.drop = connection
        self.changed = True

    def beat(self):
        """Show that the target runs: at least every second. What else has changed is still to be told by `publish`."""
        self.status.beat = (self.status.beat + 1) & 0xFF
        self._publish_cells()

    def publish(self):
        """Make what has changed visible. Returns True if the controller should look (pulse syn)."""
        changed = self.changed
        if changed:
            self.changed = False
            try:
                self._publish_cells()
            except MemoryError:
                self.changed = True
                raise
        return changed

    def _publish_cells(self):
        self._encode_status_into(self.status, self._status_cell)
        for at in self._status_places:
            self.device.put(at, self._status_cell)


def _digest(head, payload):
    """What a transfer's checksum is the beginning of, docs/protocol.md section 2. head: buffer[:_CHECKSUM]."""
    digest = sha256(head)
    digest.update(payload)
    return digest.digest()
