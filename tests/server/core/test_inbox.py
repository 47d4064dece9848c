"""The reading of a channel: calls that take, and readers that commit after."""

import asyncio

import pytest

from primitives.broadcast import Broadcast
from primitives.task_flag import TaskFlag
from primitives.timeout import Timeout
from server import MemoryStore
from server.core.inbox import Inbox, Use
from server.core.message import Message
from server.core.registry import Registry


def use_of(store, state):
    async def nothing():
        pass

    async def directly(operation):
        await operation

    use = Use("a", Broadcast(), TaskFlag(), nothing, directly, Registry())
    use.store, use.state = store, state
    use.registry.use(store)
    return use


async def boxes(*messages):
    """Inboxes of channels 20 and 21 whose store has these (channel, data)."""
    store = MemoryStore()
    state = await store.claim("a")
    cursors = {0: 0, 20: 9, 21: 9}
    found = [Message(channel, 0, 7, data) for channel, data in messages]
    await store.receive("a", state.owner, b"an epoch", cursors, found)
    use = use_of(store, state)
    inboxes = [Inbox(use, channel) for channel in (20, 21)]
    for inbox in inboxes:
        inbox.begin()
    return inboxes


def number_and_data(number, message):
    return number, message.data


def test_each_channel_is_read_by_itself():
    async def main():
        one, other = await boxes((20, b"a"), (21, b"b"), (20, b"c"))
        assert await other.take(None, number_and_data) == (1, b"b")
        assert [await one.take(None, number_and_data) for _ in range(2)] == [(0, b"a"), (2, b"c")]
        with pytest.raises(asyncio.TimeoutError):
            await one.take(Timeout(10), number_and_data)

    asyncio.run(main())


def test_message_that_cannot_be_converted_stays():
    async def main():
        one, _ = await boxes((20, b"a"))

        def fails(number, message):
            raise MemoryError

        with pytest.raises(MemoryError):
            await one.take(None, fails)
        assert await one.take(None, number_and_data) == (0, b"a")

    asyncio.run(main())


def test_reader_gets_a_message_again_until_it_is_done_with_it():
    async def main():
        one, _ = await boxes((20, b"a"), (21, b"b"), (20, b"c"))
        store, number, message = await one.next_after(None, 0)
        assert (number, message.data, message.time) == (0, b"a", 7)
        assert (await one.next_after(None, 0))[1] == 0
        assert (await one.next_after((store, number), 0))[1] == 2
        assert (await one.next_after(None, 0, start=1))[1] == 2
        await one.done_with((object(), 2), 0)
        assert (await one.next_after(None, 0))[1] == 2, "another store's number means nothing"

    asyncio.run(main())
