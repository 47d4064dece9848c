"""How many lives of a client a store has seen: after restarts of the client, of the server, and of both."""

import asyncio

import pytest

from protocol.errors import StoreError
from server import MemoryStore, SQLiteStore, client_conn
from server.core.lives import Lives
from server.core.notes import Notes
from tests.server.all_stores import STORES, TemporaryStore
from tests.server.peer import Client, Service, until, within


class Told:
    """Events, and a Broadcast."""

    def __init__(self):
        self.events = []

    def tell(self, event, client_id, **details):
        self.events.append((event, client_id, details))


async def loaded():
    pass


async def claimed(store, told, epoch=None):
    state = await store.claim("a")
    lives = Lives("a", told, told, loaded)
    lives.begin(Notes(store, "a", state), epoch or state.peer_epoch)
    return lives


@pytest.mark.parametrize("kind", STORES)
def test_each_new_epoch_is_one_life_and_a_restart_of_the_server_none(kind):
    async def main():
        store, told = kind(), Told()
        lives = await claimed(store, told)
        assert lives.count == 0
        for epoch, count in ((b"epoch  1", 1), (b"epoch  1", 1), (b"epoch  2", 2), (b"\n \0\xff   3", 3)):
            lives.met(epoch)
            assert lives.count == count
            lives = await claimed(store, told)
            assert lives.count == count
        lives.met(b"\n \0\xff   3")
        assert told.events == [("new_life", "a", {"lives": 2}), ("new_life", "a", {"lives": 3})]

    asyncio.run(main())


def test_store_of_an_older_version_knows_one_life_if_it_knows_the_client():
    async def main():
        for epoch, count in ((b"epoch  1", 1), (b"epoch  2", 2)):
            lives = await claimed(MemoryStore(), Told(), b"epoch  1")
            assert lives.count == 1
            lives.met(epoch)
            assert lives.count == count

    asyncio.run(main())


def test_life_that_cannot_be_stored_is_not_counted():
    async def main():
        store, told = MemoryStore(), Told()
        lives = await claimed(store, told)
        lives.met(b"epoch  1")
        await store.claim("a")  # by another server
        with pytest.raises(StoreError, match="the store failed: .*claimed"):
            lives.met(b"epoch  2")
        store.note = None  # any other exception
        with pytest.raises(StoreError, match="the store failed: .*callable"):
            lives.met(b"epoch  2")
        assert (lives.count, told.events) == (1, [])

    asyncio.run(main())


@pytest.mark.parametrize("kind", [MemoryStore, TemporaryStore])
def test_connection_tells_of_a_new_life_and_not_of_a_new_connection(kind):
    async def main():
        events = []
        async with Service(store=kind()) as service:
            service.events.subscribe(lambda *event: events.append(event))
            conn = service.connection()
            assert conn.lives == 0
            first = asyncio.create_task(conn.new_life())
            client = Client(service.port)
            await within(client.connect())
            assert await within(first) == conn.lives == 1
            waiting = asyncio.create_task(conn.new_life())
            await within(client.connect())
            await until(lambda: conn.nconns == 2 and conn.status(), "another connection")
            assert not waiting.done() and conn.lives == 1
            client.cut()
            second = Client(service.port)
            await within(second.connect())
            assert await within(waiting) == conn.lives == 2
            assert await within(conn.new_life(1)) == 2, "as the application knew it"
            second.cut()
        assert [event for event in events if event[0] == "new_life"] == [("new_life", "a", {"lives": 2})]

    asyncio.run(main())


def test_life_without_a_single_message_survives_a_restart_of_the_server(tmp_path):
    async def main():
        async with Service(store=SQLiteStore(tmp_path / "store.db")) as service:
            for count in (1, 2):
                client = Client(service.port)
                await within(client.connect())
                assert (await within(client_conn("a"))).lives == count
                client.cut()
        service.store.close()
        async with Service(store=SQLiteStore(tmp_path / "store.db")) as again:
            conn = again.connection()
            waiting = asyncio.create_task(conn.new_life(2))
            await until(lambda: conn.lives == 2, "the count in the store")
            client.port = again.port
            await within(client.connect())
            await until(conn.status)
            assert not waiting.done() and conn.lives == 2
            client.cut()
            another = Client(again.port)
            await within(another.connect())
            assert await within(waiting) == 3
            another.cut()

    asyncio.run(main())
