"""The store in PostgreSQL beyond the contract: several servers on one database, and what happens when it is away."""

import asyncio
import threading

import asyncpg
import pytest

from protocol.errors import StoreError
from server.core.store import StoreGone
from server.stores import postgres_database, postgres_schema
from server.stores.postgres import PostgresStore
from tests.patience import PATIENCE_S
from tests.server import postgres
from tests.server.store_calls import EPOCH, a_line, a_lines, begin, inbox_of


class Bed:
    """A schema of its own, and the stores on it."""

    def __init__(self, server):
        self.server = server
        self.schema = postgres.new_schema()
        self.stores = []
        self.told = []
        self.do("", postgres_schema.make)

    def do(self, statement, function=None):
        """Have a statement done, or function(connection, schema). Returns its result."""

        async def main():
            connection = await asyncpg.connect(self.server.url)
            try:
                if function:
                    return await function(connection, self.schema)
                return await connection.fetch(statement.format(schema=self.schema))
            finally:
                await connection.close()

        return asyncio.run(main())

    def open(self, **more):
        store = PostgresStore(self.server.url, schema=self.schema, tell=self._tell, **more)
        self.stores.append(store)
        return store

    def _tell(self, event, **details):
        self.told.append((event, details))

    def close(self):
        for store in self.stores:
            store.close()


@pytest.fixture
def bed():
    bed = Bed(postgres.server())
    yield bed
    bed.close()


@pytest.fixture
def own_bed(monkeypatch):
    """A bed on a server that the test may kill. Its disk is synced."""
    monkeypatch.setattr(postgres_database, "PAUSE_S", 0.05)
    postgres.needed()
    server = postgres.Postgres()
    bed = Bed(server)
    yield bed
    bed.close()
    server.remove()


def run(coroutine):
    async def main():
        async with asyncio.timeout(PATIENCE_S):
            return await coroutine

    return asyncio.run(main())


# Several servers


def test_server_that_lost_a_client_stores_nothing_of_it_and_the_other_clients_of_its_batch_are_stored(bed):
    async def main():
        one, other = bed.open(), bed.open()
        mine = (await one.claim("moves")).owner, (await one.claim("stays")).owner
        theirs = await other.claim("moves")
        writes = begin(
            one.receive("moves", mine[0], EPOCH, {0: 1}, a_lines([b"late"])),
            one.receive("stays", mine[1], EPOCH, {0: 1}, a_lines([b"in time"])),
        )
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert isinstance(results[0], StoreError) and "another owner" in str(results[0])
        assert results[1] is None
        assert await inbox_of(other, theirs.owner, "moves") == []
        assert await inbox_of(one, mine[1], "stays") == [(0, b"in time")]
        with pytest.raises(StoreError, match="another owner"):
            await one.put("moves", mine[0], a_line(b"later"))

    run(main())


def test_a_claim_has_all_that_the_former_server_was_told_to_be_safe(bed):
    async def main():
        stores = bed.open(), bed.open()
        stored, owner, at = [], None, 0
        for turn in range(40):
            store = stores[turn % 2]
            state = await store.claim("a")
            assert owner is None or state.owner > owner
            owner = state.owner
            assert state.cursors[0] == at
            line = b"line %d" % turn
            at += 1
            await store.receive("a", owner, EPOCH, {0: at}, a_lines([line]))
            stored.append((turn, line))
            assert await inbox_of(store, owner) == stored

    run(main())


def test_servers_that_fight_for_a_client_lose_and_double_nothing(bed):
    async def main():
        stores = [bed.open() for _ in range(3)]
        safe = []

        async def serve(store):
            for _ in range(30):
                state = await store.claim("a")
                cursor = state.cursors[0]
                try:
                    line = b"%d" % cursor
                    await store.receive("a", state.owner, EPOCH, {0: cursor + 1}, a_lines([line]))
                    safe.append(line)
                except StoreError:
                    pass  # another one was faster
                await asyncio.sleep(0)

        await asyncio.gather(*[serve(store) for store in stores])
        state = await stores[0].claim("a")
        found = [data for _, data in await inbox_of(stores[0], state.owner)]
        assert sorted(found, key=int) == found and len(set(found)) == len(found)
        assert set(safe) <= set(found)
        assert state.cursors[0] == len(found)

    run(main())


