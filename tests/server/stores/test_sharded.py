"""A store of several databases, in servers and programs as they are. The contract's tests are in test_contract.py."""

import asyncio
import json

import pytest

from protocol.errors import StoreError
from server.core.message import line as a_line
from server.core.serving import Serving
from server.core.store import StoreGone
from server.stores import postgres_admin
from server.stores.opened import open_store, shown_address
from server.stores.postgres import PostgresStore
from tests.server import postgres
from tests.server.peer import OTHER_KEY, Client, until, within
from tests.server.sharded_bed import Shards
from tests.server.shared_bed import Node, attached, run
from tests.server.store_calls import EPOCH, a_lines, ended

IN_A, IN_B = "b", "a"  # the clients that Placement puts into database A, and B


@pytest.fixture
def shards():
    found = Shards()
    yield found
    found.close()


async def clients(node):
    """Returns connected clients, one of each database."""
    found = [Client(node.port, IN_A, OTHER_KEY), Client(node.port, IN_B)]
    for client in found:
        await within(client.connect())
    return found


def test_lines_of_each_client_are_in_its_database(shards):
    async def main():
        async with Node(shards.open()) as node:
            for client in await clients(node):
                await within(client.write(f"from {client.client_id}"))
                await within(client.acknowledged())
                client.cut()
        for at, client_id in enumerate((IN_A, IN_B)):
            rows = await shards.fetch(at, "SELECT c.id, i.data FROM {schema}.client c JOIN {schema}.inbox i ON true")
            assert rows == [(client_id, f"from {client_id}".encode())]

    run(main())


def test_programs_elsewhere_write_and_read(shards):
    async def main():
        async with Node(shards.open()) as node, await attached(shards.open()) as program:
            for client in await clients(node):
                conn = program[client.client_id]
                await within(conn.write("to it"))
                assert await within(client.expect(1)) == ["to it\n"]
                lines = conn.lines()
                await within(client.write("from it"))
                assert await within(anext(lines)) == "from it\n"
                await within(client.write("and another"))
                assert await within(anext(lines)) == "and another\n"
                await until(lambda conn=conn: conn.status(), "the client, seen from elsewhere")
                client.cut()

    run(main())


def test_line_of_a_reader_that_is_gone_comes_again_at_once(shards):
    """The messages that a shard has handed out are known as its own."""

    async def main():
        async with Node(shards.open()) as node, await attached(shards.open()) as program:
            (_, client) = await clients(node)
            await within(client.write("once"))
            async for line in program[IN_B].lines():
                assert line == "once\n"
                break
            assert await within(anext(program[IN_B].lines())) == "once\n"

    run(main())


def test_processes_that_serve_share_the_clients_of_each_database(shards):
    """With one process, all are its; with another one, that takes what the first one leaves."""

    async def main():
        seen = []

        async def handler(conn):
            async for line in conn.lines():
                seen.append((conn.client_id, line))

        async with Node(shards.open()) as node:
            serving = asyncio.create_task(Serving(handler, node.registry).run())
            for client in await clients(node):
                await within(client.write("one"))
            await until(lambda: sorted(seen) == [("a", "one\n"), ("b", "one\n")], "the lines of both")
            serving.cancel()
            await asyncio.wait([serving])
        async with await attached(shards.open()) as program:
            serving = asyncio.create_task(Serving(handler, program._server.registry).run())
            async with Node(shards.open()) as node:
                for client in await clients(node):
                    await within(client.write("two"))
                await until(lambda: sorted(seen[2:]) == [("a", "two\n"), ("b", "two\n")], "the lines of both, there")
            serving.cancel()
            await asyncio.wait([serving])

    run(main())


def test_transaction_is_of_the_database_of_the_client(shards):
    async def main():
        async with Node(shards.open()) as node:
            for at, client in enumerate(await clients(node)):
                await shards.fetch(at, "CREATE TABLE {schema}.effect (text text)")
                await within(client.write("a line"))
                async with node.registry.get(client.client_id).transaction() as (lines, db):
                    await db.execute(f"INSERT INTO {shards.schema}.effect VALUES ($1)", lines[0])
                assert await shards.fetch(at, "SELECT text FROM {schema}.effect") == [("a line\n",)]

    run(main())


