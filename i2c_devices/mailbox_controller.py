"""The mailbox, the bridge's side: the I2C controller that reads and writes it.

There is one buffer, because the ESP8266 has no RAM to spare, and the bus
carries one thing at a time anyway. It is

    FREE      nothing in it
    RECEIVED  a transfer from the client waits to be taken: `release` then
    SENDING   a transfer to the client is not confirmed yet, may have to be
              written again, and frees the buffer when it is

A small transfer to the client, an acknowledgement mostly, is kept in a place
of its own behind it until it is confirmed, so that the buffer is free meanwhile.

Every method does at most one I2C exchange, `poll` two, and never waits.
"""

from protocol import mailbox as box
from protocol.sequence import diff8, get16

FREE = 0
RECEIVED = 1
SENDING = 2

# Where a payload of the link stands in the buffer, in both directions.
PAYLOAD_AT = box.HEADER


class MailboxController:
    """Args:
    i2c: machine.I2C or machine.SoftI2C: the controller of the bus.
    address: of the target whose memory is the mailbox.
    urandom: os.urandom, or its like.
    max_payload: longest payload that the client may offer, bytes.
    layout: protocol.mailbox, or what has its sizes and limits (protocol/device.py).
    small: a payload to the client of up to so many bytes leaves the buffer free.
    """

    def __init__(self, i2c, address, urandom, max_payload=box.PAYLOAD, layout=box, small=0):
        self._i2c = i2c
        self._address = address
        self._layout = layout
        self._urandom = urandom
        self._max_payload = max_payload
        self._cell = bytearray(layout.STATUS_BYTES)
        # A transfer and STATUS, and behind them the place of a small transfer to the client.
        self.buffer = bytearray(layout.TX_STRIDE + (box.HEADER + small if small else 0))
        self.view = memoryview(self.buffer)
        self._small = small
        self.state = FREE
        self.sending = False  # a transfer to the client is not confirmed
        # Views of the buffers, kept because transfers of one place and length follow each other.
        self._in = box.parts(self.view, 0, 0, 0)  # with the STATUS behind the transfer
        self._out = self._in
        self._out_at = 0
        self._ack = memoryview(self._cell)[: box.ACK_BYTES]
        # Of the transfer RECEIVED. The payload is a memoryview, valid until `release`.
        self.kind = self.connection = 0
        self.ends_frame = False
        self.payload = None
        self.lost = False  # the STATUS that came with a transfer was damaged: `poll` then; the owner clears it
        self.status = layout.StatusCell()
        self.damaged = 0  # cells and transfers that failed their checksum
        self.failures = 0  # exchanges that ended in an OSError
        self.answers = False  # the last exchange did not
        self.used = False  # the mailbox has been used; the owner clears it
        self._epoch = 0  # 0: the next poll begins a new one
        self._target_epoch = 0
        self.synchronised = False
        self.new_epoch = False  # the link has begun anew; the owner clears it
        self._reset_numbers()

    def _reset_numbers(self):
        self.next = 0  # number of the transfer expected from the client
        self._refusals = 0  # times that it was fetched and found damaged
        self._rewrites = 0  # times that the transfer that is not confirmed was written again
        self._ack_due = False
        self._out_number = 0  # of the transfer that is or will be sent
        self.sending = False
        if self.state == SENDING:
            self.state = FREE

    # Exchanges: each returns True if it succeeded

    def poll(self):
        """Read STATUS; write SYNC when client or bridge has begun a new epoch."""
        if not self._read(self._layout.STATUS, self._cell):
            return False
        if not self._read_status(self._cell, 0):
            if box.other_layout(self._cell, len(self._cell)):
                self._write_sync()  # it has ours in it: the client says what is the matter
            return False
        status = self.status
        if status.target_epoch != self._target_epoch or not self._epoch:
            return self._greet()
        if status.controller_epoch != self._epoch:
            if self.synchronised:  # the client left the bus and came back
                return self._greet()
            return self._write_sync()
        self.synchronised = True
        self._confirm()
        if status.base != self.next:  # it has not seen our acknowledgement
            self._ack_due = True
        return True

    def _read_status(self, buf, at):
        if self.status.read(buf, at):
            return True
        self.damaged += 1
        return False

    def _confirm(self):
        """The client's STATUS says whether it has the transfer that was sent."""
        if self.sending and self.status.next == (self._out_number + 1) & 0xFF:
            self.sending = False
            if self.state == SENDING:
                self.state = FREE
            self._out_number = self.status.next

    def _greet(self):
        """Begin a new epoch of the link."""
        self.synchronised = False
        epoch = get16(self._urandom(2), 0)
        # Not the one that the client knows: it would not see that it ended.
        while epoch in (0, self._epoch, self.status.controller_epoch):
            epoch = epoch % 0xFFFF + 1
        self._epochs = box.pack_epochs(self.status.target_epoch, epoch)  # first: it may fail
        self.new_epoch = True
        self._epoch = epoch
        self._target_epoch = self.status.target_epoch
        self._reset_numbers()
        return self._write_sync()

    def _end_epoch(self):
        """Have the next `poll` begin a new epoch of the link. Returns False."""
        self.synchronised = False
        self._epoch = 0
        return False

    def _write_sync(self):
        box.encode_sync_into(self._cell, 0, self._epoch, self._target_epoch, self._max_payload)
        self._write(self._layout.SYNC, memoryview(self._cell)[: box.SYNC_BYTES])
        return False  # synchronised when the client's STATUS repeats our epoch

    def can_receive(self):
        """True if the client offers a transfer and the buffer is free for it."""
        return (
            self.synchronised
            and self.state == FREE
            and diff8(self.status.end, self.next) > 0
        )

    def receive(self):
        """Fetch the next transfer into the buffer, and the STATUS that stands behind it.

        Then `kind` and `connection` say what it is; `release` the buffer.
        """
        number = self.next
        length = self.status.length(number)
        layout = self._layout
        if length == 0 or length > layout.PAYLOAD:
            return self._end_epoch()
        if length != len(self._in[3]):
            self._in = box.parts(self.view, 0, length, layout.STATUS_BYTES)
        where = layout.TX + layout.TX_STRIDE * (number % box.SLOTS) + layout.PAYLOAD - length
        if not self._read(where, self._in[0]):
            return False
        self._take_status(box.HEADER + length)
        if not self._epoch:
            return False
        if self.buffer[0] != number or not box.transfer_ok(box.FROM_TARGET, self._epochs, self._in):
            self.damaged += 1
            self._refusals += 1
            return self._end_epoch() if self._refusals >= layout.MAX_REFUSALS else False
        self._refusals = 0
        self.state = RECEIVED
        self.kind = self.buffer[1] & box.KIND
        self.ends_frame = bool(self.buffer[1] & box.FRAME_END)
        self.connection = self.buffer[2]
        self.payload = self._in[3]
        self.next = (number + 1) & 0xFF
        self._ack_due = True
        return True

    def _take_status(self, at):
        """The STATUS that came with a transfer, and what it changes. Damaged, it harms only itself."""
        status = self.status
        if not self._read_status(self.buffer, at):
            self.lost = True
            return
        if status.target_epoch != self._target_epoch or status.controller_epoch != self._epoch:
            self._end_epoch()
            return
        self._confirm()

    def can_send(self):
        """True if the buffer is free, and nothing is unconfirmed."""
        return self.state == FREE and not self.sending

    def release(self):
        """What was RECEIVED is no longer needed."""
        if self.state == RECEIVED:
            self.state = FREE

    def acknowledge(self):
        """Tell the client which transfers have been received, if it does not know yet."""
        if not self._ack_due:
            return True
        box.encode_ack_into(self._cell, 0, self._epochs, self.next)
        self._ack_due = not self._write(self._layout.ACK, self._ack)
        return not self._ack_due

    def send(self, kind, connection, start, length):
        """Send the payload that stands at buffer[start:], start at least HEADER."""
        at = start - box.HEADER
        if length <= self._small:
            at = self._layout.TX_STRIDE
            self.buffer[at + box.HEADER : at + box.HEADER + length] = self.view[start : start + length]
        if at != self._out_at or length != len(self._out[3]):
            self._out = box.parts(self.view, at, length, 0)
            self._out_at = at
        box.seal_transfer(box.FROM_CONTROLLER, self._epochs, self._out, self._out_number, kind, connection, self.next)
        self.sending = True  # nothing is, if one of the above had no memory
        if length > self._small:
            self.state = SENDING
        self._ack_due = False  # it rides in the header; `poll` finds out if it got lost
        self._rewrites = 0
        return self._write_transfer()

    def send_again(self):
        """Write the transfer that is not confirmed once more: harmless if the client has it already."""
        self._rewrites += 1
        if self._rewrites > self._layout.MAX_REWRITES:
            return self._end_epoch()
        return self._write_transfer()

    def _write_transfer(self):
        to = self._layout.RX + self._layout.SLOT * (self._out_number % box.SLOTS)
        return self._write(to, self._out[0])

    def _read(self, at, buf):
        try:
            self._i2c.readfrom_mem_into(self._address, at, buf, addrsize=box.ADDRESS_BITS)
        except OSError:
            return self._exchanged(False)
        return self._exchanged(True)

    def _write(self, at, buf):
        try:
            self._i2c.writeto_mem(self._address, at, buf, addrsize=box.ADDRESS_BITS)
        except OSError:
            return self._exchanged(False)
        return self._exchanged(True)

    def _exchanged(self, done):
        self.answers = done
        if done:
            self.used = True
        else:
            self.failures += 1
        return done
