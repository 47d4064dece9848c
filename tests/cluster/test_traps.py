"""What a pair of PostgreSQL does to a store: commits that look done and are not, servers that stand still, primaries
that were replaced, and two machines of which one is gone. Nothing is told to be safe that the standby does not have."""

import asyncio
import signal
from types import SimpleNamespace

import asyncpg
import pytest

from protocol.errors import StoreError
from server.core.message import Message
from server.stores import postgres_admin, postgres_database, postgres_hints, postgres_transactions
from server.stores.postgres import PostgresStore
from tests.cluster.held_bed import run
from tests.cluster.pair import Pair
from tests.server import postgres
from tests.server.peer import until
from tests.server.reading_bed import Bed
from tests.server.store_calls import EPOCH, a_lines, inbox_of

WAITS_FOR_STANDBY = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
LINE = [(0, b"line")]


class Stores:
    """Stores on a pair. Args: pair: Pair."""

    def __init__(self, pair):
        self.pair = pair
        self.schema = postgres.new_schema()
        self.told = []
        self._stores = []
        postgres_admin.init(pair.primary.url, self.schema)

    @property
    def url(self):
        """Both servers, that which is the standby now first."""
        hosts = ",".join(server.folder.replace("/", "%2F") for server in (self.pair.standby, self.pair.primary))
        return f"postgresql://postgres@{hosts}/postgres"

    async def open(self):
        store = await asyncio.to_thread(PostgresStore, self.url, schema=self.schema, tell=self._tell)
        self._stores.append(store)
        return store

    async def at(self, server, statement):
        """Returns the value of a statement at a server, by somebody who waits for no standby."""
        connection = await asyncpg.connect(server.url, server_settings={"synchronous_commit": "local"})
        try:
            return await connection.fetchval(statement.format(schema=self.schema))
        finally:
            await connection.close()

    async def becomes(self, server, statement, wanted):
        while await self.at(server, statement) != wanted:
            await asyncio.sleep(0.02)

    async def event(self, name):
        while name not in self.told:
            await asyncio.sleep(0.01)

    def _tell(self, event, **details):
        self.told.append(event)

    def close(self):
        for store in self._stores:
            store.close()


@pytest.fixture(scope="module")
def pair():
    postgres.needed()
    pair = Pair()
    yield pair
    pair.remove()


@pytest.fixture
def stores(pair, monkeypatch):
    monkeypatch.setattr(postgres_database, "PAUSE_S", 0.05)
    stores = Stores(pair)
    yield stores
    for server in pair.servers:
        server.signal(signal.SIGCONT)
    stores.close()


async def claimed(store):
    return (await store.claim("a")).owner


def write(store, owner):
    return asyncio.ensure_future(store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"line"])))


# A commit that waits for its standby


def test_commit_that_is_cancelled_while_it_waits_for_the_standby_is_not_told_to_be_safe(stores):
    """PostgreSQL says that it is done, with a warning, and shows it to all."""

    async def main():
        store = await stores.open()
        owner = await claimed(store)
        stores.pair.standby.signal(signal.SIGSTOP)
        task = write(store, owner)
        await stores.becomes(stores.pair.primary, WAITS_FOR_STANDBY, 1)
        cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        await stores.at(stores.pair.primary, cancel)
        await stores.event("store_warning")
        await stores.becomes(stores.pair.primary, "SELECT count(*) FROM {schema}.inbox", 1)  # here, and nowhere else
        await stores.event("store_away")
        await stores.becomes(stores.pair.primary, WAITS_FOR_STANDBY, 1)  # the commit that is to prove the primary
        assert not task.done()
        stores.pair.standby.signal(signal.SIGCONT)
        await task
        return await inbox_of(store, owner)

    assert run(main()) == LINE


def test_store_that_waits_no_longer_for_a_commit_does_not_have_it_shown(stores, monkeypatch):
    """And it leaves one statement waiting at the server, not one more with each attempt."""

    async def main():
        store = await stores.open()
        owner = await claimed(store)
        monkeypatch.setattr(postgres_database, "STATEMENT_S", 0.4)
        stores.pair.standby.signal(signal.SIGSTOP)
        task = write(store, owner)
        await stores.event("store_away")
        most = 0
        for _ in range(40):
            most = max(most, await stores.at(stores.pair.primary, WAITS_FOR_STANDBY))
            assert await stores.at(stores.pair.primary, "SELECT count(*) FROM {schema}.inbox") == 0
            await asyncio.sleep(0.1)
        assert not task.done() and most <= 3
        stores.pair.standby.signal(signal.SIGCONT)
        await task
        return await inbox_of(store, owner)

    assert run(main()) == LINE


# A server that stands still


def test_frozen_server_keeps_no_call_and_no_close_waiting(stores, monkeypatch):
    async def main():
        store, idle = await stores.open(), await stores.open()
        owner = await claimed(store)
        monkeypatch.setattr(postgres_database, "STATEMENT_S", 0.4)
        monkeypatch.setattr(postgres_database, "CONNECT_S", 0.4)
        monkeypatch.setattr(postgres_database, "CLOSE_S", 0.2)
        monkeypatch.setattr(postgres_database, "OUTAGE_S", 0.5)
        stores.pair.primary.signal(signal.SIGSTOP)
        with pytest.raises(StoreError, match="has been away for"):
            await write(store, owner)
        await asyncio.to_thread(idle.close)  # whose connection was open
        stores.pair.primary.signal(signal.SIGCONT)
        monkeypatch.setattr(postgres_database, "OUTAGE_S", 60)
        state = await store.claim("a")
        if not state.cursors[0]:  # it was refused: the client asks, and sends it again
            await write(store, state.owner)
        return await inbox_of(store, state.owner)

    assert run(main()) == LINE


