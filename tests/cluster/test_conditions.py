"""Each condition, clause and column of a batch's statement is needed: without it one of these scenes ends otherwise.

A scene is a coroutine function (bed, statement) that raises when something is not as it must be; `statement` makes the
statement. All of them pass with the whole one.
"""

import asyncio

import asyncpg
import pytest

from protocol.errors import StoreError
from server.core.message import Message
from server.stores import postgres_admin, postgres_database, postgres_statements
from server.stores.postgres_record import PostgresRecord
from server.stores.postgres_statements import BOXES, CLIENT, Changes, columns_of
from tests.cluster.conditions import mutants, without
from tests.cluster.held_bed import HeldBed, run
from tests.sample import all_or
from tests.server.store_calls import EPOCH, a_line, a_lines

WHOLE = postgres_statements.commit_statement
MUTANTS = mutants(WHOLE("schema", [(what, table) for table in BOXES for what in ("put", "delete")]))
CHANNEL = 20
WHERE = {"connected": True, "connections": 3}  # what a row may say of where its client is


async def rows(bed, client_id):
    """What the database has of a client."""
    found = await bed.do(f"SELECT * FROM {{schema}}.client WHERE id = '{client_id}'")
    key = found[0]["key"]
    return [tuple(found[0])] + [
        [tuple(row) for row in await bed.do(f"SELECT * FROM {{schema}}.{table} WHERE client = {key} ORDER BY number")]
        for table in BOXES
    ]


async def new(store, client_id):
    """Returns the owner of a client with two lines each way."""
    owner = (await store.claim(client_id)).owner
    await store.receive(client_id, owner, EPOCH, {0: 2}, a_lines([b"one", b"two"]))
    for line in (b"three", b"four"):
        await store.put(client_id, owner, a_line(line))
    return owner


def all_kinds(store, *clients):
    """All that a batch may have of clients, in one batch. Args: clients: (id, owner). Returns a task: its result is a
    list, of four for each: None, or what was raised, a str."""

    def step(call, *args):
        async def done():
            try:
                await call(*args)
            except StoreError as error:
                return str(error)

        return done

    return asyncio.ensure_future(store.together([
        one for of in clients for one in (
            step(store.receive, *of, EPOCH, {0: 3}, a_lines([b"late"])), step(store.drop, *of, 1),
            step(store.put, *of, a_line(b"late")), step(store.acknowledge, *of, {0: 1}),
        )
    ]))  # fmt: skip


# Scenes


async def of_a_client_that_was_claimed_nothing_is_done(bed, statement):
    """The two clients of the batch were written as often, and by one batch last: the fence is that of each."""
    (one, _), (other, _) = await bed.store(), await bed.store()
    lost, mine = await new(one, "lost"), await new(one, "mine")
    await one.together([lambda: one.away("lost", lost, 1), lambda: one.away("mine", mine, 1)])
    await other.claim("lost")
    before = await rows(bed, "lost")
    commits = one.commits
    results = await all_kinds(one, ("lost", lost), ("mine", mine))
    assert one.commits == commits + 1
    assert all("another owner" in str(one) for one in results[:4])
    assert results[4:] == [None] * 4
    assert await rows(bed, "lost") == before
    _, inbox, outbox = await rows(bed, "mine")
    assert [row[-1] for row in inbox] == [b"two", b"late"] and [row[-1] for row in outbox] == [b"four", b"late"]


async def of_a_client_that_is_claimed_meanwhile_nothing_is_done(bed, statement):
    one, _ = await bed.store()
    owner = await new(one, "lost")
    before = await rows(bed, "lost")
    lock = await bed.row_lock()
    late = all_kinds(one, ("lost", owner))
    await bed.waiting()
    await lock.execute(f"UPDATE {bed.schema}.client SET version = version + 1; COMMIT")
    await lock.close()
    results = await late
    assert all("another owner" in str(one) for one in results)
    assert (await rows(bed, "lost"))[1:] == before[1:]


async def of_a_client_with_another_past_nothing_is_done(bed, statement):
    """The database was set back, and written as often by another server since."""
    one, _ = await bed.store()
    owner = await new(one, "lost")
    await bed.do("UPDATE {schema}.client SET batch = 'another'")
    before = await rows(bed, "lost")
    assert all("another owner" in str(error) for error in await all_kinds(one, ("lost", owner)))
    assert await rows(bed, "lost") == before


async def of_other_clients_nothing_changes(bed, statement):
    one, _ = await bed.store()
    owner = await new(one, "a")
    await new(one, "b")
    before = await rows(bed, "b")
    assert await all_kinds(one, ("a", owner)) == [None] * 4
    assert await rows(bed, "b") == before
    _, inbox, outbox = await rows(bed, "a")
    assert [row[-1] for row in inbox] == [b"two", b"late"] and [row[-1] for row in outbox] == [b"four", b"late"]


async def the_row_is_as_the_record(bed, statement):
    one, _ = await bed.store()
    await new(one, "a")
    state = (await one.discard("a", (await one.claim("a")).owner))[0]
    owner = state.owner
    message = Message(CHANNEL, 0, 5, b"on a channel")
    await one.receive("a", owner, b"peer's..", {0: 3, CHANNEL: 1}, [message], {CHANNEL: 1})
    for line in (b"five", b"six"):
        await one.put("a", owner, a_line(line))
    await one.acknowledge("a", owner, {0: state.bases[0] + 1})
    one._clients["a"].__dict__.update((name, value) for name, value in WHERE.items() if name in CLIENT)
    one.note("a", owner, "a note")
    await one.away("a", owner, 77)
    row = (await bed.do(f"SELECT {', '.join(CLIENT)} FROM {{schema}}.client"))[0]
    assert tuple(row) == one._clients["a"].row()
    counts = await bed.do(None, lambda connection, schema: postgres_admin._checked(connection, schema, "here"))
    assert counts["messages"] == 4


