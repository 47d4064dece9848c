"""The store in RAM: it survives connections, not the process. Runs under both interpreters."""

import asyncio
import os

from protocol.errors import StoreError
from protocol.limits import EPOCH_BYTES, RUN_BYTES
from protocol.lines import NUMBERS
from server.core.history import begin_run, runs_around
from server.core.store import INBOX_BYTES, LINE_COST, OUTBOX_BYTES, ClientState, cost


class MemoryStore:
    """Keeps everything in RAM: it survives connections, not the process."""

    immediate = True

    def __init__(self, inbox_bytes=INBOX_BYTES, outbox_bytes=OUTBOX_BYTES):
        self._inbox_bytes = inbox_bytes
        self._outbox_bytes = outbox_bytes
        self._clients = {}
        self.on_room = None  # clients do not share anything here

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
        return self._record(client_id).claim()

    def inbox_room(self, client_id):
        """True if `receive` may be called now. What it is given then is always taken."""
        return self._clients[client_id].inbox_cost < self._inbox_bytes

    async def receive(self, client_id, owner, peer_epoch, next_number, lines):
        """Append lines to the inbox and move the receive cursor, both or neither."""
        self._owned(client_id, owner).receive(peer_epoch, next_number, lines)

    async def look(self, client_id, owner, number):
        """Returns (number, line) of the oldest line in the inbox from this number on, or None. Changes nothing."""
        return self._owned(client_id, owner).look(number)

    async def take(self, client_id, owner):
        """Remove and return the oldest line of the inbox, or None."""
        return self._owned(client_id, owner).take()

    async def give_back(self, client_id, owner, line):
        """Undo the last `take`, whose line this is: nobody got it."""
        self._owned(client_id, owner).give_back(line)

    async def drop(self, client_id, owner, number):
        """Remove the lines of the inbox before this number, if there are any."""
        self._owned(client_id, owner).drop(number)

    def outbox_room(self, client_id, size):
        """True if a line of size bytes may be put now; one always may into an empty outbox."""
        record = self._clients[client_id]
        cost = record.outbox_cost + size + LINE_COST
        return not record.outbox or cost <= self._outbox_bytes

    async def put(self, client_id, owner, line):
        """Append a line to the outbox."""
        self._owned(client_id, owner).put(line)

    async def acknowledge(self, client_id, owner, base):
        """The client has accepted every line before number base: forget them."""
        self._owned(client_id, owner).acknowledge(base)

    async def discard(self, client_id, owner):
        """Forget the outbox, whose lines the client will never get, and become the owner anew. The session gets another
        epoch: the client may know some of the lines' numbers. Returns (ClientState, how many lines it was)."""
        return self._owned(client_id, owner).discard()

    async def named(self, client_id, owner, run):
        """The client has named this run, or none, and this is the last one; the last one it is told now. Both are kept
        until it comes again: `runs_around` of history.py."""
        self._owned(client_id, owner).named(run)

    async def realign(self, client_id, owner, peer_epoch, next_number, base):
        """The client and the store have not the same past: move the receive cursor without lines, and forget the lines
        of the outbox before number base, both or neither."""
        self._owned(client_id, owner).realign(peer_epoch, next_number, base)

    def note(self, client_id, owner, text, at_once=False):
        """Keep a text (str) that an adapter wants back after a `claim`: safe no later than what is given after it.

        at_once: do not wait for something else that is to be written.
        """
        self._owned(client_id, owner).note = text

    async def watch(self):
        """Runs until it is cancelled. Raises: StoreGone, once nothing can be kept any more: memory is always there."""
        await asyncio.Event().wait()

    async def together(self, steps):
        """Run these coroutine functions, each of which makes one call for the same client, in a manner that keeps the
        order of the calls. Returns their results."""
        results = []
        for step in steps:  # MicroPython has no await in a comprehension
            results.append(await step())
        return results

    def _record(self, client_id):
        record = self._clients.get(client_id)
        if record is None:
            record = self._clients[client_id] = Record(client_id)
        return record

    def _owned(self, client_id, owner):
        return self._clients[client_id].owned(owner)


class Record:
    """All that a store holds of one client, and what its methods do to it."""

    def __init__(self, client_id):
        self.client_id = client_id
        self.owner = 0
        self.epoch = os.urandom(EPOCH_BYTES)
        self.peer_epoch = None
        self.next_number = 0
        self.base = 0
        self.inbox = []
        self.inbox_first = 0  # number of its oldest line, or of the next one
        self.inbox_cost = 0
        self.outbox = []
        self.outbox_cost = 0
        self.note = ""
        self.runs = []

    def owned(self, owner):
        if self.owner != owner:
            raise StoreError("another owner has claimed " + self.client_id)
        return self

    def claim(self):
        self.owner += 1
        begin_run(self.runs, os.urandom(RUN_BYTES), (self.base + len(self.outbox)) & NUMBERS)
        return ClientState(
            self.owner, self.epoch, self.peer_epoch, self.next_number, self.base, list(self.outbox), self.note,
            list(self.runs),
        )  # fmt: skip

    def discard(self):
        count = len(self.outbox)
        self.outbox = []
        self.outbox_cost = 0
        self.epoch = os.urandom(EPOCH_BYTES)
        self.runs = []
        return self.claim(), count

    def named(self, run):
        self.runs = runs_around(self.runs, run)

    def realign(self, peer_epoch, next_number, base):
        self.acknowledge(base)
        self.peer_epoch = peer_epoch
        self.next_number = next_number

    def receive(self, peer_epoch, next_number, lines):
        self.peer_epoch = peer_epoch
        self.next_number = next_number
        self.inbox.extend(lines)
        self.inbox_cost += cost(lines)

    def look(self, number):
        number = max(number, self.inbox_first)
        at = number - self.inbox_first
        return (number, self.inbox[at]) if at < len(self.inbox) else None

    def take(self):
        if not self.inbox:
            return None
        line = self.inbox.pop(0)
        self.inbox_first += 1
        self.inbox_cost -= cost((line,))
        return line

    def give_back(self, line):
        self.inbox.insert(0, line)
        self.inbox_first -= 1
        self.inbox_cost += cost((line,))

    def drop(self, number):
        count = min(number - self.inbox_first, len(self.inbox))
        if count > 0:
            self.inbox_cost -= cost(self.inbox[:count])
            self.inbox = self.inbox[count:]
            self.inbox_first += count

    def put(self, line):
        self.outbox.append(line)
        self.outbox_cost += cost((line,))

    def acknowledge(self, base):
        """Returns how many lines it was."""
        count = (base - self.base) & NUMBERS
        if count > len(self.outbox):
            raise StoreError("acknowledgement beyond the outbox of " + self.client_id)
        self.outbox_cost -= cost(self.outbox[:count])
        self.outbox = self.outbox[count:]
        self.base = base
        return count