def test_client_that_is_new_gets_the_epoch_that_peek_has_told(bed):
    async def main():
        store = bed.open()
        owner, epoch = await store.peek("new")
        assert owner == 0
        assert (await store.claim("new")).epoch == epoch
        assert await bed.open().peek("new") == (1, epoch)

    run(main())


def test_claims_that_overlap_writes_of_the_same_server_lose_nothing(bed):
    """Several servers of a process may use one store object: one claim may begin while another one's owner writes."""

    async def main():
        store = bed.open()
        await store.claim("other")
        broken = store._clients["a"] = type("Old", (), {"broken": "as after a failed commit: %s"})()
        first = asyncio.create_task(store.claim("a"))
        await asyncio.sleep(0)
        second = asyncio.create_task(store.claim("a"))  # the work of the first one has begun: this is another one
        early = (await first).owner
        assert store._clients["a"] is not broken
        # One that flies behind the second claim, and one that waits behind that.
        writes = begin(
            store.away("other", 1, 1), store.receive("a", early, EPOCH, {0: 1}, a_lines([b"of the first"]))
        )
        late = (await second).owner
        writes += begin(store.receive("a", late, EPOCH, {0: 1}, a_lines([b"of the second"])))
        results = await asyncio.gather(*writes, return_exceptions=True)
        state = await bed.open().claim("a")
        found = [data for _, data in await inbox_of(bed.stores[-1], state.owner)]
        told = [line for line, result in zip((b"of the first", b"of the second"), results[1:]) if result is None]
        assert late > early and b"of the second" in told
        assert found == told  # what was told to be safe, and nothing else

    run(main())


# Many clients


def test_many_claims_at_a_time_are_few_transactions(bed):
    async def main():
        store = bed.open()
        ids = [f"client {number}" for number in range(300)]
        calls = []
        claim = store._database.claim
        store._database.claim = lambda wanted, node: calls.append(len(wanted)) or claim(wanted, node)
        states = await asyncio.gather(*[store.claim(client_id) for client_id in ids])
        assert {state.owner for state in states} == {1}
        assert sum(calls) == 300 and len(calls) <= 3

    run(main())


def test_lines_of_many_clients_at_a_time_are_few_statements(bed):
    async def main():
        store = bed.open()
        ids = [f"client {number}" for number in range(100)]
        owners = [(await store.claim(client_id)).owner for client_id in ids]
        before = store.commits
        for turn in range(1, 6):
            await asyncio.gather(*[
                store.receive(client_id, owner, EPOCH, {0: turn}, a_lines([b"line"]))
                for client_id, owner in zip(ids, owners)
            ])  # fmt: skip
        assert (store.commits - before) / 500 <= 0.1

    run(main())


# PostgreSQL fails


def test_calls_wait_while_the_server_is_away_and_nothing_is_lost(own_bed):
    async def main():
        store = own_bed.open()
        owner = (await store.claim("a")).owner
        own_bed.server.stop("immediate")
        writes = begin(*[
            store.receive("a", owner, EPOCH, {0: number + 1}, a_lines([b"%d" % number])) for number in range(5)
        ])  # fmt: skip
        while not own_bed.told:
            await asyncio.sleep(0.01)
        while store.trouble is None:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(own_bed.server.start)
        await asyncio.gather(*writes)
        assert store.trouble is None
        return await inbox_of(store, owner)

    assert run(main()) == [(number, b"%d" % number) for number in range(5)]
    assert [event for event, _ in own_bed.told if event != "store_warning"] == ["store_away", "store_back"]


