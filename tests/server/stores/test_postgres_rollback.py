"""A database that has lost its newest commits, as an asynchronous standby that is promoted or a restored copy has: what
a server still holds of them is not written, the link goes on, and the loss is said."""

import asyncio
import subprocess

import asyncpg
import pytest

from server.core.store import Fenced
from server.stores import postgres_database, postgres_schema
from server.stores.postgres import PostgresStore
from tests.patience import PATIENCE_S
from tests.server import postgres
from tests.server.core.test_ownership import Told
from tests.server.peer import Client, free_port, until, within
from tests.server.store_calls import EPOCH, a_line, a_lines, inbox_of
from tests.server.test_two_servers import moved

TABLES = ("client", "inbox", "outbox")


class Bed:
    """Tables of its own. `store()` opens a store on them, which is closed at the end."""

    def __init__(self):
        self.schema = postgres.new_schema()
        self.url = postgres.server().url
        self._stores = []

    def store(self):
        self._stores.append(PostgresStore(self.url, schema=self.schema))
        return self._stores[-1]

    async def execute(self, statements):
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(statements)
        finally:
            await connection.close()

    async def copy(self):
        """Keep all that is there now."""
        await self.execute(";".join(f"CREATE TABLE {self.schema}.{n}_kept AS TABLE {self.schema}.{n}" for n in TABLES))

    async def clear(self):
        await self.execute(";".join(f"DROP TABLE {self.schema}.{n}_kept" for n in TABLES))
        await self.execute(";".join(f"DELETE FROM {self.schema}.{n}" for n in TABLES))

    async def restore(self):
        """Go back to that. The server's processes notice nothing."""
        await self.execute(
            ";".join(
                f"DELETE FROM {self.schema}.{n}; INSERT INTO {self.schema}.{n} OVERRIDING SYSTEM VALUE "
                f"SELECT * FROM {self.schema}.{n}_kept"
                for n in TABLES
            )
        )

    def run(self, test):
        async def main():
            async with asyncio.timeout(PATIENCE_S):
                connection = await asyncpg.connect(self.url)
                await postgres_schema.make(connection, self.schema)
                await connection.close()
                await test()

        try:
            asyncio.run(main())
        finally:
            for store in self._stores:
                store.close()


@pytest.fixture
def bed():
    return Bed()


async def written(store, owner, lines):
    """Store these lines of the client, each in a transaction of its own."""
    for at, line in lines:
        await store.receive("a", owner, EPOCH, {0: at + 1}, a_lines([line]))


def test_server_that_remembers_commits_which_the_database_has_lost_writes_nothing(bed):
    """Also when another server has written as often since, so that the row has the version that it expects."""

    async def test():
        for writes in range(5):
            one, other = bed.store(), bed.store()
            owner = (await one.claim("a")).owner
            await bed.copy()
            await written(one, owner, [(at, b"lost %d" % at) for at in range(4)])
            await bed.restore()
            theirs = (await other.claim("a")).owner
            await written(other, theirs, [(at, b"kept %d" % at) for at in range(writes)])
            with pytest.raises(Fenced):
                await written(one, owner, [(4, b"late")])
            assert await inbox_of(other, theirs) == [(at, b"kept %d" % at) for at in range(writes)]
            await other.put("a", theirs, a_line(b"goes on"))
            await bed.clear()

    bed.run(test)


def test_claim_of_a_server_that_is_ahead_of_the_database_begins_with_what_that_has(bed):
    async def test():
        store = bed.store()
        owner = (await store.claim("a")).owner
        await bed.copy()
        await written(store, owner, [(0, b"lost"), (1, b"lost too")])
        await store.renew("a", owner)
        await bed.restore()
        state = await store.claim("a", await store.peek("a"))
        assert (state.owner, state.cursors, await inbox_of(store, state.owner)) == (owner + 1, {0: 0}, [])

    bed.run(test)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same node", "other node"])
