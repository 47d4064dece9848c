"""Rows that a store keeps for charts: they go along with its transactions, cost none, and harm none."""

import asyncio
import functools
import sqlite3
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from protocol.errors import StoreError
from server.stores import (
    postgres_database,
    postgres_timeline,
    postgres_transactions,
    sqlite_rows,
    sqlite_timeline,
    timeline,
)
from server.stores.postgres_reading_statements import rows_of
from server.stores.timeline import Timeline
from tests.server.store_beds import PostgresBed, ShardedBed, SQLiteBed
from tests.server.store_calls import EPOCH, MemoryBed, a_lines

DURABLE = {"sqlite": SQLiteBed, "postgres": PostgresBed, "sharded": ShardedBed}
RUN = 7
NOW = "SELECT extract(epoch FROM now())::bigint"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["memory", *DURABLE])
def bed(request):
    made = {"memory": MemoryBed, **DURABLE}[request.param]()
    yield made
    made.remove()


@pytest.fixture(params=list(DURABLE))
def durable(request):
    made = DURABLE[request.param]()
    yield made
    made.remove()


async def receive(store, owners, client_id="a"):
    """Have a transaction made."""
    if client_id not in owners:
        owners[client_id] = [(await store.claim(client_id)).owner, 0]
    one = owners[client_id]
    one[1] += 1
    await store.receive(client_id, one[0], EPOCH, {0: one[1]}, a_lines([b"x"]))


def used(bed, test, **limits):
    """Run test(store, owners) on a store that is opened and closed for it."""
    store = bed.open(10000, 10000, **limits)
    try:
        return bed.run(test(store, {}))
    finally:
        store.close()


def test_rows_go_as_fast_as_they_come(durable, monkeypatch):
    monkeypatch.setattr(timeline, "ROWS_AT_ONCE", 20)
    monkeypatch.setattr(timeline, "DROPS_AT_ONCE", 10)
    monkeypatch.setattr(timeline, "DROP_S", 0)

    async def test(store, owners):
        for number in range(60):
            await receive(store, owners, f"c{number}")
        kept = store.timeline()
        for minute in range(20):
            for level in range(3):
                kept.drop(level, minute - 2)
            for number in range(60):
                kept.keep(f"c{number}", 0, minute, RUN, b"x")
            for number in range(3):
                await receive(store, owners, f"c{number}")
        return sum(size for _, _, size in await kept.sizes())

    size = used(durable, test) // (timeline.ROW_COST + 1)
    assert 60 < size < 60 * 8


def test_rows_are_read_while_they_wait_and_when_they_are_written(bed):
    async def test(store, owners):
        await receive(store, owners)
        await receive(store, owners, "b")
        kept = store.timeline()
        assert store.timeline() is kept
        for begin in range(5):
            kept.keep("a", 0, begin, RUN, b"a%d" % begin)
        kept.keep(None, 0, 2, RUN, b"server")
        kept.keep("b", 0, 2, RUN, b"b")
        kept.keep("a", 1, 2, RUN, b"minutes")
        kept.keep("a", 0, 2, RUN + 1, b"another run")
        kept.keep("a", 0, 4, RUN, b"newer")

        async def look():
            assert sorted(await kept.read("a", 0, [1, 2, 4, 9])) == [
                (1, RUN, b"a1"), (2, RUN, b"a2"), (2, RUN + 1, b"another run"), (4, RUN, b"newer"),
            ]  # fmt: skip
            assert await kept.read(None, 0, [2]) == [(2, RUN, b"server")]
            assert await kept.read("b", 0, [2]) == [(2, RUN, b"b")]
            assert await kept.read("a", 1, [2]) == [(2, RUN, b"minutes")]
            assert await kept.read("nobody", 0, [2]) == []

        await look()
        await receive(store, owners)
        await receive(store, owners, "b")
        await look()
        sizes = {(level, begin): size for level, begin, size in await kept.sizes()}
        assert sizes.keys() == {(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 2)}
        assert sizes[0, 4] == len(b"newer") + timeline.ROW_COST
        kept.keep("a", 0, 1, RUN, b"replaced")
        await receive(store, owners)
        await receive(store, owners)
        assert await kept.read("a", 0, [1]) == [(1, RUN, b"replaced")]

    used(bed, test)


def test_old_rows_are_dropped_level_by_level(bed, monkeypatch):
    monkeypatch.setattr(timeline, "DROP_S", 0.0)

    async def test(store, owners):
        kept = store.timeline()
        await receive(store, owners)
        for begin in range(4):
            kept.keep("a", 0, begin, RUN, b"seconds")
            kept.keep("a", 1, begin, RUN, b"minutes")
        await receive(store, owners)
        kept.drop(0, 3)
        kept.drop(1, 1)
        for _ in range(4):  # a level with each
            await receive(store, owners)
        assert sorted((level, begin) for level, begin, _ in await kept.sizes()) == [(0, 3), (1, 1), (1, 2), (1, 3)]

    used(bed, test)


