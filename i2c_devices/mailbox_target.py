"""The mailbox, the client's side: an I2C memory that the bridge reads and writes.

The bridge can overwrite all of the memory at any moment, between two bytecodes
too. So what comes is copied first, then checked, and not looked at again; what
goes is made and sealed in a private buffer, then copied, and not read back: a
check or MAC over the memory itself would be one over what the bridge put there.
"""

from i2c_devices.memory_target import MemoryTarget
from protocol import mailbox as box
from protocol.limits import MIN_FRAME
from protocol.mailbox import Status
from protocol.serial import diff8


class MailboxTarget:
    """Args:
    port: i2c_devices.memory_target.TargetPort.
    life: this life of the client, 1..65535, random.
    wake: function of no arguments, called when the bridge has used the
        mailbox; it may be called from a soft interrupt handler.
    """

    def __init__(self, port, life, wake):
        self._device = MemoryTarget(port, box.MEMORY, self._on_use, box.ADDRESS_BITS)
        self._memory = self._device.memory
        self._view = memoryview(self._memory)
        self._cell = bytearray(box.SYNC_BYTES)
        self._received = bytearray(box.SLOT)
        self._received_view = memoryview(self._received)
        self._outgoing = bytearray(box.SLOT)
        self._outgoing_view = memoryview(self._outgoing)
        self._status_cell = bytearray(box.STATUS_BYTES)
        self._wake = wake
        # The bridge has used the mailbox; the reader clears it. The target's event says so, and so does
        # progress that is seen in memory, since events can be lost.
        self.used = False
        self.damaged = 0  # transfers and cells that failed their check
        self.resyncs = 0  # lives of the bridge that were met
        self.max_payload = box.PAYLOAD
        self._status = Status()
        self._status.client_life = life
        self._lives = None
        self._bad = None  # header of a damaged transfer, so that it is counted once
        self._restart(0)
        self.publish()

    def open(self):
        self._device.open()

    def close(self):
        """Leave the bus, and the synchronisation with it."""
        self._device.close()
        self._restart(0)
        self._memory[box.SYNC : box.RX] = bytes(box.RX)
        self.publish()
        self.used = False

    @property
    def synchronised(self):
        return self._lives is not None

    def _on_use(self):
        self.used = True
        self._wake()

    def _restart(self, bridge_life):
        status = self._status
        status.bridge_life = bridge_life
        status.next = status.base = status.end = status.drop = 0
        status.length0 = status.length1 = 0
        # No transfer of another life may look like the next one of this.
        self._memory[box.RX] = 1
        self._memory[box.RX + box.SLOT] = 0
        self._lives = box.lives(status.client_life, bridge_life) if bridge_life else None
        self._changed = True

    # From the bridge

    def poll(self):
        """Look at SYNC and ACK. Returns True if the bridge began a new life."""
        self._cell[:] = self._view[box.SYNC : box.SYNC + box.SYNC_BYTES]
        new_life = False
        if self._cell[0]:
            new_life = self._poll_sync()
        if self._lives is not None:
            self._cell[: box.ACK_BYTES] = self._view[box.ACK : box.ACK + box.ACK_BYTES]
            number = box.decode_ack(self._cell, 0, self._lives)
            if number is not None:
                self._acknowledge(number)
        return new_life

    def _poll_sync(self):
        sync = box.decode_sync(self._cell)
        if sync is None:
            return False
        bridge_life, client_life, max_payload = sync
        if client_life != self._status.client_life or bridge_life == self._status.bridge_life:
            return False
        if not bridge_life or max_payload < MIN_FRAME:  # no bridge says that, and no line could ever go
            return False
        self._restart(bridge_life)
        self.used = True
        self.max_payload = min(max_payload, box.PAYLOAD)
        self.resyncs += 1
        return True

    def _acknowledge(self, number):
        status = self._status
        if 0 < diff8(number, status.base) <= diff8(status.end, status.base):
            status.base = number
            self._changed = self.used = True

    def transfers(self):
        """Yield (kind, connection, payload) of each transfer that has arrived.

        payload: memoryview, valid until the next step.
        """
        while self._lives is not None and self._copy_next():
            buf = self._received
            self._status.next = (self._status.next + 1) & 0xFF
            self._changed = self.used = True
            self._acknowledge(buf[3])
            end = box.HEADER + box.transfer_length(buf, 0)
            yield buf[1], buf[2], self._received_view[box.HEADER : end]

    def _copy_next(self):
        """Copy the transfer that is expected next, if it is there and whole."""
        number = self._status.next
        at = box.RX + box.SLOT * (number % box.SLOTS)
        if self._memory[at] != number:
            return False
        buf = self._received
        buf[: box.HEADER] = self._view[at : at + box.HEADER]
        length = box.transfer_length(buf, 0)
        if buf[0] != number or length == 0 or length > box.PAYLOAD:
            return False
        end = box.HEADER + length
        buf[box.HEADER : end] = self._view[at + box.HEADER : at + end]
        if box.transfer_ok(box.FROM_BRIDGE, self._lives, buf, 0):
            return True
        if self._bad != buf[: box.HEADER]:
            self._bad = buf[: box.HEADER]
            self.damaged += 1
        return False

    # To the bridge

    @property
    def pending(self):
        """True while the bridge has something to fetch, or an answer to see."""
        return self._status.base != self._status.end

    def slot(self):
        """(bytearray, offset in it) where the next payload is to be written, or None if no slot is free.

        The bytearray is private: the bridge neither sees nor changes it.
        """
        status = self._status
        if self._lives is None or diff8(status.end, status.base) >= box.SLOTS:
            return None
        return self._outgoing, box.HEADER

    def offer(self, kind, connection, length):
        """Offer the payload of length bytes that was written into `slot()`."""
        status = self._status
        number = status.end
        box.seal_transfer(
            box.FROM_CLIENT, self._lives, self._outgoing, 0, number, kind, connection, 0, length
        )
        at = box.TX + box.TX_STRIDE * (number % box.SLOTS) + box.STATUS_BYTES
        size = box.HEADER + length
        self._memory[at : at + size] = self._outgoing_view[:size]
        if number & 1:
            status.length1 = length
        else:
            status.length0 = length
        status.end = (number + 1) & 0xFF
        self._changed = True

    def drop(self, connection):
        """Ask the bridge to close this connection."""
        self._status.drop = connection
        self._changed = True

    def beat(self):
        """Show that the client runs: at least every second. What else has changed is still to be told by `publish`."""
        self._status.beat = (self._status.beat + 1) & 0xFF
        self._publish_cells()

    def publish(self):
        """Make what has changed visible. Returns True if the bridge should look (pulse syn)."""
        changed = self._changed
        if changed:
            self._changed = False
            self._publish_cells()
        return changed

    def _publish_cells(self):
        cell = self._status_cell
        self._status.encode_into(cell, 0)
        for at in (box.TX, box.TX + box.TX_STRIDE):
            self._memory[at : at + box.STATUS_BYTES] = cell
