"""What the server must not forget, behind a narrow interface, and the store
that keeps it in memory.

A store holds, for each client: the epoch of the server's session with it, the
epoch of the client's present life and the number of the next line expected
from it, the lines received and not yet taken by the application (inbox), and
the lines written and not yet acknowledged by the client (outbox). Numbers are
the 16-bit line numbers of the protocol.

Every method that writes takes the owner number that `claim` returned, and
fails with StoreError once somebody else has claimed the client since: of
several servers on one store, the one that claimed last has the client. A
client is claimed when it has proved who it is, never for a mere HELLO
(`peek` tells what WELCOME needs), or when the application first writes to or
reads from it; not when a server starts, so that one may stand by. The server
that the client is connected to gets it back with the next connection. A call
for one client waits for the one before; `peek` alone may come beside it.

What a method has written is safe when it returns: that is what the
acknowledgements rest on. Lines are bytes without newline. `immediate` is True
if no method ever suspends, so that a call is made whole or not at all, and a
line leaves the store in the very step in which its reader has it.
"""

import os

from protocol.errors import StoreError
from protocol.limits import EPOCH_BYTES

INBOX_BYTES = 65536  # of lines that the application has not taken, for each client
OUTBOX_BYTES = 65536  # of lines that the client has not acknowledged, for each client
LINE_COST = 32  # what a line counts beyond its bytes: an object has a size too


class ClientState:
    """What `claim` returns: owner, epoch, peer_epoch (None before the first
    line), next_number, base (number of the first line of outbox), outbox."""

    def __init__(self, owner, epoch, peer_epoch, next_number, base, outbox):
        self.owner = owner
        self.epoch = epoch
        self.peer_epoch = peer_epoch
        self.next_number = next_number
        self.base = base
        self.outbox = outbox


class MemoryStore:
    """Keeps everything in RAM: it survives connections, not the process."""

    immediate = True

    def __init__(self, inbox_bytes=INBOX_BYTES, outbox_bytes=OUTBOX_BYTES):
        self._inbox_bytes = inbox_bytes
        self._outbox_bytes = outbox_bytes
        self._clients = {}

    async def peek(self, client_id):
        """Returns (number of the present owner, 0 for none; epoch). Changes neither.

        A client that is new to the store gets its epoch here or in `claim`.
        """
        record = self._record(client_id)
        return record.owner, record.epoch

    async def claim(self, client_id):
        """Become the owner of this client's state; earlier owners' writes fail from now on.

        The owner number is greater than all before.
        """
        record = self._record(client_id)
        record.owner += 1
        return ClientState(
            record.owner,
            record.epoch,
            record.peer_epoch,
            record.next_number,
            record.base,
            list(record.outbox),
        )

    def inbox_room(self, client_id):
        """True if `receive` may be called now. What it is given then is always taken."""
        return self._clients[client_id].inbox_cost < self._inbox_bytes

    async def receive(self, client_id, owner, peer_epoch, next_number, lines):
        """Append lines to the inbox and move the receive cursor, both or neither."""
        record = self._owned(client_id, owner)
        record.peer_epoch = peer_epoch
        record.next_number = next_number
        record.inbox.extend(lines)
        record.inbox_cost += _cost(lines)

    async def take(self, client_id, owner):
        """Remove and return the oldest line of the inbox, or None."""
        record = self._owned(client_id, owner)
        if not record.inbox:
            return None
        line = record.inbox.pop(0)
        record.inbox_cost -= _cost((line,))
        return line

    def outbox_room(self, client_id, size):
        """True if a line of size bytes may be put now; one always may into an empty outbox."""
        record = self._clients[client_id]
        cost = record.outbox_cost + size + LINE_COST
        return not record.outbox or cost <= self._outbox_bytes

    async def put(self, client_id, owner, line):
        """Append a line to the outbox."""
        record = self._owned(client_id, owner)
        record.outbox.append(line)
        record.outbox_cost += _cost((line,))

    async def acknowledge(self, client_id, owner, base):
        """The client has accepted every line before number base: forget them."""
        record = self._owned(client_id, owner)
        count = (base - record.base) & 0xFFFF
        if count > len(record.outbox):
            raise StoreError("acknowledgement beyond the outbox of " + client_id)
        record.outbox_cost -= _cost(record.outbox[:count])
        record.outbox = record.outbox[count:]
        record.base = base

    def _record(self, client_id):
        record = self._clients.get(client_id)
        if record is None:
            record = self._clients[client_id] = _Record(os.urandom(EPOCH_BYTES))
        return record

    def _owned(self, client_id, owner):
        record = self._clients[client_id]
        if record.owner != owner:
            raise StoreError("another owner has claimed " + client_id)
        return record


class _Record:
    def __init__(self, epoch):
        self.owner = 0
        self.epoch = epoch
        self.peer_epoch = None
        self.next_number = 0
        self.base = 0
        self.inbox = []
        self.inbox_cost = 0
        self.outbox = []
        self.outbox_cost = 0


def _cost(lines):
    return sum(len(line) + LINE_COST for line in lines)
