"""Every store beside a small model, and what they have in common."""

import asyncio
import tempfile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from protocol.errors import StoreError
from protocol.lines import NUMBERS
from server.core.history import RUNS
from server.core.store import LINE_COST
from server.stores.memory import MemoryStore
from server.stores.sqlite import SQLiteStore

INBOX = 300
OUTBOX = 300
lines = st.binary(max_size=80)


def cost(found):
    return sum(len(line) + LINE_COST for line in found)


class MemoryStoreModel(RuleBasedStateMachine):
    """The rules for all stores, here of the one in memory."""

    def __init__(self):
        super().__init__()
        self.store = self.open()
        self.epoch = None
        self.owner = None
        self.former = []
        self.peer_epoch = None
        self.next_number = 0
        self.base = 0
        self.runs = []
        self.inbox = []
        self.first = 0  # number of the first line in it
        self.outbox = []

    def open(self):
        return MemoryStore(INBOX, OUTBOX)

    def now(self, coroutine):
        """The result of a coroutine that does not suspend: `immediate` says so."""
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("an immediate store has suspended")

    @rule()
    def peek(self):
        owner, epoch = self.now(self.store.peek("a"))
        assert owner == (self.owner or 0) and epoch == (self.epoch or epoch)
        self.epoch = epoch

    @rule()
    def claim(self):
        state = self.now(self.store.claim("a"))
        assert state.owner > (self.owner or 0) and state.epoch == (self.epoch or state.epoch)
        if self.owner is not None:
            self.former.append(self.owner)
        self.owner, self.epoch = state.owner, state.epoch
        self.expect_run(state)
        found = (state.peer_epoch, state.next_number, state.base, state.outbox)
        assert found == (self.peer_epoch, self.next_number, self.base, self.outbox)
        assert len(state.epoch) == 8

    @precondition(lambda self: self.owner is not None)
    @rule(found=st.lists(lines, max_size=4), number=st.integers(0, NUMBERS), epoch=st.binary(min_size=8, max_size=8))
    def receive(self, found, number, epoch):
        assert self.store.inbox_room("a") == (cost(self.inbox) < INBOX)
        if self.store.inbox_room("a"):
            self.now(self.store.receive("a", self.owner, epoch, number, found))
            self.inbox += found
            self.peer_epoch, self.next_number = epoch, number

    @precondition(lambda self: self.owner is not None)
    @rule()
    def take(self):
        assert self.now(self.store.take("a", self.owner)) == (self.inbox[0] if self.inbox else None)
        self.first += len(self.inbox[:1])
        del self.inbox[:1]

    @precondition(lambda self: self.inbox)
    @rule(count=st.integers(1, 4))
    def take_and_give_back(self, count):
        taken = [self.now(self.store.take("a", self.owner)) for _ in self.inbox[:count]]
        for line in reversed(taken):
            self.now(self.store.give_back("a", self.owner, line))

    @precondition(lambda self: self.owner is not None)
    @rule(number=st.integers(-2, 5))
    def look(self, number):
        expected = self.inbox[max(0, number) :][:1]
        found = self.now(self.store.look("a", self.owner, self.first + number))
        assert found == ((self.first + max(0, number), expected[0]) if expected else None)

    @precondition(lambda self: self.owner is not None)
    @rule(number=st.integers(-2, 5))
    def drop(self, number):
        self.now(self.store.drop("a", self.owner, self.first + number))
        count = max(0, min(number, len(self.inbox)))
        del self.inbox[:count]
        self.first += count

    @precondition(lambda self: self.owner is not None)
    @rule(line=lines)
    def put(self, line):
        room = not self.outbox or cost(self.outbox) + cost([line]) <= OUTBOX
        assert self.store.outbox_room("a", len(line)) == room
        if room:
            self.now(self.store.put("a", self.owner, line))
            self.outbox.append(line)

    @precondition(lambda self: self.owner is not None)
    @rule(data=st.data())
    def acknowledge(self, data):
        count = data.draw(st.integers(0, len(self.outbox)))
        self.base = (self.base + count) & NUMBERS
        del self.outbox[:count]
        self.now(self.store.acknowledge("a", self.owner, self.base))

    def expect_run(self, state):
        """A claim has begun a run, after those that were there."""
        assert len(state.run) == 8 and state.run not in [name for name, _ in self.runs]
        end = self.base + len(self.outbox) & NUMBERS
        if len(self.runs) < RUNS:
            assert state.runs == [*self.runs, (state.run, end)]
        else:
            assert len(state.runs) == RUNS and state.runs[:15] == self.runs[:15] and state.runs[-1][1] == end
        self.runs = state.runs

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def named(self, data):
        at = data.draw(st.integers(0, len(self.runs) - 1))
        self.now(self.store.named("a", self.owner, self.runs[at][0]))
        later = self.runs[at + 1 :]
        if len(later) > 7:  # the first one that is left begins as the first one did
            later = [(later[-7][0], later[0][1]), *later[-6:]]
        self.runs = self.runs[max(0, at - 7) : at + 1] + later
        self.now(self.store.named("a", self.owner, b"another."))  # changes nothing

    @precondition(lambda self: self.owner is not None)
    @rule(data=st.data(), number=st.integers(0, NUMBERS), epoch=st.binary(min_size=8, max_size=8))
    def realign(self, data, number, epoch):
        count = data.draw(st.integers(0, len(self.outbox)))
        self.base = (self.base + count) & NUMBERS
        del self.outbox[:count]
        self.peer_epoch, self.next_number = epoch, number
        self.now(self.store.realign("a", self.owner, epoch, number, self.base))

    @precondition(lambda self: self.owner is not None)
    @rule(beyond=st.integers(1, 0x7FFF))
    def acknowledge_too_much(self, beyond):
        with pytest.raises(StoreError):
            self.now(self.store.acknowledge("a", self.owner, self.base + len(self.outbox) + beyond & NUMBERS))

    @precondition(lambda self: self.former)
    @rule(line=lines)
    def former_owner_writes_nothing(self, line):
        owner = self.former[-1]
        for write in (
            self.store.receive("a", owner, b"e" * 8, 5, [line]),
            self.store.take("a", owner),
            self.store.give_back("a", owner, line),
            self.store.drop("a", owner, 1),
            self.store.put("a", owner, line),
            self.store.acknowledge("a", owner, self.base),
            self.store.named("a", owner, b"a run..."),
            self.store.realign("a", owner, b"e" * 8, 5, self.base),
        ):
            with pytest.raises(StoreError, match="owner"):
                self.now(write)


