"""What an administrator of PostgreSQL may set, and what may run out there: a store waits, and nothing is done twice."""

import asyncio
import random
from contextlib import AsyncExitStack

import asyncpg
import pytest

from server.stores import postgres_admin, postgres_database, postgres_schema
from server.stores.postgres import PostgresStore
from tests.cluster.faults import FULL
from tests.cluster.held_bed import HeldBed, run
from tests.cluster.pair import Disk
from tests.server import postgres
from tests.server.store_calls import EPOCH, a_lines, begin, inbox_of

LINE = [(0, b"line")]
BULKY = random.Random(1).randbytes(60000)  # it cannot be compressed: the table has no room for it


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(postgres_database, "PAUSE_S", 0.05)


class Role(HeldBed):
    """A bed with a role of its own, as which its stores connect."""

    async def __aenter__(self):
        await super().__aenter__()
        self.role = "role_" + self.schema
        await self.do(f"CREATE ROLE {self.role} LOGIN")
        await self.do(None, lambda connection, schema: postgres_schema.grant(connection, schema, self.role))
        return self

    @property
    def url(self):
        return self.server.url.replace("postgres@", self.role + "@")

    async def set(self, setting):
        """Give the role a setting, for connections from now on."""
        await self.do(f"ALTER ROLE {self.role} {setting}")

    async def open(self):
        store = await asyncio.to_thread(PostgresStore, self.url, schema=self.schema, tell=self._tell)
        self._stores.append(store)
        return store

    async def away(self, store, reason):
        """Return when the store says that PostgreSQL does not answer, for this reason."""
        while reason not in str(store.trouble):
            await asyncio.sleep(0.01)

    @property
    def end(self):
        """A statement that ends the connections of the stores, and waits until their places are free."""
        return (
            f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '{self.role}' "
            "AND application_name = 'pb_link'"
        )


def write(store, owner, client_id="a"):
    return asyncio.ensure_future(store.receive(client_id, owner, EPOCH, {0: 1}, a_lines([b"line"])))


def test_store_waits_for_a_connection_when_its_role_may_have_none():
    async def main():
        async with Role() as bed:
            store = await bed.open()
            owner = (await store.claim("a")).owner
            await bed.set("CONNECTION LIMIT 0")
            await bed.do(bed.end)
            task = write(store, owner)
            await bed.away(store, "for role")
            assert not task.done()
            await bed.set("CONNECTION LIMIT 1")
            await task
            return await inbox_of(store, owner)

    assert run(main()) == LINE


def test_store_waits_for_a_connection_when_the_server_has_none_left():
    async def main():
        async with Role() as bed, Role() as other:
            store = await bed.open()
            owner = (await store.claim("a")).owner
            await bed.set("CONNECTION LIMIT 0")  # else the store might have one before all are taken
            await bed.do(bed.end)
            task = write(store, owner)
            await bed.away(store, "for role")
            async with postgres.connect(bed.server.url) as superuser, AsyncExitStack() as others:
                await _take_all(other, others)
                await superuser.execute(f"ALTER ROLE {bed.role} CONNECTION LIMIT -1")
                await bed.away(store, "connection slots")
                assert not task.done()
            await task
            return await inbox_of(store, owner)

    assert run(main()) == LINE


async def _take_all(bed, others):
    """Take all connections that the server has for roles that are not a superuser's."""
    while True:
        try:
            await others.enter_async_context(postgres.connect(bed.url))
        except asyncpg.TooManyConnectionsError:
            return


