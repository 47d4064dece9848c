"""Making, migrating and examining the tables in PostgreSQL."""

import asyncio
import threading

import asyncpg
import pytest

from protocol.errors import StoreError
from server.stores import postgres_admin, postgres_schema
from server.stores.postgres import PostgresStore
from tests.server import postgres
from tests.server.store_calls import EPOCH, a_line, a_lines


@pytest.fixture
def place():
    """(url, schema) without tables."""
    return postgres.server().url, postgres.new_schema()


def do(place, statement):
    async def main():
        connection = await asyncpg.connect(place[0])
        try:
            await connection.execute(statement.format(schema=place[1]))
        finally:
            await connection.close()

    asyncio.run(main())


def filled(place):
    """Tables with two clients, of two messages each."""
    postgres_admin.init(*place)
    store = PostgresStore(place[0], schema=place[1])

    async def main():
        for client_id in ("a", "b"):
            owner = (await store.claim(client_id)).owner
            await store.receive(client_id, owner, EPOCH, {0: 1}, a_lines([b"123"]))
            await store.put(client_id, owner, a_line(b"45"))

    asyncio.run(main())
    store.close()


def test_tables_are_made_once(place):
    postgres_admin.init(*place)
    with pytest.raises(StoreError, match="tables of pb_link already"):
        postgres_admin.init(*place)
    assert postgres_admin.check(*place) == {"clients": 0, "messages": 0, "bytes": 0}
    assert postgres_admin.migrate(*place) == (postgres_schema.VERSION, postgres_schema.VERSION)


def test_two_that_make_the_tables_at_once_make_them_once(place):
    results = []

    def make():
        try:
            postgres_admin.init(*place)
            results.append("made")
        except StoreError:
            results.append("there")

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["made", "there"]


def test_what_is_stored_is_counted(place):
    filled(place)
    assert postgres_admin.check(*place) == {"clients": 2, "messages": 4, "bytes": 10}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM {schema}.inbox WHERE client = (SELECT min(key) FROM {schema}.client)", "1 clients .* a: 1 of 2"),
        ("UPDATE {schema}.outbox SET data = 'longer'", "2 clients have other messages"),
        ("DELETE FROM {schema}.client WHERE id = 'b'", "1 messages of table inbox belong to no client"),
    ],
)
def test_what_is_missing_is_found(place, damage, words):
    filled(place)
    do(place, damage)
    with pytest.raises(StoreError, match=words):
        postgres_admin.check(*place)


@pytest.mark.parametrize("action", [postgres_admin.check, postgres_admin.migrate])
def test_without_tables_the_command_is_named(place, action):
    with pytest.raises(StoreError, match="pb-link store init"):
        action(*place)


@pytest.mark.parametrize("action", [postgres_admin.check, postgres_admin.migrate])
def test_tables_of_a_newer_release_are_left_alone(place, action):
    postgres_admin.init(*place)
    do(place, "UPDATE {schema}.format SET version = 99")
    with pytest.raises(StoreError, match="newer pb_link"):
        action(*place)


def test_server_that_is_not_there_is_named():
    with pytest.raises(StoreError, match="postgresql://127.0.0.1:1/x cannot be reached"):
        postgres_admin.check("postgresql://127.0.0.1:1/x")
