"""Making, migrating and examining the tables in PostgreSQL."""

import asyncio
import threading

import asyncpg
import pytest

from protocol.errors import StoreError
from server.stores import postgres_admin, postgres_database, postgres_schema
from server.stores.opened import own_name
from server.stores.postgres import PostgresStore
from tests.server import postgres
from tests.server.store_calls import EPOCH, a_line, a_lines


@pytest.fixture
def place():
    """(url, schema) without tables."""
    return postgres.server().url, postgres.new_schema()


def connected(url, function):
    """Returns what the coroutine function (connection) returns."""

    async def main():
        connection = await asyncpg.connect(url)
        try:
            return await function(connection)
        finally:
            await connection.close()

    return asyncio.run(main())


def do(place, statement):
    connected(place[0], lambda connection: connection.execute(statement.format(schema=place[1])))


def found(place, statement):
    rows = connected(place[0], lambda connection: connection.fetch(statement.format(schema=place[1])))
    return [tuple(row) for row in rows]


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


def test_look_reads_the_format_and_joins_nothing(place):
    with pytest.raises(StoreError, match="has no tables of pb_link"):
        postgres_admin.look(*place)
    postgres_admin.init(*place)
    do(place, "INSERT INTO {schema}.node (name, version, seen) VALUES ('old', '1', now() - interval '9 years')")
    before = found(place, "SELECT xmin, * FROM {schema}.node")
    assert postgres_admin.look(*place) == postgres_schema.VERSION
    assert found(place, "SELECT xmin, * FROM {schema}.node") == before and len(before) == 1
    with pytest.raises(StoreError, match="are the same database"):
        postgres_admin.look([place[0]] * 2, place[1])


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


def test_next_host_is_tried_when_one_is_dead(place):
    url, schema = place
    postgres_admin.init(*place)
    folder = url.rpartition("host=")[2].replace("/", "%2F")
    assert postgres_admin.check(f"postgresql://postgres@127.0.0.1:1,{folder}/postgres", schema)["clients"] == 0


def test_server_that_is_not_there_is_named():
    with pytest.raises(StoreError, match="postgresql://127.0.0.1:1/x cannot be reached"):
        postgres_admin.check("postgresql://127.0.0.1:1/x")


def test_tables_of_the_first_format_keep_what_they_have_and_servers_get_rights_to_what_is_new(place):
    url, schema = place
    role = f"servers_{schema}"

    async def first(connection):
        await connection.execute(postgres_schema._MAKE.format(schema=schema))
        await connection.execute(f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role}")
        for table in ("client", "inbox", "outbox"):
            await connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.{table} TO {role}")
        await connection.execute(f"GRANT SELECT ON {schema}.format TO {role}")
        await connection.execute(
            f"INSERT INTO {schema}.client (id, epoch, messages, cost, outbox_next) VALUES ('a', '12345678', 1, 33, 1)"
        )
        await connection.execute(f"INSERT INTO {schema}.outbox VALUES (1, 0, 0, 0, 0, 'x')")

    connected(url, first)
    with pytest.raises(StoreError, match="pb-link store migrate"):
        PostgresStore(url, schema=schema)
    assert postgres_admin.migrate(*place) == (1, postgres_schema.VERSION)
    assert postgres_admin.migrate(*place) == (postgres_schema.VERSION, postgres_schema.VERSION)

    store = PostgresStore(url.replace("postgres@", f"{role}@"), schema=schema)
    assert asyncio.run(store.claim("a")).lines == [b"x"]
    store.close()
    assert postgres_admin.check(*place)["messages"] == 1


def test_process_has_a_row_while_it_uses_the_tables(place):
    postgres_admin.init(*place)
    stores = [PostgresStore(place[0], schema=place[1], name=name) for name in ("one", None)]
    assert stores[0].node < stores[1].node
    rows = found(place, "SELECT id, name FROM {schema}.node ORDER BY id")
    assert rows == [(stores[0].node, "one"), (stores[1].node, own_name())]
    stores[0].close()
    assert found(place, "SELECT id FROM {schema}.node") == [(stores[1].node,)]
    stores[1].close()
    assert found(place, "SELECT id FROM {schema}.node") == []


def test_process_that_has_ended_without_a_word_is_forgotten_with_what_nobody_reads_any_more(place):
    postgres_admin.init(*place)
    dead, living = (PostgresStore(place[0], schema=place[1]) for _ in range(2))
    for node, results in ((dead.node, (0, 1, 2, 3)), (living.node, (1, 2))):
        do(place, f"INSERT INTO {{schema}}.writer VALUES (1, 0, {node}, 4)")
        for number, result in enumerate(results):
            do(place, f"INSERT INTO {{schema}}.mail VALUES (1, 0, {node}, {number}, DEFAULT, 0, 0, '', 1, {result})")
    do(place, f"UPDATE {{schema}}.node SET seen = now() - interval '25 hours' WHERE id = {dead.node}")
    new = PostgresStore(place[0], schema=place[1])
    assert found(place, "SELECT id FROM {schema}.node ORDER BY id") == [(living.node,), (new.node,)]
    assert found(place, "SELECT writer FROM {schema}.writer") == [(living.node,)]
    mail = found(place, "SELECT writer, number, result FROM {schema}.mail ORDER BY writer, number")
    assert mail == [(dead.node, 0, 0), (dead.node, 1, 0), (living.node, 0, 1), (living.node, 1, 2)]
    for store in (dead, living, new):
        store.close()


@pytest.mark.parametrize("look", [postgres_admin.clients, postgres_admin.nodes, postgres_admin.keys])
def test_database_that_is_silent_is_given_up(monkeypatch, look):
    """Also by a server that starts, in whose loop it is asked."""
    own = postgres.Postgres(fsync="off")
    try:
        postgres_admin.init(own.url)

        async def start():
            return look(own.url)

        asyncio.run(start())
        monkeypatch.setattr(postgres_admin, "STATEMENT_S", 1.0)
        monkeypatch.setattr(postgres_database, "CLOSE_S", 0.1)
        monkeypatch.setattr(postgres_admin, "CLOSE_S", 0.1)
        held = asyncio.run(_held(own.url, lambda: asyncio.to_thread(look, own.url)))
        assert "no answer for 1 s" in str(held)
    finally:
        own.remove()


async def _held(url, call):
    """Returns the StoreError of a call whose tables are locked."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE pb_link.client, pb_link.node, pb_link.key_change")
            with pytest.raises(StoreError) as caught:
                await call()
        return caught.value
    finally:
        await connection.close()