def test_database_that_is_down_stops_its_clients_alone():
    server = postgres.Postgres(fsync="off")
    shards = Shards(urls=[*postgres.databases(1), server.url])
    told = []
    try:

        async def main():
            store = shards.open(tell=lambda event, **details: told.append((event, details)))
            async with Node(store) as node, await attached(shards.open()) as program:
                above, below = await clients(node)
                await asyncio.to_thread(server.stop, "immediate")
                await within(below.write("waits"))
                put = asyncio.create_task(program[IN_B].write("waits too"))
                for number in range(20):
                    await within(above.write(f"line {number}"))
                    await within(above.acknowledged())
                    await within(program[IN_A].write(f"line {number}"))
                await within(above.expect(20))
                await until(lambda: "store_away" in dict(told), "what the log says")
                assert {details["shard"] for _, details in told} == {shown_address(server.url)}
                assert below.up and not put.done() and store.of(IN_B).trouble
                assert store.trouble is None  # /readyz: this server is of use
                await asyncio.to_thread(server.start)
                await within(below.acknowledged())
                await within(put)
                assert await within(below.expect(1)) == ["waits too\n"]
                assert await within(node.registry.get(IN_A).readline()) == "line 0\n"
                assert await within(node.registry.get(IN_B).readline()) == "waits\n"

        run(main())
    finally:
        shards.close()
        server.remove()


def test_all_databases_down_is_trouble(shards):
    store = shards.open()
    for part in store.parts:
        part._database.trouble = "away"
    assert store.trouble == "away; away"


def test_store_that_is_gone_in_one_database_ends_its_use(shards):
    async def main():
        store = shards.open()
        watching = asyncio.create_task(store.watch())
        await shards.fetch(1, "DELETE FROM {schema}.node")
        with pytest.raises(StoreGone):
            await within(watching)

    run(main())


@pytest.mark.parametrize("client_id", [IN_A, IN_B])
def test_steps_for_one_client_are_one_transaction(shards, client_id):
    async def main():
        store = shards.open()
        owner = (await store.claim(client_id)).owner
        before = store.commits
        await store.together(
            [
                lambda: store.receive(client_id, owner, EPOCH, {0: 1}, a_lines([b"in"])),
                lambda: store.put(client_id, owner, a_line(b"out")),
                lambda: store.away(client_id, owner, 5),
            ]
        )
        assert store.commits == before + 1
        await asyncio.wait_for(store.away(client_id, owner, 6), 60)  # nothing is held any longer

    run(main())


def test_what_waits_is_listed_over_all_databases(shards):
    async def main():
        store = shards.open()
        for client_id in "fedcba":
            await store.put(client_id, (await store.claim(client_id)).owner, a_line(b"x"))
        assert [one["id"] for one in await store.backlogs()] == list("abcdef")
        assert sum(store.latency.counts) == store.commits > 0
        assert all(len(ids) > 1 for ids in await asyncio.to_thread(shards.clients))

    run(main())


# Which lists are right


def test_order_and_addresses_of_the_databases_mean_nothing(shards):
    async def main():
        store = shards.open()
        for client_id in "abcdef":
            await store.put(client_id, (await store.claim(client_id)).owner, a_line(b"x"))
        others = [f"{url}&application_name=another" for url in reversed(shards.urls)]
        store = shards.open(urls=others)
        for client_id in "abcdef":
            assert (await store.claim(client_id)).lines == [b"x"]

    run(main())
    assert sorted(sum(shards.clients(), [])) == list("abcdef")