def test_server_that_is_killed_again_and_again_loses_and_doubles_nothing(own_bed):
    async def main():
        store = own_bed.open()
        ids = [f"c{number}" for number in range(10)]
        owners = {client_id: (await store.claim(client_id)).owner for client_id in ids}
        stop, safe = asyncio.Event(), []

        async def device(client_id):
            sent = 0
            while not stop.is_set():
                await store.receive(client_id, owners[client_id], EPOCH, {0: sent + 1}, a_lines([b"%d" % sent]))
                sent += 1
                safe.append(client_id)
            return sent

        async def serves():
            wanted = len(safe) + 10
            await asyncio.sleep(0.2)
            while len(safe) < wanted:
                await asyncio.sleep(0.01)

        devices = begin(*[device(client_id) for client_id in ids])
        for _ in range(4):
            await serves()
            await asyncio.to_thread(own_bed.server.stop, "immediate")
            await asyncio.to_thread(own_bed.server.start)
        await serves()
        stop.set()
        sent = await asyncio.gather(*devices)
        for client_id, count in zip(ids, sent):
            found = await inbox_of(store, owners[client_id], client_id)
            assert found == [(number, b"%d" % number) for number in range(count)]
        return store, sum(sent)

    store, count = run(main())
    assert count > 40
    store.close()
    counts = own_bed.do("SELECT client, count(*) AS n, max(number) AS last FROM {schema}.inbox GROUP BY client")
    assert sum(row["n"] for row in counts) == count
    assert all(row["n"] == row["last"] + 1 for row in counts)


@pytest.mark.parametrize("committed", [True, False])
def test_statement_whose_outcome_is_unknown_is_done_once(bed, monkeypatch, committed):
    monkeypatch.setattr(postgres_database, "PAUSE_S", 0.01)

    async def main():
        store = bed.open()
        owner = (await store.claim("a")).owner
        database, broken = store._database, []
        true = database._fetch

        async def fetch(statement, *args):
            if not broken and "UPDATE" in statement:
                broken.append(statement)
                if committed:
                    await true(statement, *args)
                raise ConnectionResetError("the network is gone")
            return await true(statement, *args)

        database._fetch = fetch
        await store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"once"]))
        await store.receive("a", owner, EPOCH, {0: 2}, a_lines([b"more"]))
        return await inbox_of(store, owner)

    assert run(main()) == [(0, b"once"), (1, b"more")]
    assert [row["n"] for row in bed.do("SELECT count(*) AS n FROM {schema}.inbox")] == [2]


def test_claim_whose_outcome_is_unknown_is_known_by_its_name(bed, monkeypatch):
    monkeypatch.setattr(postgres_database, "PAUSE_S", 0.01)

    async def main():
        store = bed.open()
        seen = await store.peek("a")
        true, times = store._database._claim, []

        async def claim(*args):
            times.append(await true(*args))
            if len(times) == 1:
                raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
            return times[-1]

        store._database._claim = claim
        state = await store.claim("a", seen)  # nobody else has claimed
        await store.receive("a", state.owner, EPOCH, {0: 1}, a_lines([b"once"]))
        return len(times), state.owner

    assert run(main()) == (2, 1)


def test_commit_that_was_not_confirmed_by_the_standby_is_not_taken_for_safe(bed, monkeypatch):
    """PostgreSQL tells a commit that is cancelled while it waits for its standby as done, with a warning."""
    monkeypatch.setattr(postgres_database, "PAUSE_S", 0.01)

    async def main():
        store = bed.open()
        owner = (await store.claim("a")).owner
        database, warned = store._database, []
        true = database._fetch

        async def fetch(statement, *args):
            rows = await true(statement, *args)
            if not warned and "UPDATE" in statement:
                warned.append(database._connection)
                await database._connection.execute("DO $$ BEGIN RAISE WARNING 'canceling wait'; END $$")
            return rows

        database._fetch = fetch
        await store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"once"]))
        assert database._connection is not warned[0]  # that connection was ended, and the row was believed
        return await inbox_of(store, owner)

    assert run(main()) == [(0, b"once")]
    assert [event for event, _ in bed.told] == ["store_warning", "store_away", "store_back"]


