"""The mailbox, the bridge's side: the I2C controller that reads and writes it.

One transfer in each direction is in flight: the one fetched from the client
stays in `incoming` until it is taken, the one sent to the client stays in its
owner's buffer until the client has confirmed it. Every method does at most
one I2C exchange and never waits.
"""

from protocol import mailbox as box
from protocol.mailbox import Status
from protocol.serial import diff8


class MailboxController:
    """Args:
    memory: i2c_devices.memory_controller.MemoryController of the client's mailbox.
    random16: function that returns a random number 1..65535.
    max_payload: longest payload that the client may offer, bytes.
    """

    def __init__(self, memory, random16, max_payload=box.PAYLOAD):
        self._memory = memory
        self._random16 = random16
        self._max_payload = max_payload
        self._cell = bytearray(box.STATUS_BYTES)
        self._cell_view = memoryview(self._cell)
        self._sync_view = self._cell_view[: box.SYNC_BYTES]
        self._ack_view = self._cell_view[: box.ACK_BYTES]
        self.incoming = bytearray(box.TX_STRIDE)
        self._incoming_view = memoryview(self.incoming)
        self._outgoing = None
        self._outgoing_at = 0
        self.status = Status()
        self.damaged = 0  # cells and transfers that failed their check
        self.failures = 0  # exchanges that ended in an OSError
        self._life = 0
        self._client_life = 0
        self.synchronised = False
        self._reset_numbers()

    def _reset_numbers(self):
        self._next = 0  # transfer expected from the client
        self._ack_due = False
        self.received = 0  # payload bytes in `incoming`, 0 if it is free
        self._out_number = 0
        self.out_length = 0  # payload bytes of the transfer that is not confirmed, or 0

    # Exchanges: each returns True if it succeeded

    def poll(self):
        """Read STATUS; write SYNC when client or bridge has begun a new life."""
        try:
            self._memory.read_into(box.TX, self._cell)
        except OSError:
            self.failures += 1
            return False
        if not self._use_status(self._cell, 0):
            return False
        if self.status.base != self._next:  # it has not seen our acknowledgement
            self._ack_due = True
        return True

    def _use_status(self, buf, at):
        status = self.status
        if not status.read(buf, at):
            self.damaged += 1
            return False
        if status.client_life != self._client_life or not self._life:
            return self._greet()
        if status.bridge_life != self._life:
            if self.synchronised:  # the client left the bus and came back
                return self._greet()
            return self._write_sync()
        self.synchronised = True
        if self.out_length and status.next == (self._out_number + 1) & 0xFF:
            self.out_length = 0
            self._out_number = status.next
        return True

    def _greet(self):
        """Begin a new life of the link."""
        self.synchronised = False
        life = self._random16()
        self._life = life if life != self._life else (life % 0xFFFF) + 1
        self._client_life = self.status.client_life
        self._lives = box.lives(self._client_life, self._life)
        self._reset_numbers()
        return self._write_sync()

    def _write_sync(self):
        box.encode_sync_into(self._cell, 0, self._life, self._client_life, self._max_payload)
        self._write(box.SYNC, self._sync_view)
        return False  # synchronised when the client's STATUS repeats our life

    def can_receive(self):
        """True if the client offers a transfer and `incoming` is free."""
        return (
            self.synchronised and not self.received and diff8(self.status.end, self._next) > 0
        )

    def receive(self):
        """Fetch the next transfer into `incoming`: see `payload`, `kind`, `connection`.

        The STATUS that stands before it is read along with it.
        """
        length = self.status.length(self._next)
        if length == 0 or length > box.PAYLOAD:
            return self.poll()
        at = box.TX + box.TX_STRIDE * (self._next % box.SLOTS)
        try:
            end = box.STATUS_BYTES + box.HEADER + length
            self._memory.read_into(at, self._incoming_view[:end])
        except OSError:
            self.failures += 1
            return False
        number = self._next
        if not self._use_status(self.incoming, 0) or not self.synchronised:
            return False
        at = box.STATUS_BYTES
        if (
            self.incoming[at] != number
            or box.transfer_length(self.incoming, at) != length
            or not box.transfer_ok(box.FROM_CLIENT, self._lives, self.incoming, at)
        ):
            self.damaged += 1
            return False
        self.received = length
        self._next = (number + 1) & 0xFF
        self._ack_due = True
        return True

    def acknowledge(self):
        """Tell the client which transfers have been received, if it does not know yet."""
        if not self._ack_due:
            return True
        box.encode_ack_into(self._cell, 0, self._lives, self._next)
        self._ack_due = not self._write(box.ACK, self._ack_view)
        return not self._ack_due

    def send(self, view, at, kind, connection, length):
        """Write the payload of length bytes that stands behind a gap of HEADER bytes.

        view: memoryview of the caller's buffer, which must stay as it is until
        `out_length` is 0 again. The header goes to view[at:], the payload
        stands at view[at + HEADER:].
        """
        number = self._out_number
        box.seal_transfer(
            box.FROM_BRIDGE, self._lives, view, at, number, kind, connection, self._next, length
        )
        self._outgoing = view
        self._outgoing_at = at
        self.out_length = length
        self._ack_due = False  # it rides in the header; `poll` finds out if it got lost
        return self.send_again()

    def send_again(self):
        """Write the transfer in flight once more: harmless if the client has it already."""
        to = box.RX + box.SLOT * (self._out_number % box.SLOTS)
        at = self._outgoing_at
        return self._write(to, self._outgoing[at : at + box.HEADER + self.out_length])

    # What was received

    @property
    def kind(self):
        return self.incoming[box.STATUS_BYTES + 1]

    @property
    def connection(self):
        return self.incoming[box.STATUS_BYTES + 2]

    @property
    def payload(self):
        """memoryview of the payload received, valid until `received` is set to 0."""
        at = box.STATUS_BYTES + box.HEADER
        return self._incoming_view[at : at + self.received]

    def _write(self, at, buf):
        try:
            self._memory.write(at, buf)
        except OSError:
            self.failures += 1
            return False
        return True