@pytest.mark.parametrize("setting", ["lock_timeout", "statement_timeout"])
def test_statement_that_a_time_limit_ends_is_sent_again(setting):
    async def main():
        async with Role() as bed:
            store = await bed.open()
            owner = (await store.claim("a")).owner
            await bed.set(f"SET {setting} = '150ms'")
            await bed.do(bed.end)  # its next connection has the limit, and another attempt if the limit is too short
            lock = await bed.row_lock()
            task = write(store, owner)
            await bed.away(store, "timeout")
            assert not task.done()
            await lock.execute("COMMIT")
            await lock.close()
            await task
            return await inbox_of(store, owner)

    assert run(main()) == LINE


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_database_with_another_isolation_makes_no_difference(isolation):
    """The fence depends on looking again at a row that was waited for."""

    async def main():
        async with Role() as bed:
            await bed.set(f"SET default_transaction_isolation = '{isolation}'")
            one, other = await bed.open(), await bed.open()
            owners = [(await one.claim(name)).owner for name in ("a", "moves")]
            lock = await bed.row_lock()
            tasks = begin(
                one.receive("a", owners[0], EPOCH, {0: 1}, a_lines([b"line"])),
                one.receive("moves", owners[1], EPOCH, {0: 1}, a_lines([b"late"])),
            )
            await bed.waiting()
            moved = f"UPDATE {bed.schema}.client SET owner = 2, version = version + 1 WHERE id = 'moves'"
            await lock.execute(moved + "; COMMIT")
            await lock.close()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert results[0] is None and "another owner" in str(results[1])
            assert "store_away" not in bed.told
            assert (await other.claim("moves")).cursors[0] == 0
            return await inbox_of(one, owners[0])

    assert run(main()) == LINE


def test_serialization_failure_is_tried_again():
    async def main():
        async with HeldBed() as bed:
            store, _ = await bed.store()
            owner = (await store.claim("a")).owner
            database, failed = store._database, []
            true = database._fetch

            async def fetch(statement, *args):
                if not failed and "UPDATE" in statement:
                    failed.append(statement)
                    raise asyncpg.SerializationError("could not serialize access")
                return await true(statement, *args)

            database._fetch = fetch
            await write(store, owner)
            assert failed
            return await inbox_of(store, owner)

    assert run(main()) == LINE


def test_session_that_the_server_ends_when_it_is_idle_is_opened_again():
    async def main():
        async with Role() as bed:
            store = await bed.open()
            owner = (await store.claim("a")).owner
            await bed.set("SET idle_session_timeout = '100ms'")
            await bed.do(bed.end)  # its next connection has the limit, and another attempt if the limit is too short
            for turn in range(1, 4):
                while (await bed.do(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{bed.role}'"))[0][0]:
                    await asyncio.sleep(0.02)
                await store.receive("a", owner, EPOCH, {0: turn}, a_lines([b"%d" % turn]))
            return await inbox_of(store, owner)

    assert run(main()) == [(0, b"1"), (1, b"2"), (2, b"3")]


def test_server_that_says_that_its_disk_is_full_is_waited_for():
    async def main():
        async with HeldBed() as bed:
            store, _ = await bed.store()
            owner = (await store.claim("a")).owner
            await bed.do(None, lambda connection, schema: connection.execute(FULL.replace("pb_link.", schema + ".")))
            task = write(store, owner)
            while store.trouble is None:
                await asyncio.sleep(0.01)
            assert "no space left" in store.trouble and not task.done()
            await bed.do("DROP TRIGGER no_room ON {schema}.inbox")
            await task
            return await inbox_of(store, owner)

    assert run(main()) == LINE


def test_full_disk_is_waited_for():
    """A real one: PostgreSQL refuses what it has no room for, and goes on when it has."""
    if not Disk.possible():
        pytest.skip("a file system of the test's own needs the right to mount one: root's, outside of most containers")
    postgres.needed()
    disk = Disk()
    try:
        server = postgres.Postgres(
            folder=disk.folder, shared_buffers="16MB", autovacuum="off", min_wal_size="32MB", max_wal_size="64MB"
        )
        try:
            assert run(_fill(server, disk)) == [(0, b"small"), (1, BULKY)]
            assert postgres_admin.check(server.url, "full")["messages"] == 2
        finally:
            disk.empty()
            server.remove()
    finally:
        disk.remove()


async def _fill(server, disk):
    await asyncio.to_thread(postgres_admin.init, server.url, "full")
    told = []
    store = await asyncio.to_thread(
        PostgresStore, server.url, schema="full", tell=lambda event, **details: told.append((event, details))
    )
    try:
        owner = (await store.claim("a")).owner
        await store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"small"]))
        await asyncio.to_thread(disk.fill)
        task = asyncio.ensure_future(store.receive("a", owner, EPOCH, {0: 2}, a_lines([BULKY])))
        while not any(event == "store_away" for event, _ in told) and not task.done():
            await asyncio.sleep(0.02)
        assert not task.done() and "No space left" in told[0][1]["reason"]
        await asyncio.to_thread(disk.empty)
        await task
        return await inbox_of(store, owner)
    finally:
        await asyncio.to_thread(store.close)