# A primary that was replaced


@pytest.mark.parametrize("old", ["alive", "frozen", "dead"])
def test_failover_loses_and_doubles_nothing(stores, monkeypatch, old):
    monkeypatch.setattr(postgres_database, "STATEMENT_S", 1.0)
    monkeypatch.setattr(postgres_database, "CONNECT_S", 1.0)

    async def main():
        store = await stores.open()
        owner, former = await claimed(store), stores.pair.primary
        await store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"before"]))
        if old == "dead":
            await asyncio.to_thread(former.kill)
        elif old == "frozen":
            former.signal(signal.SIGSTOP)
        await asyncio.to_thread(stores.pair.promote)
        await store.receive("a", owner, EPOCH, {0: 2}, a_lines([b"behind"]))  # at whichever it is safe
        assert await stores.at(stores.pair.primary, "SELECT count(*) FROM {schema}.inbox") == 2
        former.signal(signal.SIGCONT)
        fresh = await stores.open()  # the former primary is the first of its hosts, and may say that it can be written
        state = await fresh.claim("a")
        assert state.cursors[0] == 2
        if old != "dead":  # it has nobody to confirm what it was told
            assert await stores.at(former, "SELECT count(*) FROM {schema}.inbox") == 1
        await asyncio.to_thread(stores.pair.follow)
        return await inbox_of(fresh, state.owner)

    assert run(main()) == [(0, b"before"), (1, b"behind")]


@pytest.fixture
def short(monkeypatch):
    for module in (postgres_database, postgres_hints):
        monkeypatch.setattr(module, "STATEMENT_S", 1.0)
        monkeypatch.setattr(module, "CONNECT_S", 1.0)
        monkeypatch.setattr(module, "PAUSE_S", 0.05)


def test_process_that_starts_after_a_failover_is_not_given_up_by_the_former_primary(stores, short):
    """Which has never heard of it, and is the first of its hosts."""

    async def main():
        await stores.open()
        await asyncio.to_thread(stores.pair.promote)
        fresh = await stores.open()
        begun = fresh.others.beaten
        async with fresh.others.used():
            await until(lambda: fresh.others.beaten > begun or fresh._gone, "its sign of life")
        assert fresh._gone is None
        await asyncio.to_thread(stores.pair.follow)

    run(main())


def test_mail_is_found_though_the_former_primary_goes_on(stores, short):
    """The owner has connections to that one, which answers all that writes nothing."""

    async def main():
        store, told = await stores.open(), []
        await claimed(store)
        store.others.on_mail = told.append
        async with store.others.used():
            await asyncio.to_thread(stores.pair.promote)
            writer = await stores.open()
            await writer.others.put("a", Message(0, 0, 0, b"line"))
            await until(lambda: told, "the mail")
        await asyncio.to_thread(stores.pair.follow)

    run(main())


def test_transactions_of_applications_leave_the_former_primary(stores, short, monkeypatch):
    """One has been done there, and its connection is in the pool."""
    monkeypatch.setattr(postgres_transactions, "STATEMENT_S", 1.0)

    async def work(process, bed, count):
        while True:
            try:
                async with process.conn().transaction() as (lines, db):
                    assert len(lines) == count
                    for line in lines:
                        await db.execute(f"INSERT INTO {bed.schema}.effect (line) VALUES ($1)", line.strip())
                return
            except StoreError as error:
                assert "nothing of the transaction was done" in str(error)

    async def main():
        hosts = ",".join(server.folder.replace("/", "%2F") for server in (stores.pair.primary, stores.pair.standby))
        url = f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"
        async with Bed(SimpleNamespace(url=url)) as bed:
            await bed.do("CREATE TABLE {schema}.effect (line text)")
            process = bed.process()
            await bed.own(process)
            await bed.say("one")
            await work(process, bed, 1)
            former = stores.pair.primary
            await asyncio.to_thread(stores.pair.promote)
            await bed.say("two", "three")
            await work(process, bed, 2)
            lines = "SELECT string_agg(line, ' ') FROM {schema}.effect".format(schema=bed.schema)
            assert await stores.at(stores.pair.primary, lines) == "one two three"
            assert await stores.at(former, lines) == "one"
        await asyncio.to_thread(stores.pair.follow)

    run(main())


def test_standby_is_not_written_and_not_read(stores):
    """It is the first of the hosts."""

    async def main():
        store = await stores.open()
        await claimed(store)
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pb_link'"
        return [await stores.at(server, count) for server in (stores.pair.primary, stores.pair.standby)]

    assert run(main()) == [1, 0]


# Two machines


def test_of_two_machines_one_alone_writes_nothing_until_it_is_told_to(stores):
    """With a synchronous standby: either the writes wait for the other machine, or nobody may take over alone."""

    async def main():
        store = await stores.open()
        owner = await claimed(store)
        await asyncio.to_thread(stores.pair.standby.kill)
        task = write(store, owner)
        await stores.becomes(stores.pair.primary, WAITS_FOR_STANDBY, 1)
        assert await stores.at(stores.pair.primary, "SELECT count(*) FROM {schema}.inbox") == 0 and not task.done()
        await asyncio.to_thread(stores.pair.standby.start)
        await task
        return await inbox_of(store, owner)

    assert run(main()) == LINE