def test_lost_lines_are_said_and_the_link_goes_on(bed, elsewhere):
    """The client is connected all the while, and its server finds the loss at the next write."""

    async def test():
        async with Told(bed.store()) as first, Told(bed.store()) as second:
            client = Client(first.port)
            await within(client.connect())
            for line in ("one", "two"):
                await client.write(line)
            await within(client.acknowledged())
            await bed.copy()
            for line in ("three", "four", "five"):
                await client.write(line)
                await within(client.acknowledged())
            await within(first.conn.write("from the lost past"))
            await bed.restore()
            await client.write("six")
            await client.ended()
            assert first.names().count("taken_over") == 1
            node = second if elsewhere else first
            await moved(client, node)
            await until(lambda: "store_rolled_back" in node.names(), "the event")
            details = next(details for event, details in node.told if event == "store_rolled_back")
            assert details == {"lines": 3, "unknown": 1}
            await client.write("seven")
            await within(client.acknowledged())
            assert [await within(node.conn.readline()) for _ in range(4)] == ["one\n", "two\n", "six\n", "seven\n"]
            await within(node.conn.write("after"))
            assert client.lines == ["from the lost past\n", "after\n"]
            await moved(client, first if elsewhere else second)
            await client.write("eight")
            await within(client.acknowledged())
            names = first.names() + second.names()
            assert names.count("store_rolled_back") == 1 and "store_failed" not in names

    bed.run(test)


class Standby(postgres.Postgres):
    """A copy of a running server, which follows it until it is promoted. It is not waited for by commits."""

    def __init__(self, primary, ports):
        self._source = f"host={primary.folder} port={ports[0]} user=postgres"
        super().__init__(port=ports[1], listen_addresses="'127.0.0.1'")

    def _begin(self):
        self._copy(self._source)


def test_promoted_standby_that_had_not_all_commits_is_said_and_the_link_goes_on(monkeypatch):
    """Two PostgreSQL: the standby is behind when the primary dies. The server is told the addresses of both."""
    monkeypatch.setattr(postgres_database, "PAUSE_S", 0.1)
    postgres.needed()
    ports = free_port(), free_port()
    primary = postgres.Postgres(port=ports[0], listen_addresses="'127.0.0.1'", wal_level="replica")
    standby = Standby(primary, ports)
    store = None
    url = f"postgresql://postgres@127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}/postgres"

    async def main():
        async with asyncio.timeout(3 * PATIENCE_S):
            async with Told(store) as node:
                client = Client(node.port)
                await within(client.connect())
                await client.write("kept")
                await within(client.acknowledged())
                await until(lambda: standby_has(ports[1], "kept"), "the line at the standby")
                await asyncio.to_thread(standby.stop)
                for line in ("lost", "lost too"):
                    await client.write(line)
                    await within(client.acknowledged())
                await asyncio.to_thread(primary.stop, "immediate")
                await asyncio.to_thread(standby.start)
                await asyncio.to_thread(standby.promote)
                await client.write("after")
                await client.ended()
                await within(client.connect(), 2 * PATIENCE_S)
                await within(client.acknowledged())
                assert [await within(node.conn.readline()) for _ in range(2)] == ["kept\n", "after\n"]
                details = [details for event, details in node.told if event == "store_rolled_back"]
                assert details == [{"lines": 2, "unknown": 0}]
                await within(node.conn.write("down"))
                assert client.lines == ["down\n"]

    try:
        asyncio.run(made(url.replace(f",127.0.0.1:{ports[1]}", "")))
        store = PostgresStore(url)
        asyncio.run(main())
    finally:
        if store is not None:
            store.close()
        standby.remove()
        primary.remove()


async def made(url):
    connection = await asyncpg.connect(url)
    await postgres_schema.make(connection, postgres_schema.SCHEMA)
    await connection.close()


def standby_has(port, line):
    """Whether this server has the line in an inbox. It is asked by a program: a loop runs already."""
    query = ["-At", "-c", f"SELECT count(*) FROM pb_link.inbox WHERE data = '{line}'"]
    command = [postgres.program("psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", *query]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == "1"
