"""The controller's side of the mailbox: reads and writes it over I2C. docs/protocol.md section 2.

There is one buffer, because the ESP8266 has no RAM to spare, and the bus
carries one thing at a time anyway. It is

    FREE     nothing is in it
    FETCHED  it holds a transfer from the target, until `release`
    SENDING  it holds a transfer to the target, until that is confirmed: the
             transfer may have to be written again

A small transfer to the target, an acknowledgement mostly, is kept in a place
of its own behind the buffer until it is confirmed, so that the buffer is free.

Every method does at most one I2C exchange, `poll` two, and never waits.
"""

from protocol import const
from protocol import mailbox as box
from protocol.sequence import diff8, get16

# Of the buffer.
FREE = 0
FETCHED = 1
SENDING = 2

# Of `events`.
USED = 1  # an exchange has succeeded
LOST = 2  # the STATUS behind a transfer was damaged: `poll` for it
NEW_EPOCH = 4  # the hop has begun anew: what was agreed and sent before is void

# What `poll` does: a row for each state, UNKNOWN (it has no epoch), GREETING, SYNCHRONISED, and a byte for what STATUS
# names: another target, another controller, both as they are. docs/protocol.md section 2 has the same table.
_GREET = const(71)  # "G": draw an epoch, write SYNC; then GREETING
_REPEAT = const(82)  # "R": write SYNC again; still GREETING
# else "S": SYNCHRONISED
_DOES = const(b"GGG" b"GRS" b"GGS")
_OTHER_TARGET = const(0)
_OTHER_CONTROLLER = const(1)
_BOTH = const(2)
_NAMED = const(3)

# Of protocol/mailbox.py. Written out, they take no time.
_C_ADDRESS_BITS = const(16)
_C_HEADER = const(10)
_C_SLOTS = const(2)

# Of what box.parts returns.
_WHOLE = const(0)
_PAYLOAD = const(3)


