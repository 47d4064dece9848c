"""Calls of a store that chance chooses, beside a model of the contract. Runs under both interpreters."""

import asyncio

from protocol.errors import StoreError
from protocol.lines import NUMBERS
from server.core.history import begin_run, runs_around
from server.core.store import LINE_COST, cost
from tests.server.store_calls import EPOCH, INBOX, OUTBOX, all_ended, begin, ended, inbox_of, numbered

CALLS = 150  # for each seed


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
        self.cursor = (None, 0)
        self.base = 0
        self.runs = []
        self.inbox = []
        self.first = 0  # number of its first line
        self.outbox = []
        self.note = ""
        self.away_s = 0

    def forget(self, count):
        self.base = self.base + count & NUMBERS
        del self.outbox[:count]

    def take(self):
        if not self.inbox:
            return None
        self.first += 1
        return self.inbox.pop(0)


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
        found = await inbox_of(self.store, model.owner, client_id)
        self.case.assertEqual(found, numbered(model.first, model.inbox))

    def check_room(self):
        for client_id, model in self.models.items():
            self.case.assertEqual(self.store.inbox_room(client_id), cost(model.inbox) < INBOX)
            self.case.assertEqual(self.store.unread(client_id), (len(model.inbox), model.first))
            size = self.chance.below(100)
            room = not model.outbox or cost(model.outbox) + size + LINE_COST <= OUTBOX
            self.case.assertEqual(self.store.outbox_room(client_id, size), room)
        held = [line for model in self.models.values() for line in model.inbox + model.outbox]
        self.case.assertEqual(self.store.total, cost(held))

    def line(self):
        self.count += 1
        return b"%d" % self.count + b"-" * self.chance.below(60)

    # Groups: each client has one, and all of them overlap

    async def groups(self):
        calls, expected = [], []
        left = {client_id: self.chance.below(6) for client_id in self.models}
        readable = [client_id for client_id in self.models if self.models[client_id].inbox]
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
            size = sum(map(len, model.outbox))
            if model.outbox:
                found.append({"id": client_id, "lines": len(model.outbox), "bytes": size, "away_s": model.away_s})
        return found

    def choose(self, client_id, readable):
        """Returns (coroutine, function that is given its outcome, whether it is a call that need not see the others,
        whether it is the last one of its group). The model is as it shall be after the call."""
        kinds = ["put", "receive", "acknowledge", "realign", "named", "away", "note", "fenced", "wrong", "claim",
                 "discard", "put", "receive"]  # fmt: skip
        if readable:
            kinds.extend(["take", "drop", "give back"] * 2)
        kind = self.chance.of(kinds)
        model = self.models[client_id]
        call, expect = getattr(self, "_" + kind.replace(" ", "_"))(client_id, model, model.owner)
        reads = kind in ("take", "drop", "give back")
        return call, expect, reads, kind in ("claim", "discard", "give back")

    def _put(self, client_id, model, owner):
        model.outbox.append(self.line())
        return self.store.put(client_id, owner, model.outbox[-1]), self.returns(None)

    def _receive(self, client_id, model, owner):
        lines = [self.line() for _ in range(self.chance.below(4))]
        model.inbox.extend(lines)
        model.cursor = (EPOCH, self.chance.below(NUMBERS))
        return self.store.receive(client_id, owner, model.cursor[0], model.cursor[1], lines), self.returns(None)

    def _acknowledge(self, client_id, model, owner):
        model.forget(self.chance.below(len(model.outbox) + 1))
        return self.store.acknowledge(client_id, owner, model.base), self.returns(None)

    def _realign(self, client_id, model, owner):
        model.forget(self.chance.below(len(model.outbox) + 1))
        model.cursor = (b"another.", self.chance.below(NUMBERS))
        call = self.store.realign(client_id, owner, model.cursor[0], model.cursor[1], model.base)
        return call, self.returns(None)

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
            call = self.store.put(client_id, owner, b"no")
        elif kind == 1:
            call = self.store.take(client_id, owner)
        elif kind == 2:
            call = self.store.drop(client_id, owner, model.first + 1)
        elif kind == 3:
            call = self.store.receive(client_id, owner, EPOCH, 0, [b"no"])
        else:
            call = self.store.discard(client_id, owner)
        return call, self.raises

    def _wrong(self, client_id, model, owner):
        base = model.base + len(model.outbox) + 1 + self.chance.below(1000) & NUMBERS
        return self.store.acknowledge(client_id, owner, base), self.raises

    def _claim(self, client_id, model, owner):
        return self.store.claim(client_id), self.claimed(model)

    def _discard(self, client_id, model, owner):
        count = len(model.outbox)
        model.outbox = []
        model.epoch, model.runs, model.away_s = None, [], 0
        expect = self.claimed(model)

        def check(found):
            self.raise_if(found)
            self.case.assertEqual(found[0][1], count)
            expect((found[0][0], None))

        return self.store.discard(client_id, owner), check

    def _take(self, client_id, model, owner):
        return self.store.take(client_id, owner), self.returns(model.take())

    def _drop(self, client_id, model, owner):
        model.take()
        return self.store.drop(client_id, owner, model.first), self.returns(None)

    def _give_back(self, client_id, model, owner):
        async def take_and_give_back():
            line = await self.store.take(client_id, owner)
            await self.store.give_back(client_id, owner, line)
            return line

        return take_and_give_back(), self.returns(model.inbox[0])

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
            got = (state.peer_epoch, state.next_number, state.base, state.outbox, state.note)
            expected = (model.cursor[0], model.cursor[1], model.base, model.outbox, model.note)
            self.case.assertEqual(got, expected)
            self.case.assertGreater(state.owner, model.owner or 0)
            self.case.assertEqual(state.epoch, model.epoch or state.epoch)
            begin_run(model.runs, state.run, model.base + len(model.outbox) & NUMBERS)
            self.case.assertEqual(state.runs, model.runs)
            if model.owner:
                model.former.append(model.owner)
            model.owner, model.epoch = state.owner, state.epoch

        return check

    # What is done or not

    async def cancelled_take(self):
        client_id = self.chance.of(list(self.models))
        model = self.models[client_id]
        tasks = begin(*[self._put(client_id, model, model.owner)[0] for _ in range(self.chance.below(3))],
                      self.store.take(client_id, model.owner))  # fmt: skip
        for _ in range(self.chance.below(8)):
            await asyncio.sleep(self.chance.of((0, 0, 0.001)))
        tasks[-1].cancel()
        line, error = await ended(tasks[-1])
        if error is None:
            self.case.assertEqual(line, model.take())
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
        lines = {client_id: [self.line() for _ in range(1 + self.chance.below(2))] for client_id in self.models}
        order = [(client_id, line) for client_id in lines for line in lines[client_id]]
        puts = [self.store.put(client_id, self.models[client_id].owner, line) for client_id, line in order]
        for found in await all_ended(begin(*puts)):
            self.raises(found)
        mend()
        for client_id, model in self.models.items():
            self.raises(await ended(begin(self.store.take(client_id, model.owner))[0]))
            state = await self.store.claim(client_id)
            model.outbox.extend([line for line in lines[client_id] if line in state.outbox])
            self.claimed(model)((state, None))
        return 2 * len(order)
