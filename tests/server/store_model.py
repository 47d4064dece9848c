"""Calls of a store that chance chooses, beside a model of the contract. Runs under both interpreters."""

import asyncio

from protocol.channel_records import EXPIRED_BITS
from protocol.errors import StoreError
from protocol.lines import NUMBERS
from server.core.history import begin_run, runs_around
from server.core.message import DROPPED, Message
from server.core.store import LINE_COST, cost
from tests.server.store_calls import CHANNEL, EPOCH, INBOX, OUTBOX, all_ended, begin, ended, messages_of

CALLS = 150  # for each seed
CHANNELS = (0, 0, 5, 127)


class Chance:
    """The same numbers from the same seed under both interpreters."""

    def __init__(self, seed):
        self._state = seed * 2654435761 + 1 & 0xFFFFFFFF

    def below(self, bound):
        self._state = self._state * 1664525 + 1013904223 & 0xFFFFFFFF
        return (self._state >> 8) % bound

    def of(self, choices):
        return choices[self.below(len(choices))]


class Model:
    """One client as the contract describes it."""

    def __init__(self):
        self.owner = None
        self.former = []
        self.epoch = None
        self.peer_epoch = None
        self.cursors = {0: 0}
        self.expired = {}
        self.bases = {}  # of the channels with a base other than 0
        self.runs = []
        self.inbox = []  # (number, Message)
        self.number = 0  # of the next one
        self.outbox = []  # (serial, Message)
        self.serial = 0  # of the next one
        self.note = ""
        self.away_s = 0

    def inbox_of(self, channel):
        return [row for row in self.inbox if row[1].channel == channel]

    def outbox_of(self, channel):
        return [row for row in self.outbox if row[1].channel == channel]

    def base(self, channel):
        return self.bases.get(channel, 0)

    def forget(self, channel, count):
        """Returns the bases for the call."""
        self.bases[channel] = self.base(channel) + count & NUMBERS
        for row in self.outbox_of(channel)[:count]:
            self.outbox.remove(row)
        return {channel: self.bases[channel]}

    def take(self, channel):
        rows = self.inbox_of(channel)
        if not rows:
            return None
        self.inbox.remove(rows[0])
        return rows[0]