def test_primary_whose_standby_is_not_there_is_not_used(own_bed, monkeypatch):
    """A primary that was replaced waits for a standby that has left it. A commit that has written nothing would not."""
    monkeypatch.setattr(postgres_database, "STATEMENT_S", 1.0)

    async def standby(connection, schema):
        await connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        await connection.execute("SELECT pg_reload_conf()")
        while await connection.fetchval("SHOW synchronous_standby_names") != "nobody":
            await asyncio.sleep(0.05)

    own_bed.do("", standby)
    with pytest.raises(StoreError, match="cannot be reached"):
        own_bed.open()


def test_setting_that_loses_what_was_acknowledged_is_refused(bed):
    with pytest.raises(StoreError, match="synchronous_commit = off"):
        PostgresStore(bed.server.url + "&options=-csynchronous_commit%3Doff", schema=bed.schema)


def test_next_host_is_tried_when_one_is_dead(own_bed):
    async def main():
        dead = "postgresql://postgres@127.0.0.1:1/postgres"
        store = own_bed.open()
        database = store._database
        database._urls = [*database._urls, dead]
        owner = (await store.claim("a")).owner
        database._turn = 1  # the dead one is next
        await asyncio.to_thread(own_bed.server.stop, "immediate")
        await asyncio.to_thread(own_bed.server.start)
        await store.put("a", owner, a_line(b"x"))
        return (await store.claim("a")).lines

    assert run(main()) == [b"x"]


def test_store_opens_at_the_first_host_that_answers(bed):
    dead, folder = "127.0.0.1:1", bed.server.folder.replace("/", "%2F")
    with pytest.raises(StoreError, match="cannot be reached: .*; "):
        PostgresStore(f"postgresql://postgres@{dead},{dead}/postgres", schema=bed.schema)
    store = PostgresStore(f"postgresql://postgres@{dead},{folder}/postgres", schema=bed.schema)
    bed.stores.append(store)
    assert run(store.claim("a")).owner == 1


def test_connection_that_has_ended_between_two_calls_is_no_outage(bed):
    async def main():
        store = bed.open()
        owner = (await store.claim("a")).owner
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = {pid}"
        pid = store._database._connection.get_server_pid()
        await asyncio.to_thread(bed.do, end.replace("{pid}", str(pid)))
        while await asyncio.to_thread(bed.do, f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}"):
            await asyncio.sleep(0.01)
        await store.put("a", owner, a_line(b"x"))
        return (await store.claim("a")).lines

    assert run(main()) == [b"x"]
    assert bed.told == []


def test_hosts_of_an_address_are_told_apart_and_keep_the_rest():
    assert postgres_database.one_by_one("postgresql://u:p@a:1,b/db?x=1") == [
        "postgresql://u:p@a:1/db?x=1", "postgresql://u:p@b/db?x=1"
    ]  # fmt: skip
    assert postgres_database.one_by_one("postgresql:///db?host=/run") == ["postgresql:///db?host=/run"]


def test_text_that_postgresql_does_not_have_is_refused_and_nothing_else_fails(bed):
    async def main():
        store = bed.open()
        owner = (await store.claim("a")).owner
        for text in ("\0", "\ud800"):
            with pytest.raises(StoreError, match="stores no text"):
                store.note("a", owner, text)
            with pytest.raises(StoreError, match="stores no text"):
                await store.claim(text)
        store.note("a", owner, "good", at_once=True)
        assert (await store.claim("a")).note == "good"

    run(main())


def test_server_that_stays_away_is_told_after_a_time(own_bed, monkeypatch):
    monkeypatch.setattr(postgres_database, "OUTAGE_S", 0.2)

    async def main():
        store = own_bed.open()
        owner = (await store.claim("a")).owner
        own_bed.server.stop("immediate")
        with pytest.raises(StoreError, match="has been away for"):
            await store.put("a", owner, a_line(b"x"))
        await asyncio.to_thread(own_bed.server.start)
        monkeypatch.setattr(postgres_database, "OUTAGE_S", PATIENCE_S)
        state = await store.claim("a")
        assert state.owner > owner and state.lines == []

    run(main())