class MailboxController:
    """A payload stands at buffer[HEADER:], in both directions.

    Args:
    i2c: machine.I2C or machine.SoftI2C: the controller of the bus.
    address: of the target whose memory is the mailbox.
    urandom: os.urandom, or its like.
    layout: protocol.mailbox, or what has its sizes and limits (protocol/device.py).
    small: a payload to the target of up to so many bytes leaves the buffer free.
    """

    def __init__(self, i2c, address, urandom, layout=box, small=0):
        self._i2c = i2c
        self._address = address
        self._layout = layout
        self._urandom = urandom
        self._cell = bytearray(layout.STATUS_BYTES)
        # A transfer and STATUS, and behind them the place of a small transfer to the target.
        self.buffer = bytearray(layout.TX_STRIDE + (_C_HEADER + small if small else 0))
        self.view = memoryview(self.buffer)
        self.state = FREE
        self.sending = False  # a transfer to the target is not confirmed
        # Views of the buffers, kept because transfers of one place and length follow each other.
        self._in = box.parts(self.view, 0, 0, 0)  # with the STATUS behind the transfer
        self._out = self._in
        self._out_at = 0
        self._ack = memoryview(self._cell)[: box.ACK_BYTES]
        # Of the transfer FETCHED. The payload is a memoryview, valid until `release`.
        self.kind = self.connection = 0
        self.payload = None
        self.events = 0  # USED, LOST, NEW_EPOCH, those since the user has set it to 0
        self.status = layout.StatusCell()
        self.damaged = 0  # cells and transfers that failed their checksum
        self.failures = 0  # exchanges that ended in an OSError
        self.answers = False  # the last exchange did not
        self._epoch = 0  # 0: the next poll draws one
        self._epochs = bytes(4)  # box.pack_epochs of the target's, to which this one is known, and this
        self.synchronised = False
        self._reset_numbers()

    def _reset_numbers(self):
        self.next = 0  # number of the transfer expected from the target
        self._refusals = 0  # times that it was fetched and found damaged
        self._rewrites = 0  # times that the transfer that is not confirmed was written again
        self._ack_due = False
        self._out_number = 0  # of the transfer that is or will be sent
        self.sending = False
        if self.state == SENDING:
            self.state = FREE

    # Exchanges: each returns True if it succeeded

    def poll(self):
        """Read STATUS, and write SYNC if the table of states says so. True if the mailbox is synchronised."""
        if not self._read(self._layout.STATUS, self._cell):
            return False
        if not self._read_status(self._cell, 0):
            if box.other_layout(self._cell, len(self._cell)):
                self._write_sync()  # it has our version in it: the target says what is the matter
            return False
        status = self.status
        named = _BOTH
        if status.target_epoch != get16(self._epochs, 0):
            named = _OTHER_TARGET
        elif status.controller_epoch != self._epoch:
            named = _OTHER_CONTROLLER
        row = 2 * _NAMED if self.synchronised else _NAMED if self._epoch else 0
        does = _DOES[row + named]
        if does == _GREET:
            return self._greet()
        if does == _REPEAT:
            return self._write_sync()
        self.synchronised = True
        self._confirm()
        if status.base != self.next:  # it has not seen our acknowledgement
            self._ack_due = True
        return True

    def _read_status(self, buf, at):
        if self.status.read_from(buf, at):
            return True
        self.damaged += 1
        return False

    def _confirm(self):
        """The target's STATUS says whether it has the transfer that was sent."""
        if self.sending and self.status.next == (self._out_number + 1) & 0xFF:
            self.sending = False
            if self.state == SENDING:
                self.state = FREE
            self._out_number = self.status.next

    def _greet(self):
        """Draw an epoch, and tell the target."""
        self.synchronised = False
        epoch = get16(self._urandom(2), 0)
        # Not the one that the target knows: it would not see that it ended.
        while epoch in (0, self._epoch, self.status.controller_epoch):
            epoch = epoch % 0xFFFF + 1
        self._epochs = box.pack_epochs(self.status.target_epoch, epoch)  # first: it may fail
        self.events |= NEW_EPOCH
        self._epoch = epoch
        self._reset_numbers()
        return self._write_sync()

    def _end_epoch(self):
        """Enter the state UNKNOWN: the next `poll` draws an epoch. Returns False."""
        self.synchronised = False
        self._epoch = 0
        return False

    def _write_sync(self):
        box.encode_sync_into(self._cell, 0, self._epoch, get16(self._epochs, 0), self._layout.SYNC_PAYLOAD)
        self._write(self._layout.SYNC, memoryview(self._cell)[: box.SYNC_BYTES])
        return False  # synchronised when the target's STATUS repeats our epoch

    def can_fetch(self):
        """True if the target offers a transfer and the buffer is free for it."""
        return (
            self.synchronised
            and self.state == FREE
            and diff8(self.status.end, self.next) > 0
        )

    def fetch(self):
        """Read the next transfer into the buffer, and the STATUS that stands behind it.

        Then `kind` and `connection`, two bytes of its header, say what it is; `release` the buffer.
        """
        number = self.next
        length = self.status.length(number)
        layout = self._layout
        if length == 0 or length > layout.PAYLOAD:
            return self._end_epoch()
        if length != len(self._in[_PAYLOAD]):
            self._in = box.parts(self.view, 0, length, layout.STATUS_BYTES)
        where = layout.TX + layout.TX_STRIDE * (number % _C_SLOTS) + layout.PAYLOAD - length
        if not self._read(where, self._in[_WHOLE]):
            return False
        self._heed_status(_C_HEADER + length)
        if not self._epoch:
            return False
        if self.buffer[0] != number or not box.transfer_ok(box.FROM_TARGET, self._epochs, self._in):
            self.damaged += 1
            self._refusals += 1
            return self._end_epoch() if self._refusals >= layout.MAX_REFUSALS else False
        self._refusals = 0
        self.state = FETCHED
        self.kind = self.buffer[1]
        self.connection = self.buffer[2]
        self.payload = self._in[_PAYLOAD]
        self.next = (number + 1) & 0xFF
        self._ack_due = True
        return True

    def _heed_status(self, at):
        """Read the STATUS that came with a transfer. If it is damaged the transfer counts all the same."""
        status = self.status
        if not self._read_status(self.buffer, at):
            self.events |= LOST
        elif status.target_epoch == get16(self._epochs, 0) and status.controller_epoch == self._epoch:
            self._confirm()
        else:
            self._end_epoch()

    def can_send(self):
        """True if the buffer is free, and nothing is unconfirmed."""
        return self.state == FREE and not self.sending

    def release(self):
        """What was FETCHED is no longer needed."""
        if self.state == FETCHED:
            self.state = FREE

    def acknowledge(self):
        """Tell the target which transfers have been received, if it does not know yet."""
        if not self._ack_due:
            return True
        box.encode_ack_into(self._cell, 0, self._epochs, self.next)
        self._ack_due = not self._write(self._layout.ACK, self._ack)
        return not self._ack_due

    def send(self, kind, connection, start, length):
        """Send the payload that stands at buffer[start:], start at least HEADER."""
        self._seal(kind, connection, start, length)
        return self._write_transfer()

    def _seal(self, kind, connection, start, length):
        # Apart from `send`, so that its frame, which is on the heap, is gone while the bus is busy.
        at = start - _C_HEADER
        stride = self._layout.TX_STRIDE
        small = length <= len(self.buffer) - stride - _C_HEADER
        if small:
            at = stride
            self.buffer[at + _C_HEADER : at + _C_HEADER + length] = self.view[start : start + length]
        if at != self._out_at or length != len(self._out[_PAYLOAD]):
            self._out = box.parts(self.view, at, length, 0)
            self._out_at = at
        box.seal_transfer(box.FROM_CONTROLLER, self._epochs, self._out, self._out_number, kind, connection, self.next)
        self.sending = True  # nothing is, if one of the above had no memory
        if not small:
            self.state = SENDING
        self._ack_due = False  # it rides in the header; `poll` finds out if it got lost
        self._rewrites = 0

    def send_again(self):
        """Write the transfer that is not confirmed once more: harmless if the target has it already."""
        self._rewrites += 1
        if self._rewrites > self._layout.MAX_REWRITES:
            return self._end_epoch()
        return self._write_transfer()

    def _write_transfer(self):
        return self._write(self._layout.RX, self._out[_WHOLE])

    def _read(self, at, buf):
        try:
            self._i2c.readfrom_mem_into(self._address, at, buf, addrsize=_C_ADDRESS_BITS)
        except OSError:
            return self._exchanged(False)
        return self._exchanged(True)

    def _write(self, at, buf):
        try:
            self._i2c.writeto_mem(self._address, at, buf, addrsize=_C_ADDRESS_BITS)
        except OSError:
            return self._exchanged(False)
        return self._exchanged(True)

    def _exchanged(self, done):
        self.answers = done
        if done:
            self.events |= USED
        else:
            self.failures += 1
        return done
