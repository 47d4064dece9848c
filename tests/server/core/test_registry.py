"""The clients of one server: a Connection for each, for ever; whom it expects; lines on their way at the end."""

import asyncio

import pytest

from server.core.registry import Registry
from server.stores.memory import MemoryStore
from tests.server.all_stores import TemporaryStore
from tests.server.peer import within
from tests.server.store_calls import a_lines


def test_client_has_one_connection_for_ever():
    registry = Registry()
    with pytest.raises(KeyError):
        registry["a"]
    assert registry.get("a") is registry.get("a") is registry["a"] is not registry.get("b")
    assert [connection.client_id for connection in registry] == ["a", "b"]


def test_who_waits_learns_who_is_expected():
    async def main():
        registry = Registry()
        waiting = asyncio.create_task(registry.changed.wait())
        await asyncio.sleep(0)
        registry.expect({"a"})
        await within(waiting)
        assert registry.expected == {"a"} and registry["a"].client_id == "a"

    asyncio.run(main())


def test_settling_waits_until_the_store_has_dropped_what_the_application_is_done_with():
    async def main():
        registry = Registry()
        registry.use(store := TemporaryStore())
        connection = registry.get("a")
        await connection.load(store)
        await store.receive("a", connection.state.owner, bytes(8), {0: 1}, a_lines([b"line"]))
        connection.inbox.reader.finish(0)
        assert not connection.settled()
        connection.look_again()
        await within(registry.settle())
        assert connection.settled() and await store.look("a", connection.state.owner, 0) is None
        connection._task.cancel()
        store.close()

    asyncio.run(main())


def test_room_in_the_store_wakes_every_client():
    registry, woken = Registry(), []
    registry.use(store := MemoryStore())
    for client_id in ("a", "b"):
        registry.get(client_id).look_again = lambda client_id=client_id: woken.append(client_id)
    store.on_room()
    assert woken == ["a", "b"]