def test_list_without_a_database_is_refused(shards):
    with pytest.raises(StoreGone, match="one of 2 databases of a store; missing: a database .id A"):
        shards.open(urls=shards.urls[1:])
    with pytest.raises(StoreGone, match="one of 2 databases of a store; missing: a database .id B"):
        PostgresStore(shards.urls[0], schema=shards.schema)
    with pytest.raises(StoreError, match="one at least"):
        open_store([])


def test_database_that_is_named_twice_is_refused(shards):
    with pytest.raises(StoreGone, match="are the same database: name it once"):
        shards.open(urls=[*shards.urls, shards.urls[0] + "&application_name=another"])


def test_database_of_another_store_is_refused():
    shards = Shards(3, made=2)
    try:
        with pytest.raises(StoreGone, match="is not of the same store as"):
            shards.open()
        shards.rows(2, "UPDATE {schema}.shard SET installation = 'one store'")
        with pytest.raises(StoreGone, match="pb-link store move adds a database"):
            shards.open()
    finally:
        shards.close()


def test_database_that_was_taken_out_is_refused(shards):
    members = json.dumps({"A": ""})
    for at in range(2):
        shards.rows(at, "UPDATE {schema}.shard SET members = $1", members)
    with pytest.raises(StoreGone, match="was taken out of its store by pb-link store move: name only the others"):
        shards.open(urls=shards.urls[::-1])
    assert shards.open(urls=shards.urls[:1]).of("a").shard.id == "A"
    assert PostgresStore(shards.urls[0], schema=shards.schema).close() is None


def test_store_that_is_being_moved_is_refused_and_leaves_no_row(shards):
    shards.rows(1, """UPDATE {schema}.shard SET moving = '{{"A": ""}}'""")
    with pytest.raises(StoreGone, match="run the same pb-link store move again"):
        shards.open()
    for at in range(2):
        assert shards.rows(at, "SELECT * FROM {schema}.node") == []


NOWHERE = "postgresql://:secret@127.0.0.1:1/x"


@pytest.mark.parametrize("at", [(0, 1), (), (0,)], ids=["it is none of the store", "all are away", "two are away"])
def test_database_that_cannot_be_reached_is_named_where_it_is_not_the_only_one_that_is_missing(at):
    shards = Shards(3, made=2 if at == (0, 1) else 3)
    try:
        with pytest.raises(StoreError, match="postgresql://@127.0.0.1:1/x cannot be reached|missing"):
            shards.open(urls=[*(shards.urls[one] for one in at), *[NOWHERE] * (1 if at == (0, 1) else 2)])
    finally:
        shards.close()


async def connected(client):
    """Connect, as often as it takes: a server ends a handshake that its database keeps waiting for too long."""
    while True:
        try:
            return await client.connect()
        except AssertionError:
            client.cut()


def test_server_starts_while_one_database_is_away_and_its_clients_wait_until_it_is_there():
    """Everything that a process does waits for it, and nothing of the others does."""
    server = postgres.Postgres(fsync="off")
    shards = Shards(urls=[*postgres.databases(1), server.url])
    told = []
    try:

        async def main():
            store = await asyncio.to_thread(shards.open, tell=lambda event, **details: told.append((event, details)))
            program_store = await asyncio.to_thread(shards.open)
            assert [event for event, _ in told] == ["store_away"]
            assert told[0][1]["shard"] == shown_address(server.url)
            async with Node(store) as node, await attached(program_store) as program:
                above, below = Client(node.port, IN_A, OTHER_KEY), Client(node.port, IN_B)
                await within(above.connect())
                await within(above.write("at once"))
                assert await within(program[IN_A].readline()) == "at once\n"
                await within(program[IN_A].write("down"))
                connecting = asyncio.create_task(connected(below))
                waits = [
                    asyncio.create_task(one) for one in (
                        program[IN_B].write("waits"), node.registry.get(IN_B).write("waits too"),
                        program[IN_B].readline(), node.registry.get(IN_B).discard(),
                    )
                ]  # fmt: skip
                for number in range(20):
                    await within(above.write(f"line {number}"))
                    await within(above.acknowledged())
                assert not any(one.done() for one in (*waits, connecting))
                assert store.trouble is None and store.of(IN_B).trouble and store.of(IN_B).node is None
                waits.pop().cancel()
                await asyncio.to_thread(server.start)
                await within(connecting)
                await until(lambda: "store_back" in dict(told), "what the log says")
                await within(below.write("up"))
                assert sorted(await within(below.expect(2))) == ["waits\n", "waits too\n"]
                await within(asyncio.gather(*waits))
                assert waits[2].result() == "up\n"
                for client in (above, below):
                    client.cut()

        server.stop("immediate")
        run(main())
    finally:
        shards.close()
        server.remove()