class SQLiteStoreModel(MemoryStoreModel):
    """Now and then the process ends, with or without a word, and another one begins with the file."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        super().__init__()

    def open(self):
        return SQLiteStore(self.folder.name + "/store.db", INBOX, OUTBOX)

    def now(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    @rule()
    def next_process(self):
        self.store.close()
        self.store = self.open()
        if self.owner is None:
            self.epoch = None  # nothing was promised with it
        else:
            self.claim()

    def teardown(self):
        self.store.close()
        self.loop.close()
        self.folder.cleanup()


MemoryStoreModel.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None, derandomize=True)
TestMemoryStore = MemoryStoreModel.TestCase
SQLiteStoreModel.TestCase.settings = settings(max_examples=12, stateful_step_count=30, deadline=None, derandomize=True)
TestSQLiteStore = SQLiteStoreModel.TestCase


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    store = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "store.db")
    yield store
    if request.param == "sqlite":
        store.close()


@pytest.mark.parametrize("wrap", [0x10000, 0x40000000])
def test_line_numbers_of_the_outbox_wrap(store, wrap):
    count = 50  # steps on a disk take their time: the numbers begin just before the wrap

    async def main():
        owner = (await store.claim("a")).owner
        record = store._clients["a"]
        record.base = wrap - count + 5
        for number in range(record.base, wrap + 5):
            await store.put("a", owner, b"x")
            await store.acknowledge("a", owner, number + 1 & NUMBERS)
        return await store.claim("a")

    state = asyncio.run(main())
    assert (state.base, state.outbox) == (wrap + 5 & NUMBERS, [])


def test_clients_do_not_share_anything(store):
    async def main():
        first, second = await store.claim("a"), await store.claim("b")
        await store.receive("a", first.owner, b"e" * 8, 1, [b"x"])
        assert first.epoch != second.epoch
        assert await store.take("b", second.owner) is None

    asyncio.run(main())