def test_frozen_server_holds_no_call_for_ever(own_bed, monkeypatch):
    """A statement whose time is over ends its connection, and goes on with the next one."""

    async def main():
        store = own_bed.open()
        owner = (await store.claim("a")).owner
        monkeypatch.setattr(postgres_database, "STATEMENT_S", 0.3)
        lock = await asyncpg.connect(own_bed.server.url)
        transaction = lock.transaction()
        await transaction.start()
        await lock.fetch(f"SELECT * FROM {own_bed.schema}.client FOR UPDATE")
        write = asyncio.create_task(store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"once"])))
        while not own_bed.told:
            await asyncio.sleep(0.01)
        await transaction.rollback()
        await lock.close()
        await write
        return await inbox_of(store, owner)

    assert run(main()) == [(0, b"once")]


def test_tables_that_are_gone_end_the_store(bed):
    async def drop(connection, schema):
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {schema}.node")  # a beat may wait for what is locked after that
            await connection.execute(f"DROP SCHEMA {schema} CASCADE")

    async def main():
        store = bed.open()
        owner = (await store.claim("a")).owner
        watching = asyncio.create_task(store.watch())
        await asyncio.to_thread(bed.do, None, drop)
        with pytest.raises(StoreGone):
            await store.put("a", owner, a_line(b"x"))
        with pytest.raises(StoreGone):
            await watching

    run(main())


def test_client_with_a_missing_message_is_not_claimed_and_the_others_are(bed):
    async def main():
        store = bed.open()
        for client_id in ("a", "b"):
            owner = (await store.claim(client_id)).owner
            await store.receive(client_id, owner, EPOCH, {0: 1}, a_lines([b"x"]))
        await asyncio.to_thread(
            bed.do, "DELETE FROM {schema}.inbox WHERE client = (SELECT key FROM {schema}.client WHERE id = 'a')"
        )
        other = bed.open()
        with pytest.raises(StoreError, match="damaged: client a has 0 messages, and 1"):
            await other.claim("a")
        await other.claim("b")

    run(main())


def test_watch_finds_that_the_server_is_away_and_that_it_is_back(own_bed):
    async def main():
        store = own_bed.open()
        store.look_s = 0.05
        watching = asyncio.create_task(store.watch())
        await asyncio.sleep(0)
        await asyncio.to_thread(own_bed.server.stop, "immediate")
        while store.trouble is None:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(own_bed.server.start)
        while own_bed.told[-1][0] != "store_back":  # which is told when there is no trouble any more
            await asyncio.sleep(0.01)
        assert store.trouble is None
        watching.cancel()

    run(main())
    assert [event for event, _ in own_bed.told if event != "store_warning"] == ["store_away", "store_back"]


# Opening it


def test_database_that_cannot_be_reached_is_named_without_its_password():
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        PostgresStore("postgresql://pump:secret@127.0.0.1:1/pb_link")
    assert "secret" not in str(caught.value) and "postgresql://pump@127.0.0.1:1/pb_link" in str(caught.value)


def test_database_without_tables_names_the_command():
    with pytest.raises(StoreError, match="pb-link store init"):
        PostgresStore(postgres.server().url, schema="nothing")


def test_tables_of_another_release_are_refused(bed):
    bed.do("UPDATE {schema}.format SET version = 99")
    with pytest.raises(StoreError, match="newer pb_link"):
        bed.open()


def test_role_of_a_server_needs_no_more_rights_than_init_gives(bed):
    role = f"role_{bed.schema}"
    bed.do(f"CREATE ROLE {role} LOGIN")

    async def granted(connection, schema):
        await postgres_schema.grant(connection, schema, role)

    bed.do("", granted)

    async def main():
        store = PostgresStore(bed.server.url.replace("postgres@", role + "@"), schema=bed.schema)
        bed.stores.append(store)
        owner = (await store.claim("a")).owner
        await store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"x"]))
        await store.put("a", owner, a_line(b"y"))
        await store.take("a", owner)
        await store.discard("a", owner)
        return await store.backlogs()

    assert run(main()) == []


def test_store_leaves_no_thread_and_no_connection(bed):
    store = bed.open()
    run(store.claim("a"))
    before = threading.active_count()
    store.close()
    assert threading.active_count() == before - 1
    count = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'pb_link'"
    assert bed.do(count)[0]["n"] == 0
