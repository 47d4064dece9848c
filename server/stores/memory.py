"""The store in RAM, and `Record`, which the durable store builds on. Runs under both interpreters."""

import asyncio
import os

from protocol.errors import StoreError
from protocol.limits import EPOCH_BYTES, RUN_BYTES
from protocol.lines import NUMBERS
from server.core.history import begin_run, runs_around
from server.core.message import Message, dropped
from server.core.store import (
    CHANNEL_BYTES,
    INBOX_BYTES,
    LINE_COST,
    OUTBOX_BYTES,
    ClientState,
    Store,
    cost,
    expired_then,
    moved,
)

_AT_0 = {0: 0}
_NONE = {}


class MemoryStore(Store):
    """A store in RAM. Its contents survive connections, but not the process. There is no limit for all clients."""

    immediate = True

    def __init__(self, inbox_bytes=INBOX_BYTES, outbox_bytes=OUTBOX_BYTES, channel_bytes=CHANNEL_BYTES):
        self._inbox_bytes = inbox_bytes
        self._outbox_bytes = outbox_bytes
        self._channel_bytes = channel_bytes
        self._clients = {}  # id -> Record; None once it is closed
        self._watching = []  # Events of calls of `watch`

    async def peek(self, client_id):
        record = self._record(client_id)
        return record.owner, record.epoch

    async def claim(self, client_id):
        return self._record(client_id).claim()

    def inbox_room(self, client_id, channel=0):
        limit = self._channel_bytes if channel else self._inbox_bytes
        return self._known(client_id).inbox_cost(channel) < limit

    def unread(self, client_id, channel=0):
        return self._known(client_id).unread(channel)

    async def receive(self, client_id, owner, peer_epoch, cursors, messages, expired=None):
        self._owned(client_id, owner).receive(peer_epoch, cursors, messages, expired)

    async def look(self, client_id, owner, number, channel=0):
        return self._owned(client_id, owner).look(number, channel)

    async def take(self, client_id, owner, channel=0):
        return self._owned(client_id, owner).take(channel)

    async def give_back(self, client_id, owner, number, message):
        self._owned(client_id, owner).give_back(number, message)

    async def drop(self, client_id, owner, number, channel=0):
        self._owned(client_id, owner).drop(number, channel)

    async def remove(self, client_id, owner, numbers):
        self._owned(client_id, owner).remove(numbers)

    async def mark(self, client_id, owner, number, kind):
        self._owned(client_id, owner).mark(number, kind)

    def outbox_room(self, client_id, size, channel=0):
        used = self._known(client_id).outbox_cost(channel)
        return not used or used + size + LINE_COST <= (self._channel_bytes if channel else self._outbox_bytes)

    async def put(self, client_id, owner, message):
        self._owned(client_id, owner).put(message)

    async def acknowledge(self, client_id, owner, bases):
        self._owned(client_id, owner).acknowledge(bases)

    async def expire(self, client_id, owner, channel, number):
        return self._owned(client_id, owner).expire(channel, number) is not None

    async def discard(self, client_id, owner):
        state, gone = self._owned(client_id, owner).discard()
        return state, len(gone)

    async def realign(self, client_id, owner, peer_epoch, cursors, bases):
        self._owned(client_id, owner).realign(peer_epoch, cursors, bases)

    async def named(self, client_id, owner, run):
        self._owned(client_id, owner).named(run)

    def note(self, client_id, owner, text, at_once=False):
        self._owned(client_id, owner).note = text

    async def away(self, client_id, owner, seconds):
        self._owned(client_id, owner).away_s = seconds

    async def backlogs(self):
        self._check_open()
        found = [self._clients[client_id].backlog() for client_id in sorted(self._clients)]
        return [backlog for backlog in found if backlog["lines"]]

    @property
    def total(self):
        return sum([record.cost for record in (self._clients or {}).values()])

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
    """The data that a store holds for one client, and the store's operations on it.

    An operation that removes messages returns their rows, for a store that has them elsewhere as well.
    """

    def __init__(self, client_id):
        self.client_id = client_id
        self.owner = 0
        self.epoch = os.urandom(EPOCH_BYTES)
        self.peer_epoch = None
        # As in ClientState. The many clients that only wait share these, which are replaced and not changed.
        self.cursors = self.bases = _AT_0
        self.expired = self.pasts = _NONE
        self.inbox = {}  # channel -> Box
        self.inbox_next = 0  # number of the next message
        self.outbox = {}  # channel -> Box
        self.serial = 0
        self.cost = 0  # of all messages
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
        begin_run(self.runs, os.urandom(RUN_BYTES), self.serial & NUMBERS)
        return ClientState(
            self.owner, self.epoch, self.peer_epoch, dict(self.cursors), dict(self.expired), dict(self.bases),
            self._waiting(), self.serial, self.note, list(self.runs), dict(self.pasts),
        )  # fmt: skip

    def _waiting(self):
        """Returns [(serial, Message)] of the outbox, the oldest first."""
        rows = []
        for box in self.outbox.values():
            rows.extend(box.rows)
        if len(self.outbox) > 1:
            rows.sort(key=_number_of)
        return rows

    def discard(self):
        """Returns (ClientState, rows that were forgotten)."""
        gone = self._waiting()
        self.cost -= sum([box.cost for box in self.outbox.values()])
        self.outbox = {}
        self.bases = {0: self.bases[0]}
        self.pasts = {0: self.pasts.get(0, 0)}
        self.epoch = os.urandom(EPOCH_BYTES)
        self.runs = []
        self.away_s = 0
        return self.claim(), gone

    def named(self, run):
        self.runs = runs_around(self.runs, run)

    def realign(self, peer_epoch, cursors, bases):
        """Returns the rows that were removed."""
        gone = self.acknowledge(bases)
        self._move(peer_epoch, cursors)
        return gone

    def _move(self, peer_epoch, cursors, expired=None):
        if self.expired or expired:
            self.expired = expired_then(self, peer_epoch, cursors, expired)
        if peer_epoch != self.peer_epoch:  # its numbers begin with 0
            self.peer_epoch = peer_epoch
            self.cursors = moved(_AT_0, cursors)
        elif self.cursors is _AT_0:
            self.cursors = moved(_AT_0, cursors)
        else:
            self.cursors.update(cursors)

    # The inbox

    def inbox_cost(self, channel):
        box = self.inbox.get(channel)
        return box.cost if box else 0

    def unread(self, channel):
        box = self.inbox.get(channel)
        return (len(box.rows), box.rows[0][0]) if box and box.rows else (0, self.inbox_next)

    def receive(self, peer_epoch, cursors, messages, expired=None):
        self._move(peer_epoch, cursors, expired)
        number = self.inbox_next
        box = channel = None
        for message in messages:
            if message.channel != channel:
                channel = message.channel
                box = _box(self.inbox, channel)
            box.rows.append((number, message))
            added = len(message.data) + LINE_COST
            box.cost += added
            self.cost += added
            number += 1
        self.inbox_next = number

    def look(self, number, channel):
        box = self.inbox.get(channel)
        at = box.at(number) if box else 0
        return box.rows[at] if box and at < len(box.rows) else None

    def take(self, channel):
        box = self.inbox.get(channel)
        if not box or not box.rows:
            return None
        return self._gone(box, 0, 1)[0]

    def give_back(self, number, message):
        box = _box(self.inbox, message.channel)
        at = box.at(number)
        if not 0 <= number < self.inbox_next or at < len(box.rows) and box.rows[at][0] == number:
            raise StoreError("message %d of %s was not taken" % (number, self.client_id))
        self.cost += box.insert(at, number, message)

    def drop(self, number, channel):
        """Returns the rows that were removed."""
        box = self.inbox.get(channel)
        return self._gone(box, 0, box.at(number)) if box else []

    def remove(self, numbers):
        """Returns the rows that were removed."""
        gone = []
        for number in numbers:
            box, at = self._find(number)
            if box:
                gone.extend(self._gone(box, at, 1))
        return gone

    def mark(self, number, kind):
        """Returns the new message."""
        box, at = self._find(number)
        if not box:
            raise StoreError("the inbox of %s has no message %d" % (self.client_id, number))
        old = box.rows[at][1]
        message = Message(old.channel, kind, old.time, old.data)
        box.rows[at] = (number, message)
        return message

    def _find(self, number):
        """Returns (Box, index) of the message in the inbox, or (None, 0)."""
        for box in self.inbox.values():
            at = box.at(number)
            if at < len(box.rows) and box.rows[at][0] == number:
                return box, at
        return None, 0

    def _gone(self, box, first, count):
        """Remove rows. Returns them."""
        if count == 1:
            rows = [box.rows.pop(first)]
            spared = len(rows[0][1].data) + LINE_COST
        else:
            rows = box.rows[first : first + count]
            del box.rows[first : first + count]
            spared = cost([message for _, message in rows])
        box.cost -= spared
        self.cost -= spared
        return rows

    # The outbox

    def outbox_cost(self, channel):
        box = self.outbox.get(channel)
        return box.cost if box else 0

    def put(self, message):
        channel = message.channel
        self.cost += _box(self.outbox, channel).append(self.serial, message)
        if channel not in self.bases:
            self.bases = moved(self.bases, {channel: 0})
        self.serial += 1

    def acknowledge(self, bases):
        """Returns the rows that were removed."""
        counts = [(channel, base, self._count(channel, base)) for channel, base in bases.items()]
        gone = []
        for channel, base, count in counts:
            if count:
                gone.extend(self._gone(self.outbox[channel], 0, count))
                self.pasts = moved(self.pasts, {channel: gone[-1][0] + 1})
                self.bases = moved(self.bases, {channel: base})
        return gone

    def _count(self, channel, base):
        """Returns the number of messages before this base."""
        box = self.outbox.get(channel)
        count = (base - self.bases.get(channel, 0)) & NUMBERS
        if count > (len(box.rows) if box else 0):
            raise StoreError("acknowledgement beyond the outbox of " + self.client_id)
        return count

    def expire(self, channel, number):
        """Returns (serial, what remains of the message), or None."""
        box = self.outbox.get(channel)
        at = (number - self.bases.get(channel, 0)) & NUMBERS
        if not box or at >= len(box.rows):
            return None
        serial, message = box.rows[at]
        self._gone(box, at, 1)
        self.cost += box.insert(at, serial, dropped(message))
        return box.rows[at]

    def backlog(self):
        rows = self._waiting()
        size = sum([len(message.data) for _, message in rows])
        return {"id": self.client_id, "lines": len(rows), "bytes": size, "away_s": self.away_s}