async def what_is_put_again_is_replaced(bed, statement):
    one, _ = await bed.store()
    await new(one, "a")
    changes, record = Changes(), one._clients["a"]
    for table in BOXES:
        changes.insert(table, record.key, 1, Message(CHANNEL, 8, 99, b"another"))
    lost = await asyncio.to_thread(one._database.commit, one._sealed(changes, [record]))
    assert not lost
    for table in (await rows(bed, "a"))[1:]:
        assert table[1][1:] == (1, CHANNEL, 8, 99, b"another")


async def a_batch_whose_outcome_is_unknown_is_found(bed, statement):
    one, _ = await bed.store()
    owner = await new(one, "a")
    database, broken = one._database, []
    true = database._fetch

    async def fetch(text, *args):
        found = await true(text, *args)
        if not broken and "locked AS" in text:
            broken.append(text)
            raise ConnectionResetError("the network is gone")
        return found

    database._fetch = fetch
    assert await all_kinds(one, ("a", owner)) == [None] * 4
    assert broken and [row[-1] for row in (await rows(bed, "a"))[1]] == [b"two", b"late"]


async def a_client_does_not_wait_for_another_one(bed, statement):
    one, _ = await bed.store()
    await new(one, "a")
    owner = await new(one, "b")
    connection = await asyncpg.connect(bed.server.url)
    await connection.execute(f"BEGIN; SELECT * FROM {bed.schema}.client WHERE id = 'a' FOR UPDATE")
    try:
        assert await all_kinds(one, ("b", owner)) == [None] * 4
    finally:
        await connection.close()


async def two_batches_lock_their_rows_in_one_order(bed, statement):
    """The plan is one that takes the rows in the order of the batch, unless the statement says otherwise. Both batches
    come to a row that is locked; then one of them goes on."""
    count = 100
    await bed.do(
        f"INSERT INTO {{schema}}.client (id, epoch) SELECT 'c' || n, '' FROM generate_series(1, {count}) AS n"
    )
    plan = {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_seqscan": "off", "deadlock_timeout": "50ms"}
    connections = [await asyncpg.connect(bed.server.url, server_settings=plan) for _ in range(2)]
    text = statement(bed.schema, [])

    async def write(connection, keys):
        batch = [PostgresRecord(f"c{key}", {"key": key, "version": 0, "batch": None}).row() for key in keys]
        await connection.fetch(text, b"batch", *columns_of(batch))

    keys = list(range(1, count + 1))
    holder = await asyncpg.connect(bed.server.url)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = ANY($1)"
    pids = [connection.get_server_pid() for connection in connections]
    try:
        held = holder.transaction()
        await held.start()
        await holder.execute(f"SELECT FROM {bed.schema}.client WHERE key = $1 FOR UPDATE", count // 2)
        writing = asyncio.gather(write(connections[0], keys), write(connections[1], keys[::-1]))
        while await holder.fetchval(waiting, pids) < 2 and not writing.done():
            await asyncio.sleep(0.005)
        await held.rollback()
        await writing
    finally:
        for connection in (holder, *connections):
            connection.terminate()


SCENES = [
    of_a_client_that_was_claimed_nothing_is_done, of_other_clients_nothing_changes, the_row_is_as_the_record,
    what_is_put_again_is_replaced, a_batch_whose_outcome_is_unknown_is_found, a_client_does_not_wait_for_another_one,
    of_a_client_that_is_claimed_meanwhile_nothing_is_done, two_batches_lock_their_rows_in_one_order,
]  # fmt: skip
if "locked.batch" in WHOLE("schema", []):
    SCENES.append(of_a_client_with_another_past_nothing_is_done)
FAILURES = (AssertionError, StoreError, asyncpg.PostgresError)


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """A scene that fails does so soon: nothing in it waits long otherwise."""
    monkeypatch.setattr(postgres_database, "PAUSE_S", 0.02)


def play(scene, monkeypatch, mutant=None):
    """Play a scene on tables of its own."""

    def statement(*args):
        text = WHOLE(*args)
        return text if mutant is None else without(text, mutant)

    async def main():
        async with HeldBed() as bed:
            await scene(bed, statement)

    for module in (postgres_statements, postgres_database):
        monkeypatch.setattr(module, "commit_statement", statement)
    run(main())


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_scene_passes_with_the_whole_statement(scene, monkeypatch):
    play(scene, monkeypatch)


def _name(mutant):
    return f"{mutant.part}: {' '.join(mutant.before.split())} -> {mutant.after}"


@pytest.mark.parametrize("mutant", MUTANTS[:: all_or(3, 1)], ids=_name)
def test_no_part_of_the_statement_can_be_missing(mutant, monkeypatch):
    monkeypatch.setattr(postgres_database, "STATEMENT_S", 0.5)
    monkeypatch.setattr(postgres_database, "OUTAGE_S", 0.5)
    for scene in SCENES:
        try:
            play(scene, monkeypatch, mutant)
        except FAILURES:
            return
    pytest.fail("no scene has ended otherwise")


def test_each_mutant_is_a_statement_that_postgresql_takes():
    """Else it would be found for the wrong reason."""

    async def main():
        async with HeldBed() as bed:
            tables = [(what, table) for table in BOXES for what in ("put", "delete")]
            whole = WHOLE(bed.schema, tables)

            async def prepare(connection, schema):
                for mutant in [*MUTANTS, None]:
                    await connection.prepare(without(whole, mutant) if mutant else whole)

            await bed.do(None, prepare)

    run(main())
    assert len(MUTANTS) >= 41 and len(set(MUTANTS)) == len(MUTANTS)
