"""MemoryStore beside a small model."""

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from protocol.errors import StoreError
from server.store import LINE_COST, MemoryStore

INBOX = 300
OUTBOX = 300
lines = st.binary(max_size=80)


def now(coroutine):
    """The result of a coroutine that does not suspend: `immediate` says so."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("an immediate store has suspended")


def cost(found):
    return sum(len(line) + LINE_COST for line in found)


class StoreModel(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.store = MemoryStore(INBOX, OUTBOX)
        self.epoch = None
        self.owner = None
        self.former = []
        self.peer_epoch = None
        self.next_number = 0
        self.base = 0
        self.inbox = []
        self.outbox = []

    @rule()
    def peek(self):
        owner, epoch = now(self.store.peek("a"))
        assert owner == (self.owner or 0) and epoch == (self.epoch or epoch)
        self.epoch = epoch

    @rule()
    def claim(self):
        state = now(self.store.claim("a"))
        assert state.owner > (self.owner or 0) and state.epoch == (self.epoch or state.epoch)
        if self.owner is not None:
            self.former.append(self.owner)
        self.owner, self.epoch = state.owner, state.epoch
        found = (state.peer_epoch, state.next_number, state.base, state.outbox)
        assert found == (self.peer_epoch, self.next_number, self.base, self.outbox)
        assert len(state.epoch) == 8

    @precondition(lambda self: self.owner is not None)
    @rule(found=st.lists(lines, max_size=4), number=st.integers(0, 0xFFFF), epoch=st.binary(min_size=8, max_size=8))
    def receive(self, found, number, epoch):
        assert self.store.inbox_room("a") == (cost(self.inbox) < INBOX)
        if self.store.inbox_room("a"):
            now(self.store.receive("a", self.owner, epoch, number, found))
            self.inbox += found
            self.peer_epoch, self.next_number = epoch, number

    @precondition(lambda self: self.owner is not None)
    @rule()
    def take(self):
        assert now(self.store.take("a", self.owner)) == (self.inbox.pop(0) if self.inbox else None)

    @precondition(lambda self: self.owner is not None)
    @rule(line=lines)
    def put(self, line):
        room = not self.outbox or cost(self.outbox) + cost([line]) <= OUTBOX
        assert self.store.outbox_room("a", len(line)) == room
        if room:
            now(self.store.put("a", self.owner, line))
            self.outbox.append(line)

    @precondition(lambda self: self.owner is not None)
    @rule(data=st.data())
    def acknowledge(self, data):
        count = data.draw(st.integers(0, len(self.outbox)))
        self.base = (self.base + count) & 0xFFFF
        del self.outbox[:count]
        now(self.store.acknowledge("a", self.owner, self.base))

    @precondition(lambda self: self.owner is not None)
    @rule(beyond=st.integers(1, 0x7FFF))
    def acknowledge_too_much(self, beyond):
        with pytest.raises(StoreError):
            now(self.store.acknowledge("a", self.owner, self.base + len(self.outbox) + beyond & 0xFFFF))

    @precondition(lambda self: self.former)
    @rule(line=lines)
    def former_owner_writes_nothing(self, line):
        owner = self.former[-1]
        for write in (
            self.store.receive("a", owner, b"e" * 8, 5, [line]),
            self.store.take("a", owner),
            self.store.put("a", owner, line),
            self.store.acknowledge("a", owner, self.base),
        ):
            with pytest.raises(StoreError, match="owner"):
                now(write)


StoreModel.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None, derandomize=True)
TestMemoryStore = StoreModel.TestCase


def test_line_numbers_of_the_outbox_wrap():
    async def main():
        store = MemoryStore()
        owner = (await store.claim("a")).owner
        for number in range(0x10005):
            await store.put("a", owner, b"x")
            await store.acknowledge("a", owner, number + 1 & 0xFFFF)
        return await store.claim("a")

    state = asyncio.run(main())
    assert (state.base, state.outbox) == (5, [])


def test_clients_do_not_share_anything():
    async def main():
        store = MemoryStore()
        first, second = await store.claim("a"), await store.claim("b")
        await store.receive("a", first.owner, b"e" * 8, 1, [b"x"])
        assert first.epoch != second.epoch
        assert await store.take("b", second.owner) is None

    asyncio.run(main())