class RandomCalls:
    """Calls that chance chooses, in groups that overlap, for some clients; each outcome is compared with a Model.

    A client's group has at most one of the calls that need not see what others do, and only if there was a line for it
    before. Each part of a run is on a loop of its own, and a store that outlives its object is opened anew.
    """

    def __init__(self, case, seed):
        self.case = case
        self.bed = case.bed
        self.chance = Chance(seed)
        self.models = {name: Model() for name in "abc"}
        self.count = 0
        self.store = None
        self.readable = None  # client -> rows that its inbox had before the present group

    def run(self):
        left = CALLS
        while left > 0:
            if self.bed.outlives or self.store is None:
                self.store = self.case.open_anew()
            left -= self.bed.run(self.some_groups())

    async def some_groups(self):
        """Returns how many calls it was."""
        count = 0
        for client_id in self.models:
            await self.claim(client_id)
        for _ in range(6):
            kind = self.chance.below(10)
            if kind == 0:
                count += await self.cancelled_take()
            elif kind == 1:
                count += await self.failures()
            else:
                count += await self.groups()
            self.check_room()
        return count

    async def claim(self, client_id):
        self.claimed(self.models[client_id])((await self.store.claim(client_id), None))
        await self.check_inbox(client_id)

    async def check_inbox(self, client_id):
        model = self.models[client_id]
        for channel in CHANNELS[1:]:
            found = await messages_of(self.store, model.owner, channel, client_id)
            self.case.assertEqual(found, model.inbox_of(channel))

    def check_room(self):
        for client_id, model in self.models.items():
            for channel in CHANNELS[1:]:
                rows, waiting = model.inbox_of(channel), model.outbox_of(channel)
                room = _cost(rows) < (CHANNEL if channel else INBOX)
                self.case.assertEqual(self.store.inbox_room(client_id, channel), room)
                first = rows[0][0] if rows else model.number
                self.case.assertEqual(self.store.unread(client_id, channel), (len(rows), first))
                size = self.chance.below(100)
                limit = CHANNEL if channel else OUTBOX
                room = not waiting or _cost(waiting) + size + LINE_COST <= limit
                self.case.assertEqual(self.store.outbox_room(client_id, size, channel), room)
        held = [row for model in self.models.values() for row in model.inbox + model.outbox]
        self.case.assertEqual(self.store.total, _cost(held))

    def message(self):
        self.count += 1
        data = b"%d" % self.count + b"-" * self.chance.below(60)
        channel = self.chance.of(CHANNELS)
        if not channel:
            return Message(0, 0, 0, data)
        return Message(channel, self.chance.of((0, 0, 2)), self.chance.of((0, 1 << 40)), data)

    # Groups: each client has one, and all of them overlap

    async def groups(self):
        calls, expected = [], []
        left = {client_id: self.chance.below(6) for client_id in self.models}
        self.readable = {client_id: model.inbox[:] for client_id, model in self.models.items()}
        readable = [client_id for client_id in self.models if self.readable[client_id]]
        while sum(left.values()):
            client_id = self.chance.of([one for one in left if left[one]])
            left[client_id] -= 1
            call, expect, reads, ends = self.choose(client_id, client_id in readable)
            calls.append(call)
            expected.append(expect)
            if reads:
                readable.remove(client_id)
            if ends:
                left[client_id] = 0
        found = await all_ended(begin(*calls))
        for i in range(len(found)):
            expected[i](found[i])
        for client_id in self.models:
            await self.check_inbox(client_id)
        self.case.assertEqual(await self.store.backlogs(), self.expected_backlogs())
        return len(calls)

    def expected_backlogs(self):
        found = []
        for client_id in sorted(self.models):
            model = self.models[client_id]
            size = sum([len(message.data) for _, message in model.outbox])
            if model.outbox:
                found.append({"id": client_id, "lines": len(model.outbox), "bytes": size, "away_s": model.away_s})
        return found

    def choose(self, client_id, readable):
        """Returns (coroutine, function that is given its outcome, whether it is a call that need not see the others,
        whether it is the last one of its group). The model is as it shall be after the call."""
        kinds = ["put", "receive", "acknowledge", "realign", "named", "away", "note", "fenced", "wrong", "claim",
                 "discard", "put", "receive", "expire"]  # fmt: skip
        if readable:
            kinds.extend(["take", "drop", "remove", "mark", "give back"] * 2)
        kind = self.chance.of(kinds)
        model = self.models[client_id]
        call, expect = getattr(self, "_" + kind.replace(" ", "_"))(client_id, model, model.owner)
        reads = kind in ("take", "drop", "remove", "mark", "give back")
        return call, expect, reads, kind in ("claim", "discard", "give back")

    def _put(self, client_id, model, owner):
        message = self.message()
        model.outbox.append((model.serial, message))
        model.serial += 1
        return self.store.put(client_id, owner, message), self.returns(None)

    def _receive(self, client_id, model, owner):
        messages = [self.message() for _ in range(self.chance.below(4))]
        for message in messages:
            model.inbox.append((model.number, message))
            model.number += 1
        cursors = self._moved(model, EPOCH)
        named = [channel for channel in cursors if channel and self.chance.below(2)]
        expired = {channel: self.chance.of((0, 1, EXPIRED_BITS)) for channel in named}
        model.expired.update(expired)
        return self.store.receive(client_id, owner, EPOCH, cursors, messages, expired), self.returns(None)

    def _moved(self, model, epoch):
        """Returns cursors for a call, for some channels: some stay where they are."""
        if model.peer_epoch != epoch:
            model.peer_epoch, model.cursors, model.expired = epoch, {0: 0}, {}
        cursors = {}
        for _ in range(self.chance.below(3)):
            channel = self.chance.of(CHANNELS)
            cursors[channel] = model.cursors.get(channel, 0) if self.chance.below(3) else self.chance.below(NUMBERS)
        for channel, number in cursors.items():
            if number != model.cursors.get(channel, 0):
                model.expired[channel] = 0
        model.cursors.update(cursors)
        return cursors

    def _acknowledge(self, client_id, model, owner):
        return self.store.acknowledge(client_id, owner, self._forgotten(model)), self.returns(None)

    def _forgotten(self, model):
        bases = {}
        for channel in CHANNELS[1:]:
            if self.chance.below(2):
                bases.update(model.forget(channel, self.chance.below(len(model.outbox_of(channel)) + 1)))
        return bases

    def _realign(self, client_id, model, owner):
        bases = self._forgotten(model)
        cursors = self._moved(model, b"another.")
        return self.store.realign(client_id, owner, b"another.", cursors, bases), self.returns(None)

    def _expire(self, client_id, model, owner):
        channel = self.chance.of(CHANNELS)
        at, rows = self.chance.below(4), model.outbox_of(channel)
        call = self.store.expire(client_id, owner, channel, model.base(channel) + at & NUMBERS)
        if at < len(rows):
            model.outbox[model.outbox.index(rows[at])] = (rows[at][0], Message(channel, DROPPED, 0, b""))
        return call, self.returns(at < len(rows))

    def _named(self, client_id, model, owner):
        run = self.chance.of(model.runs)[0]
        model.runs = runs_around(model.runs, run)
        return self.store.named(client_id, owner, run), self.returns(None)

    def _away(self, client_id, model, owner):
        model.away_s = self.chance.below(1000)
        return self.store.away(client_id, owner, model.away_s), self.returns(None)

    def _note(self, client_id, model, owner):
        async def note():
            self.store.note(client_id, owner, text, at_once=True)

        text = model.note = "note %d" % self.chance.below(1000)
        return note(), self.returns(None)

    def _fenced(self, client_id, model, owner):
        owner = self.chance.of(model.former) if model.former else 0
        kind = self.chance.below(5)
        if kind == 0:
            call = self.store.put(client_id, owner, Message(0, 0, 0, b"no"))
        elif kind == 1:
            call = self.store.take(client_id, owner)
        elif kind == 2:
            call = self.store.drop(client_id, owner, model.number)
        elif kind == 3:
            call = self.store.receive(client_id, owner, EPOCH, {0: 0}, [Message(5, 0, 0, b"no")])
        else:
            call = self.store.discard(client_id, owner)
        return call, self.raises

    def _wrong(self, client_id, model, owner):
        channel = self.chance.of(CHANNELS)
        base = model.base(channel) + len(model.outbox_of(channel)) + 1 + self.chance.below(1000) & NUMBERS
        bases = {one: model.base(one) + len(model.outbox_of(one)) & NUMBERS for one in CHANNELS}
        bases[channel] = base  # the others are right, and must not be done
        return self.store.acknowledge(client_id, owner, bases), self.raises

    def _claim(self, client_id, model, owner):
        return self.store.claim(client_id), self.claimed(model)

    def _discard(self, client_id, model, owner):
        count = len(model.outbox)
        model.outbox = []
        model.bases = {0: model.base(0)}
        model.epoch, model.runs, model.away_s = None, [], 0
        expect = self.claimed(model)

        def check(found):
            self.raise_if(found)
            self.case.assertEqual(found[0][1], count)
            expect((found[0][0], None))

        return self.store.discard(client_id, owner), check

    def _take(self, client_id, model, owner):
        channel = self.chance.of(self.readable[client_id])[1].channel
        return self.store.take(client_id, owner, channel), self.returns(model.take(channel))

    def _drop(self, client_id, model, owner):
        channel = self.chance.of(CHANNELS)
        number = self.chance.of(self.readable[client_id])[0] + self.chance.below(2)
        model.inbox = [row for row in model.inbox if row[1].channel != channel or row[0] >= number]
        return self.store.drop(client_id, owner, number, channel), self.returns(None)

    def _remove(self, client_id, model, owner):
        numbers = [row[0] for row in self.readable[client_id] if self.chance.below(2)]
        model.inbox = [row for row in model.inbox if row[0] not in numbers]
        return self.store.remove(client_id, owner, numbers + [1 << 20]), self.returns(None)

    def _mark(self, client_id, model, owner):
        number, old = self.chance.of(self.readable[client_id])
        at = model.inbox.index((number, old))
        model.inbox[at] = (number, Message(old.channel, old.kind ^ 16, old.time, old.data))
        return self.store.mark(client_id, owner, number, old.kind ^ 16), self.returns(None)

    def _give_back(self, client_id, model, owner):
        async def take_and_give_back():
            row = await self.store.take(client_id, owner, channel)
            await self.store.give_back(client_id, owner, row[0], row[1])
            return row

        channel = self.chance.of(self.readable[client_id])[1].channel
        return take_and_give_back(), self.returns(model.inbox_of(channel)[0])

    # What is expected of an outcome, (result, exception)

    def raise_if(self, found):
        if found[1] is not None:
            raise found[1]

    def returns(self, expected):
        def check(found):
            self.raise_if(found)
            self.case.assertEqual(found[0], expected)

        return check

    def raises(self, found):
        self.case.assertIsInstance(found[1], StoreError)

    def claimed(self, model):
        """The model is as it shall be when the client is claimed."""

        def check(found):
            self.raise_if(found)
            state = found[0]
            got = (state.peer_epoch, state.outbox, state.serial, state.note)
            self.case.assertEqual(got, (model.peer_epoch, model.outbox, model.serial, model.note))
            for channel in CHANNELS:
                got = (state.cursors.get(channel, 0), state.bases.get(channel, 0))
                self.case.assertEqual(got, (model.cursors.get(channel, 0), model.base(channel)))
            expired = {channel: bits for channel, bits in model.expired.items() if bits}
            self.case.assertEqual(state.expired, expired)
            self.case.assertGreater(state.owner, model.owner or 0)
            self.case.assertEqual(state.epoch, model.epoch or state.epoch)
            begin_run(model.runs, state.run, model.serial & NUMBERS)
            self.case.assertEqual(state.runs, model.runs)
            if model.owner:
                model.former.append(model.owner)
            model.owner, model.epoch = state.owner, state.epoch

        return check

    # What is done or not

    async def cancelled_take(self):
        client_id, channel = self.chance.of(list(self.models)), self.chance.of(CHANNELS)
        model = self.models[client_id]
        tasks = begin(*[self._put(client_id, model, model.owner)[0] for _ in range(self.chance.below(3))],
                      self.store.take(client_id, model.owner, channel))  # fmt: skip
        for _ in range(self.chance.below(8)):
            await asyncio.sleep(self.chance.of((0, 0, 0.001)))
        tasks[-1].cancel()
        row, error = await ended(tasks[-1])
        if error is None:
            self.case.assertEqual(row, model.take(channel))
        else:
            self.case.assertIsInstance(error, asyncio.CancelledError)
        await self.check_inbox(client_id)
        for task in tasks[:-1]:
            await task
        return len(tasks)

    async def failures(self):
        """Of the calls that fail each is done, or not."""
        if not self.bed.can_fail:
            return 1
        for client_id, model in self.models.items():  # so that a note, or the undoing of a take, does not fail as well
            await self.store.away(client_id, model.owner, model.away_s)
        mend = self.bed.break_disk(self.store)
        written = {client_id: [self.message() for _ in range(1 + self.chance.below(2))] for client_id in self.models}
        order = [(client_id, message) for client_id in written for message in written[client_id]]
        puts = [self.store.put(client_id, self.models[client_id].owner, message) for client_id, message in order]
        for found in await all_ended(begin(*puts)):
            self.raises(found)
        mend()
        for client_id, model in self.models.items():
            self.raises(await ended(begin(self.store.take(client_id, model.owner))[0]))
            state = await self.store.claim(client_id)
            for message in written[client_id]:
                if (model.serial, message) in state.outbox:
                    model.outbox.append((model.serial, message))
                    model.serial += 1
            self.claimed(model)((state, None))
        return 2 * len(order)


def _cost(rows):
    return cost([message for _, message in rows])