class Box:
    """The messages of one channel in one direction: rows of (number or serial, Message), the oldest first."""

    __slots__ = ("rows", "cost")

    def __init__(self):
        self.rows = []
        self.cost = 0

    def append(self, number, message):
        """Returns what it costs."""
        self.rows.append((number, message))
        added = len(message.data) + LINE_COST
        self.cost += added
        return added

    def insert(self, at, number, message):
        """Returns what it costs."""
        self.rows.insert(at, (number, message))
        added = len(message.data) + LINE_COST
        self.cost += added
        return added

    def at(self, number):
        """Returns the index of the first row with this number or a later one."""
        rows = self.rows
        if not rows or number <= rows[0][0]:
            return 0
        high = number - rows[0][0]  # the index if no number is left out, and else more
        if high < len(rows):
            if rows[high][0] == number:
                return high
        else:
            high = len(rows)
        low = 1
        while low < high:
            middle = (low + high) // 2
            if rows[middle][0] < number:
                low = middle + 1
            else:
                high = middle
        return low


def _box(boxes, channel):
    """Returns the channel's Box. It is created if there is none."""
    box = boxes.get(channel)
    if box is None:
        box = boxes[channel] = Box()
    return box


def _number_of(row):
    return row[0]


def unclaimed(client_id):
    """Returns the error of a call for a client that was not claimed."""
    return StoreError("nobody has claimed " + client_id)