def test_server_whose_clock_is_ahead_deletes_what_is_old_by_that_of_the_database():
    async def test(store, owners):
        await receive(store, owners)
        (now,) = [int(row[0]) for row in await store._call(lambda: store._database.perform(rows_of, NOW))]
        kept = store.timeline()
        for age in (7300, 3500, 0):
            kept.keep("a", 1, (now - age) // 60, RUN, b"row")
        await receive(store, owners)
        ahead = now + 86400
        kept.drop(1, (ahead - 7200) // 60, ahead, 60)
        await receive(store, owners)
        assert len(await kept.sizes()) == 2
        kept.drop(1, (now - 3000) // 60, now - 500, 60)  # a clock that is behind deletes no more than it says
        kept._dropped_at = 0.0
        await receive(store, owners)
        assert [begin for _, begin, _ in await kept.sizes()] == [now // 60]

    bed = PostgresBed()
    used(bed, test)
    bed.remove()


def test_rows_outlive_the_store_that_is_closed_and_cost_no_transaction(durable):
    """The proof that history costs no sync: the same calls make as many transactions, with it and without."""

    def run(with_rows):
        async def test(store, owners):
            for number in range(20):
                if with_rows:
                    for client_id in ("a", "b", None):
                        store.timeline().keep(client_id, 0, number, RUN, b"row %d" % number)
                    store.timeline().drop(0, number - 15)
                await receive(store, owners)
            return store.commits

        return used(durable, test)

    assert run(False) == run(True)

    async def after(store, owners):
        found = await store.timeline().read(None, 0, list(range(20)))
        assert [begin for begin, _, _ in found][-1] == 19
        assert [data for _, _, data in await store.timeline().read("a", 0, [19])] == [b"row 19"]
        assert store.timeline().lost == 0

    used(durable, after)


def test_what_waits_is_written_when_the_store_is_closed(durable):
    async def first(store, owners):
        await receive(store, owners)
        for number in range(timeline.ROWS_AT_ONCE + 100):
            store.timeline().keep("a", 0, number, RUN, b"idle")
        return store.commits

    async def second(store, owners):
        return sum(size for _, _, size in await store.timeline().sizes())

    used(durable, first)
    assert used(durable, second) == (timeline.ROWS_AT_ONCE + 100) * (4 + timeline.ROW_COST)


def test_store_without_a_timeline_has_nothing_of_it():
    bed = SQLiteBed()

    async def test(store, owners):
        await receive(store, owners)

    used(bed, test)
    with sqlite3.connect(bed._folder.name + "/store.db") as database:
        assert ("timeline",) not in database.execute("SELECT name FROM sqlite_master").fetchall()
    database.close()
    bed.remove()


def test_nothing_of_it_is_loaded_with_the_stores():
    code = "import sys, server.stores.sqlite, server.stores.postgres, server.stores.sharded\n"
    code += "sys.exit(any('timeline' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def in_tables(store, statement):
    """Have the statement done where the store has its tables."""
    for part in getattr(store, "parts", [store]):
        database = part._database
        if hasattr(database, "perform"):
            part._wait(functools.partial(database.perform, rows_of, statement.replace("TABLE ", "TABLE {schema}.")))
        else:
            database._database.execute(statement)


def test_rows_that_fail_do_not_fail_the_messages_beside_them(durable):
    told = []

    async def test(store, owners):
        kept = store.timeline()
        await receive(store, owners)
        kept.keep("a", 0, 1, RUN, b"first")
        await receive(store, owners)
        in_tables(store, "ALTER TABLE timeline RENAME TO other")
        in_tables(store, "CREATE TABLE timeline (level int)")
        kept.keep("a", 0, 2, RUN, b"fails")
        await receive(store, owners)
        assert store.unread("a")[0] == 3
        assert kept.fault is not None and kept.lost == 1
        assert [event for event, _ in told] == ["history_not_written"]
        assert told[0][1]["lost"] == 1 and "timeline" in told[0][1]["reason"]
        in_tables(store, "DROP TABLE timeline")
        in_tables(store, "ALTER TABLE other RENAME TO timeline")
        kept.keep("a", 0, 3, RUN, b"waits")
        await receive(store, owners)
        assert [(level, begin) for level, begin, _ in await kept.sizes()] == [(0, 1)]
        assert [data for _, _, data in await kept.read("a", 0, [3])] == [b"waits"]
        for part in getattr(kept, "_parts", [kept]):
            part._paused_until = 0.0  # the pause is over
        await receive(store, owners)
        assert [(level, begin) for level, begin, _ in await kept.sizes()] == [(0, 1), (0, 3)]

    used(durable, test, tell=lambda event, **details: told.append((event, details)))
    assert len(told) == 1


def test_rows_that_a_store_cannot_write_when_it_is_closed_are_counted(durable):
    told, kept = [], []

    async def test(store, owners):
        kept.append(store.timeline())
        await receive(store, owners)
        in_tables(store, "ALTER TABLE timeline RENAME TO other")
        in_tables(store, "CREATE TABLE timeline (level int)")
        kept[0].keep("a", 0, 1, RUN, b"row")
        kept[0].keep("a", 0, 2, RUN, b"row")

    async def prepare(store, owners):
        await receive(store, owners)
        store.timeline().keep("a", 0, 0, RUN, b"makes the table")

    used(durable, prepare)
    used(durable, test, tell=lambda event, **details: told.append((event, details)))
    assert kept[0].lost == 2
    assert [(event, details["lost"]) for event, details in told] == [("history_not_written", 2)]


def test_table_that_is_locked_delays_one_batch_and_loses_no_row(monkeypatch):
    """A table that another transaction has locked is neither a refusal nor a connection that breaks."""
    monkeypatch.setattr(postgres_database, "PAUSE_S", 0.02)
    monkeypatch.setattr(postgres_database, "OUTAGE_S", 5.0)

    async def test(store, owners):
        kept = store.timeline()
        await receive(store, owners)
        other = await asyncpg.connect(bed._url)
        await other.execute(f"BEGIN; LOCK TABLE {bed._schema}.timeline")
        kept.keep("a", 0, 1, RUN, b"first")
        kept.keep("a", 0, 2, RUN, b"older")
        with monkeypatch.context() as short:
            short.setattr(postgres_timeline, "BESIDE_S", 0.5)
            await receive(store, owners)
        assert isinstance(kept.fault, TimeoutError)
        kept.keep("a", 0, 2, RUN, b"newer")
        kept.keep("a", 0, 3, RUN, b"last")
        await receive(store, owners)
        await other.close()
        assert sorted(await kept.read("a", 0, [1, 2])) == [(1, RUN, b"first"), (2, RUN, b"newer")]
        kept._paused_until = 0.0  # the pause is over
        await receive(store, owners)
        assert [(level, begin) for level, begin, _ in sorted(await kept.sizes())] == [(0, 1), (0, 2), (0, 3)]
        assert (2, RUN, b"newer") in await kept.read("a", 0, [1, 2, 3]) and kept.lost == 0
        assert kept._bytes == 0

    bed = PostgresBed()
    used(bed, test)
    bed.remove()


def test_rows_of_a_client_that_the_store_does_not_know_are_not_written(durable):
    async def test(store, owners):
        store.timeline().keep("stranger", 0, 1, RUN, b"row")
        store.timeline().keep("a", 0, 1, RUN, b"row")
        await receive(store, owners)
        await receive(store, owners)
        assert len(await store.timeline().sizes()) == 1
        assert store.timeline().lost == 1

    used(durable, test)


class Rows(Timeline):
    """A Timeline with nothing behind it."""

    async def _read(self, client_id, level, begins):
        return []


def test_rows_that_wait_are_bounded_and_the_finest_and_oldest_go_first(monkeypatch):
    monkeypatch.setattr(timeline, "WAITING_BYTES", 20 * (10 + timeline.ROW_COST))
    rows = Rows(lambda client_id: 1)
    rows.keep("a", 1, 0, RUN, bytes(10))
    for begin in range(20):
        rows.keep("a", 0, begin, RUN, bytes(10))
    assert rows.lost == 2
    assert [place[:2] for place in rows._waiting[1]] == [(1, 0)]
    assert [place[:2] for place in rows._waiting[0]] == [(0, begin) for begin in range(2, 20)]
    assert [row[:2] for row in rows.take().rows] == [(1, 0), *((0, begin) for begin in range(2, 20))]


def test_room_is_made_without_looking_at_all_that_waits(monkeypatch):
    """The event loop does it: sorting 137,000 rows took 95 ms."""

    class Looked(dict):
        """Counts the rows that are looked at."""

        count = 0

        def items(self):
            for one in super().items():
                Looked.count += 1
                yield one

        def __iter__(self):
            for one in super().__iter__():
                Looked.count += 1
                yield one

    monkeypatch.setattr(timeline, "WAITING_BYTES", 1000 * timeline.ROW_COST)
    rows = Rows(lambda client_id: 1)
    rows._waiting = {0: Looked(), 1: Looked()}
    for begin in range(500):
        rows.keep("a", 1, begin, RUN, b"")
        rows.keep("a", 0, begin, RUN, b"")
    Looked.count = 0
    rows.keep("a", 0, 500, RUN, b"")
    assert rows.lost == 21 and 21 <= Looked.count <= 23


def test_rows_that_wait_when_the_store_is_closed_in_a_pause_are_lost_and_counted():
    told, written = [], []
    rows = Rows(lambda client_id: 1, lambda event, **details: told.append(details))
    for begin in range(timeline.ROWS_AT_ONCE + 1):
        rows.keep("a", 0, begin, RUN, b"")
    rows.take().failed(OSError(28, "no space"), again=True)
    rows.keep("a", 0, -1, RUN, b"")
    rows.close(written.append)
    assert not written and rows.lost == timeline.ROWS_AT_ONCE + 2
    assert [(found["reason"], found["lost"]) for found in told] == [
        ("[Errno 28] no space", 0), ("[Errno 28] no space", timeline.ROWS_AT_ONCE + 2),
    ]  # fmt: skip


def test_rows_whose_transaction_fails_without_them_too_are_counted_once():
    def commit(changes):
        raise sqlite3.OperationalError("the disk is full")

    rows = sqlite_timeline.SQLiteTimeline("nowhere", lambda client_id: 1)
    rows.keep("a", 0, 1, RUN, b"row")
    with pytest.raises(sqlite3.OperationalError):
        rows.take().guard(commit, (sqlite_rows.Rows(),))
    assert rows.lost == 1 and rows.take() is None


def test_one_transaction_takes_a_bounded_number():
    rows = Rows(lambda client_id: 1)
    for begin in range(timeline.ROWS_AT_ONCE + 1):
        rows.keep("a", 0, begin, RUN, b"")
    assert len(rows.take().rows) == timeline.ROWS_AT_ONCE
    assert len(rows.take().rows) == 1
    assert rows.take() is None


def test_a_timeline_that_cannot_be_read_says_so():
    async def test(store, owners):
        await receive(store, owners)
        kept = store.timeline()
        kept._uri = "file:/nowhere/store.db?mode=ro"
        with pytest.raises(StoreError, match="cannot be read"):
            await kept.sizes()

    bed = SQLiteBed()
    used(bed, test)
    bed.remove()


def test_reading_waits_for_no_transaction_of_the_application():
    async def test(store, owners):
        await receive(store, owners)
        store.timeline().keep(None, 0, 1, RUN, b"row")
        await receive(store, owners)
        held = [await store.transactions.connection() for _ in range(postgres_transactions.MOST)]
        assert await store.timeline().read(None, 0, [1]) == [(1, RUN, b"row")]
        for connection, _ in held:
            await store.transactions.release(connection, broken=True)
        store.close()
        assert store.timeline()._transactions._pool is None

    bed = PostgresBed()
    used(bed, test)
    bed.remove()


def test_those_who_read_at_once_share_a_bounded_number_of_connections():
    async def test(store, owners):
        await receive(store, owners)
        store.timeline().keep(None, 0, 1, RUN, b"row")
        await receive(store, owners)
        found = await asyncio.gather(*(store.timeline().read(None, 0, [1]) for _ in range(20)))
        assert found == [[(1, RUN, b"row")]] * 20
        assert store.timeline()._transactions._pool.get_size() <= postgres_timeline.READERS

    bed = PostgresBed()
    used(bed, test)
    bed.remove()


@pytest.mark.parametrize(
    "error, text", [(asyncpg.InternalClientError("got result for unknown protocol state 3"), "state 3"),
                    (TimeoutError(), "TimeoutError"), (OSError(5, "gone"), "gone")],
)  # fmt: skip
def test_connection_that_ends_while_it_is_read_is_told_as_that(error, text):
    class Broken:
        """In the place of Transactions."""

        def beside(self, most):
            return self

        async def connection(self):
            raise error

    kept = postgres_timeline.PostgresTimeline(Broken(), "s", lambda client_id: 1)
    with pytest.raises(StoreError, match=f"cannot be read: .*{text}"):
        asyncio.run(kept.read("a", 0, [1]))


def test_reading_does_not_disturb_the_writer():
    """SQLite's locks are the process's: another connection that is closed must not take them away."""

    async def test(store, owners):
        for number in range(30):
            store.timeline().keep("a", 0, number, RUN, b"row")
            await asyncio.gather(receive(store, owners), store.timeline().read("a", 0, list(range(30))))
        await store._look()
        with pytest.raises(StoreError, match="in use"):
            bed.open()

    bed = SQLiteBed()
    used(bed, test)
    bed.remove()
