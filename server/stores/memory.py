"""The store in RAM, and `Record`, which the durable store builds on. Runs under both interpreters."""

import asyncio
import os

from protocol.errors import StoreError
from protocol.limits import EPOCH_BYTES, RUN_BYTES
from protocol.lines import NUMBERS
from server.core.history import begin_run, runs_around
from server.core.store import INBOX_BYTES, LINE_COST, OUTBOX_BYTES, ClientState, Store, cost


class MemoryStore(Store):
    """A store in RAM. Its contents survive connections, but not the process. There is no limit for all clients."""

    immediate = True

    def __init__(self, inbox_bytes=INBOX_BYTES, outbox_bytes=OUTBOX_BYTES):
        self._inbox_bytes = inbox_bytes
        self._outbox_bytes = outbox_bytes
        self._clients = {}  # id -> Record; None once it is closed
        self._watching = []  # Events of calls of `watch`

    async def peek(self, client_id):
        record = self._record(client_id)
        return record.owner, record.epoch

    async def claim(self, client_id):
        return self._record(client_id).claim()

    def inbox_room(self, client_id):
        return self._known(client_id).inbox_cost < self._inbox_bytes

    def unread(self, client_id):
        record = self._known(client_id)
        return len(record.inbox), record.inbox_first

    async def receive(self, client_id, owner, peer_epoch, next_number, lines):
        self._owned(client_id, owner).receive(peer_epoch, next_number, lines)

    async def look(self, client_id, owner, number):
        return self._owned(client_id, owner).look(number)

    async def take(self, client_id, owner):
        return self._owned(client_id, owner).take()

    async def give_back(self, client_id, owner, line):
        self._owned(client_id, owner).give_back(line)

    async def drop(self, client_id, owner, number):
        self._owned(client_id, owner).drop(number)

    def outbox_room(self, client_id, size):
        record = self._known(client_id)
        return not record.outbox or record.outbox_cost + size + LINE_COST <= self._outbox_bytes

    async def put(self, client_id, owner, line):
        self._owned(client_id, owner).put(line)

    async def acknowledge(self, client_id, owner, base):
        self._owned(client_id, owner).acknowledge(base)

    async def discard(self, client_id, owner):
        return self._owned(client_id, owner).discard()

    async def realign(self, client_id, owner, peer_epoch, next_number, base):
        self._owned(client_id, owner).realign(peer_epoch, next_number, base)

    async def named(self, client_id, owner, run):
        self._owned(client_id, owner).named(run)

    def note(self, client_id, owner, text, at_once=False):
        self._owned(client_id, owner).note = text

    async def away(self, client_id, owner, seconds):
        self._owned(client_id, owner).away_s = seconds

    async def backlogs(self):
        self._check_open()
        return [self._clients[client_id].backlog() for client_id in sorted(self._clients)
                if self._clients[client_id].outbox]  # fmt: skip

    @property
    def total(self):
        return sum(record.inbox_cost + record.outbox_cost for record in (self._clients or {}).values())

    async def together(self, steps):
        results = []
        for step in steps:  # MicroPython has no await in a comprehension
            results.append(await step())
        return results

    async def watch(self):
        closed = asyncio.Event()  # one for each call: an Event belongs to one loop
        self._watching.append(closed)
        try:
            self._check_open()
            await closed.wait()
            self._check_open()
        finally:
            self._watching.remove(closed)

    def close(self):
        self._clients = None
        for closed in self._watching:
            closed.set()

    def _check_open(self):
        if self._clients is None:
            raise StoreError("the store in memory is closed")

    def _record(self, client_id):
        """Returns the client's record. It is created if there is none."""
        self._check_open()
        record = self._clients.get(client_id)
        if record is None:
            record = self._clients[client_id] = Record(client_id)
        return record

    def _known(self, client_id):
        """Returns the record of a claimed client. Raises: StoreError if the client was not claimed."""
        self._check_open()
        record = self._clients.get(client_id)
        if record is None:
            raise unclaimed(client_id)
        return record.claimed()

    def _owned(self, client_id, owner):
        return self._known(client_id).owned(owner)


class Record:
    """The data that a store holds for one client, and the store's operations on it."""

    def __init__(self, client_id):
        self.client_id = client_id
        self.owner = 0
        self.epoch = os.urandom(EPOCH_BYTES)
        self.peer_epoch = None
        self.next_number = 0
        self.base = 0
        self.inbox = []
        self.inbox_first = 0  # number of its oldest line, or of the next line if it is empty
        self.inbox_cost = 0
        self.outbox = []
        self.outbox_cost = 0
        self.note = ""
        self.runs = []
        self.away_s = 0

    def claimed(self):
        if not self.owner:
            raise unclaimed(self.client_id)
        return self

    def owned(self, owner):
        if self.claimed().owner != owner:
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
        self.away_s = 0
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
        count = (base - self.base) & NUMBERS
        if count > len(self.outbox):
            raise StoreError("acknowledgement beyond the outbox of " + self.client_id)
        self.outbox_cost -= cost(self.outbox[:count])
        self.outbox = self.outbox[count:]
        self.base = base

    def backlog(self):
        return {
            "id": self.client_id, "lines": len(self.outbox), "bytes": sum(map(len, self.outbox)), "away_s": self.away_s
        }  # fmt: skip


def unclaimed(client_id):
    """Returns the error of a call for a client that was not claimed."""
    return StoreError("nobody has claimed " + client_id)
