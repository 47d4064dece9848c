"""The store in RAM, and `Record`, which the durable store builds on. Runs under both interpreters."""

import asyncio
import os

from protocol.errors import StoreError
from protocol.limits import EPOCH_BYTES, RUN_BYTES
from protocol.lines import NUMBERS
from server.core.history import begin_run, runs_around
from server.core.message import Message, dropped, line
from server.core.store import (
    CHANNEL_BYTES,
    INBOX_BYTES,
    LINE_COST,
    OUTBOX_BYTES,
    ClientState,
    Fenced,
    Store,
    expired_then,
    moved,
)
from server.stores.box import box_of, only_lines

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
        self._timeline = None  # before the first call of `timeline`

    async def peek(self, client_id):
        record = self._record(client_id)
        return record.owner, record.epoch

    async def claim(self, client_id, seen=None):
        return self._record(client_id).claim(seen)

    async def renew(self, client_id, owner):
        return self._owned(client_id, owner).renew()

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

    def timeline(self):
        self._check_open()
        if self._timeline is None:
            from server.stores.timeline import MemoryTimeline

            self._timeline = MemoryTimeline()
        return self._timeline

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

    An operation that removes messages returns their numbers or serials, for a store that has them elsewhere as well.
    """

    def __init__(self, client_id):
        self.client_id = client_id
        self.owner = 0
        self.renewed = 0  # how often the present owner has raised its number
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
        if self.claimed().owner - self.renewed != owner:
            raise Fenced("another owner has claimed " + self.client_id)
        return self

    def claim(self, seen=None):
        if seen is not None and (self.owner, self.epoch) != seen:
            raise Fenced("another owner has claimed " + self.client_id)
        self.owner += 1
        self.renewed = 0
        begin_run(self.runs, os.urandom(RUN_BYTES), self.serial & NUMBERS)
        return ClientState(
            self.owner, self.epoch, self.peer_epoch, dict(self.cursors), dict(self.expired), dict(self.bases),
            self._waiting(), self.serial, self.note, list(self.runs), dict(self.pasts),
        )  # fmt: skip

    def renew(self):
        self.owner += 1
        self.renewed += 1
        return self.owner

    def _waiting(self):
        """Returns [(serial, Message)] of the outbox, the oldest first."""
        rows = []
        for box in self.outbox.values():
            rows.extend([box.row(at) for at in range(len(box.numbers))])
        if len(self.outbox) > 1:
            rows.sort(key=_number_of)
        return rows

    def discard(self):
        """Returns (ClientState, serials that were forgotten)."""
        gone = [serial for box in self.outbox.values() for serial in box.numbers]
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
        """Returns the serials that were removed."""
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
        return (len(box.numbers), box.numbers[0]) if box and box.numbers else (0, self.inbox_next)

    def receive(self, peer_epoch, cursors, messages, expired=None):
        self._move(peer_epoch, cursors, expired)
        number = self.inbox_next
        self.inbox_next += len(messages)
        if only_lines(messages):  # mostly, and many
            self.cost += box_of(self.inbox, 0).append_lines(number, messages)
            return
        for message in messages:
            if type(message) is bytes:
                message = line(message)
            self.cost += box_of(self.inbox, message.channel).append(number, message)
            number += 1

    def look(self, number, channel):
        box = self.inbox.get(channel)
        if not box or not box.numbers:
            return None
        numbers = box.numbers
        at = number - numbers[0]  # if no number is left out
        if not 0 <= at < len(numbers) or numbers[at] != number:
            at = box.at(number)
        return box.row(at) if at < len(numbers) else None

    def take(self, channel):
        box = self.inbox.get(channel)
        if not box or not box.numbers:
            return None
        row = box.row(0)
        self._gone(box, 0, 1)
        return row

    def give_back(self, number, message):
        box = box_of(self.inbox, message.channel)
        at = box.at(number)
        if not 0 <= number < self.inbox_next or box.has(at, number):
            raise StoreError("message %d of %s was not taken" % (number, self.client_id))
        self.cost += box.insert(at, number, message)

    def drop(self, number, channel):
        """Returns the numbers that were removed."""
        box = self.inbox.get(channel)
        return self._gone(box, 0, box.at(number)) if box else []

    def remove(self, numbers):
        """Returns the numbers that were removed."""
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
        old = box.row(at)[1]
        message = Message(old.channel, kind, old.time, old.data)
        box.replace(at, message)
        return message

    def _find(self, number):
        """Returns (Box, index) of the message in the inbox, or (None, 0)."""
        for box in self.inbox.values():
            at = box.at(number)
            if box.has(at, number):
                return box, at
        return None, 0

    def _gone(self, box, first, count):
        """Remove messages. Returns their numbers."""
        before = box.cost
        numbers = box.remove(first, count)
        self.cost += box.cost - before
        return numbers

    # The outbox

    def outbox_cost(self, channel):
        box = self.outbox.get(channel)
        return box.cost if box else 0

    def put(self, message):
        channel = message.channel
        self.cost += box_of(self.outbox, channel).append(self.serial, message)
        if channel not in self.bases:
            self.bases = moved(self.bases, {channel: 0})
        self.serial += 1

    def acknowledge(self, bases):
        """Returns the serials that were removed."""
        counts = [(channel, base, self._count(channel, base)) for channel, base in bases.items()]
        gone = []
        for channel, base, count in counts:
            if count:
                gone.extend(self._gone(self.outbox[channel], 0, count))
                self.pasts = moved(self.pasts, {channel: gone[-1] + 1})
                self.bases = moved(self.bases, {channel: base})
        return gone

    def _count(self, channel, base):
        """Returns the number of messages before this base."""
        box = self.outbox.get(channel)
        count = (base - self.bases.get(channel, 0)) & NUMBERS
        if count > (len(box.numbers) if box else 0):
            raise StoreError("acknowledgement beyond the outbox of " + self.client_id)
        return count

    def expire(self, channel, number):
        """Returns (serial, what remains of the message), or None."""
        box = self.outbox.get(channel)
        at = (number - self.bases.get(channel, 0)) & NUMBERS
        if not box or at >= len(box.numbers):
            return None
        before = box.cost
        box.replace(at, dropped(box.row(at)[1]))
        self.cost += box.cost - before
        return box.row(at)

    def backlog(self):
        rows = self._waiting()
        size = sum([len(message.data) for _, message in rows])
        return {"id": self.client_id, "lines": len(rows), "bytes": size, "away_s": self.away_s}


def _number_of(row):
    return row[0]


def unclaimed(client_id):
    """Returns the error of a call for a client that was not claimed."""
    return StoreError("nobody has claimed " + client_id)