def test_store_that_is_closed_while_it_waits_for_a_database_ends_at_once():
    server = postgres.Postgres(fsync="off")
    shards = Shards(urls=[*postgres.databases(1), server.url])
    server.stop("immediate")
    try:

        async def main():
            store = shards.open()
            call = asyncio.create_task(store.claim(IN_B))
            await store.claim(IN_A)
            await asyncio.to_thread(store.close)
            with pytest.raises(StoreError):
                await within(call)

        run(main())
    finally:
        server.start()
        shards.close()
        server.remove()


def test_database_that_comes_and_is_not_of_the_store_ends_its_use():
    server = postgres.Postgres(fsync="off")
    shards = Shards(urls=[*postgres.databases(1), server.url])
    shards.rows(1, "UPDATE {schema}.shard SET id = 'another'")
    server.stop("immediate")
    try:

        async def main():
            store = shards.open()
            watching = asyncio.create_task(store.watch())
            call = asyncio.create_task(store.claim(IN_B))
            await asyncio.to_thread(server.start)
            with pytest.raises(StoreGone, match="missing|not of the store"):
                await within(call)
            with pytest.raises(StoreGone):
                await within(watching)
            assert await shards.fetch(1, "SELECT count(*) FROM {schema}.client") == [(0,)]

        run(main())
        assert shards.rows(1, "SELECT * FROM {schema}.node") == []
    finally:
        shards.close()
        server.remove()


# What was given up


def test_process_without_its_row_claims_and_makes_nothing(shards):
    async def main():
        store, program = shards.open(), shards.open()
        for at in range(2):
            await shards.fetch(at, "DELETE FROM {schema}.node")
        for call in (store.claim(IN_A), store.claim(IN_B), program.others.put(IN_B, a_line(b"x"))):
            assert isinstance((await ended(asyncio.ensure_future(call)))[1], StoreGone)
        assert await asyncio.to_thread(shards.clients) == [[], []]

    run(main())


def test_process_without_its_row_reads_nothing(shards):
    async def main():
        store, program = shards.open(), shards.open()
        await store.receive(IN_B, (await store.claim(IN_B)).owner, EPOCH, {0: 1}, a_lines([b"x"]))
        await shards.fetch(1, "DELETE FROM {schema}.node WHERE id = $1", program.of(IN_B).node)
        readings = program.of(IN_B).readings
        assert await readings.claim(readings.of(IN_B, 0)) is None
        assert await shards.fetch(1, "SELECT * FROM {schema}.reading") == []

    run(main())


def test_servers_are_told_once_whatever_number_of_databases_they_use(shards):
    async def main():
        async with Node(shards.open(name="one")) as node, Node(shards.open(name="two")):
            own = await clients(node)
            others = node.store.others
            counts = {"one": 2, "two": 0}
            await until(lambda: {one.name: one.clients for one in others.nodes()} == counts, "the servers")
            await until(lambda: len(postgres_admin.clients(shards.urls, shards.schema)) == 2, "the clients")

            def told():  # with the next beat of each
                found = postgres_admin.nodes(shards.urls, shards.schema)
                assert len(found) == 2
                return {one["name"]: one["clients"] for one in found if one["alive"]}

            await until(lambda: told() == counts, "the servers, from elsewhere")
            for client in own:
                client.cut()

    run(main())
