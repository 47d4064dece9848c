"""Clients that move between the databases of a store: nothing is lost or doubled, wherever the move is killed."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.errors import StoreError
from server.core.message import Message
from server.core.message import line as a_line
from server.core.store import Fenced, StoreGone
from server.stores import moving, postgres_admin, postgres_shards
from server.stores.postgres_reading_statements import MOVE_WITH_EFFECT, SERVED
from tests.patience import PATIENCE_S
from tests.sample import all_or
from tests.server import postgres
from tests.server.peer import OTHER_KEY, Client, until, within
from tests.server.sharded_bed import Shards
from tests.server.shared_bed import Node, attached, run
from tests.server.store_calls import EPOCH, a_lines, ended, messages_of

ROOT = Path(__file__).parents[3]
CLIENTS = "abcdefgh"
TWO = [["d", "b", "e", "g"], ["a", "c", "f", "h"]]  # which of them Placement puts where
MOVED = ["b", "g"]  # which of them go to C when that is added
HISTORY = [5, 6, 7]  # begins of rows of the timeline
KEYS = {"a": (b"a" * 32, False), "b": ([b"b" * 32, b"c" * 32], False), "never here": (b"d" * 32, True)}


@pytest.fixture
def shards():
    """A and B are a store. C has tables, and is one of its own."""
    found = Shards(3, made=2)
    yield found
    found.close()


def used(shards, urls, work):
    store = shards.open(urls=urls)
    try:
        return run(work(store))
    finally:
        store.close()


async def fill(store):
    """What a store may have of clients: what waits both ways, and in the mail, what is read and not yet deleted, and
    what was measured."""
    for name in (None, *CLIENTS):
        for begin in HISTORY:
            store.timeline().keep(name, 1, begin, 7, b"\0%d of %s" % (begin, (name or "server").encode()))
    for number, client_id in enumerate(CLIENTS):
        owner = (await store.claim(client_id)).owner
        lines = [b"in %d" % one for one in range(4)]
        await store.receive(client_id, owner, EPOCH, {0: 4, 20: 2}, a_lines(lines), {20: 1})
        await store.receive(client_id, owner, EPOCH, {20: 3}, [Message(20, 1, 5, b"typed")])
        for one in range(number % 3):
            await store.put(client_id, owner, a_line(b"out %d" % one))
        await store.others.put(client_id, a_line(b"in the mail"))
        await store.others.put(client_id, Message(21, 0, 0, b"likewise"), True)
        store.note(client_id, owner, f"note of {client_id}", at_once=True)
        await store.away(client_id, owner, 60)
        part = store.of(client_id)
        await part.others.used().__aenter__()
        reading = part.readings.of(client_id, 0)
        await reading.take(None, lambda number, message: message)
        for channel in (0, SERVED):
            await part.readings.claim(part.readings.of(client_id, channel))


async def content(store):
    """What a store has of each client, but what each claim changes."""
    found = {}
    for client_id in CLIENTS:
        state = await store.claim(client_id)
        found[client_id] = [
            state.epoch, state.peer_epoch, state.expired, state.note,
            {channel: number for channel, number in state.cursors.items() if number},
            [message.data for _, message in state.outbox] + sorted(
                message.data for queue in store.of(client_id)._clients[client_id].mail.waiting.values()
                for _, message, _ in queue
            ),
            await messages_of(store, state.owner, 0, client_id), await messages_of(store, state.owner, 20, client_id),
            sorted(await store.timeline().read(client_id, 1, HISTORY)),
        ]  # fmt: skip
    found[None] = sorted(await store.timeline().read(None, 1, HISTORY))
    return found


def add_keys(shards, at, entries):
    """Have these keys in a database."""
    postgres_admin.add_keys(shards.urls[at], lambda there: entries, shards.schema)


def keys(shards):
    """Returns the keys in each database."""
    found = []
    for url in shards.urls:
        _, by_id, repl = postgres_admin.keys(url, shards.schema)
        found.append({client_id: (key, client_id in repl) for client_id, key in by_id.items()})
    return found


def served(shards):
    """Returns the ids of the clients in each database that `serve` serves, also while they are away."""
    statement = "SELECT id FROM {schema}.client JOIN {schema}.reading ON client = key WHERE channel = -1 ORDER BY id"
    return [[row[0] for row in shards.rows(at, statement)] for at in range(len(shards.urls))]


def move(shards, sources, targets):
    return moving.move([shards.urls[at] for at in sources], [shards.urls[at] for at in targets], shards.schema)


def assert_whole(shards, before, at):
    """The store is in the databases with these numbers, and has what it had."""
    urls = [shards.urls[one] for one in at]
    assert postgres_admin.check(urls, shards.schema)["clients"] == len(CLIENTS)
    assert sorted(sum(shards.clients(), [])) == list(CLIENTS)
    assert used(shards, urls, content) == before


def test_only_the_clients_of_a_new_database_move_with_all_that_they_have(shards):
    used(shards, shards.urls[:2], fill)
    for at in range(2):
        shards.rows(at, "UPDATE {schema}.client SET connections = 7 RETURNING key")
    before = used(shards, shards.urls[:2], content)
    assert len(before["a"][6]) == 3  # one was taken
    assert len(before["a"][8]) == len(before[None]) == len(HISTORY)
    clients, messages, _ = move(shards, (0, 1), (0, 1, 2))
    assert clients == len(MOVED) and messages == sum(
        len(before[one][5]) + len(before[one][6]) + len(before[one][7]) for one in MOVED
    )
    assert shards.clients() == [["d", "e"], sorted(TWO[1]), MOVED] == served(shards)
    assert_whole(shards, before, (0, 1, 2))
    assert move(shards, (0, 1), (0, 1, 2)) == (0, 0, 0)  # it is done
    counts = "SELECT connections FROM {schema}.client"
    assert {row[0] for at in range(3) for row in shards.rows(at, counts)} == {7}


def test_database_is_taken_away_and_may_come_again(shards):
    used(shards, shards.urls[:2], fill)
    before = used(shards, shards.urls[:2], content)
    assert move(shards, (0, 1), (1,))[0] == len(TWO[0])
    assert shards.clients() == [[], list(CLIENTS), []]
    assert_whole(shards, before, (1,))
    with pytest.raises(StoreGone, match="was taken out"):
        shards.open(urls=shards.urls[:2])
    assert move(shards, (1,), (0, 1))[0] == len(TWO[0])
    assert_whole(shards, before, (0, 1))


def test_all_databases_may_be_others(shards):
    used(shards, shards.urls[:2], fill)
    before = used(shards, shards.urls[:2], content)
    assert move(shards, (0, 1), (2,))[0] == len(CLIENTS)
    assert_whole(shards, before, (2,))
    assert shards.rows(2, "SELECT installation FROM {schema}.shard") == [("one store",)]
    assert move(shards, (2,), (0, 2))[0] > 0
    assert_whole(shards, before, (0, 2))


def killed(shards, step, sources, targets):
    """Have the move killed behind a step. Returns True if it was; False: it came to its end."""
    urls = [shards.urls[at] for at in (*sources, *targets)]
    command = [sys.executable, "-m", "tests.server.stores.move_program", str(step), shards.schema, str(len(sources))]
    done = subprocess.run([*command, *urls], capture_output=True, text=True, timeout=PATIENCE_S, cwd=ROOT)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def is_store(shards, at):
    """Whether a server starts with these databases."""
    try:
        shards.open(urls=[shards.urls[one] for one in at]).close()
        return True
    except StoreGone:
        return False


STEPS = 37  # of the move to C, A and B; the one to C alone has more, and what it does otherwise is in these
KILLS = [((2, 0, 1), step) for step in [*range(0, STEPS, all_or(7, 1)), STEPS]]
KILLS += [((2,), step) for step in range(0, 15, all_or(7, 1))]


@pytest.mark.parametrize(("targets", "step"), KILLS)
def test_move_that_is_killed_behind_any_step_is_run_again_to_its_end(shards, targets, step):
    used(shards, shards.urls[:2], fill)
    add_keys(shards, 0, KEYS)
    before = used(shards, shards.urls[:2], content)
    was_killed = killed(shards, step, (0, 1), targets)
    assert was_killed == (step < STEPS)
    if was_killed:
        assert {*sum(shards.clients(), [])} == {*CLIENTS}  # none is nowhere
        if is_store(shards, (0, 1)):  # nothing was begun
            assert_whole(shards, before, (0, 1))
            assert keys(shards)[0] == KEYS
        elif is_store(shards, targets):  # all was done that a server sees
            assert_whole(shards, before, targets)
        move(shards, (0, 1), targets)
    assert_whole(shards, before, targets)
    assert keys(shards) == [KEYS if at == targets[0] else {} for at in range(3)]


def test_what_a_killed_move_has_left_is_replaced(shards):
    """Half of a client is in the new database: its row, and none of its messages."""
    used(shards, shards.urls[:2], fill)
    before = used(shards, shards.urls[:2], content)
    shards.rows(2, "INSERT INTO {schema}.client (id, epoch, messages, owner) VALUES ('b', 'x', 5, 1)")
    wanted = json.dumps(dict.fromkeys("ABC", ""))
    for at in range(3):
        shards.rows(at, "UPDATE {schema}.shard SET installation = 'one store', moving = $1", wanted)
    move(shards, (0, 1), (0, 1, 2))
    assert_whole(shards, before, (0, 1, 2))


def test_client_that_was_used_in_two_databases_is_not_overwritten(shards):
    used(shards, shards.urls[:2], fill)
    wanted = json.dumps(dict.fromkeys("ABC", ""))
    for at in range(3):
        shards.rows(at, "UPDATE {schema}.shard SET installation = 'one store', moving = $1", wanted)
    shards.rows(2, "INSERT INTO {schema}.client (id, epoch, owner) VALUES ('b', 'x', 99)")
    with pytest.raises(StoreError, match="b is in two databases, and has been used in both"):
        move(shards, (0, 1), (0, 1, 2))
    assert shards.rows(2, "SELECT owner FROM {schema}.client") == [(99,)]


# Servers and programs that still run


def test_servers_and_programs_that_run_end_and_lose_nothing(shards):
    """A client writes while the store is moved under it. Then it goes on with a new server."""
    old, new = shards.urls[:2], shards.urls

    async def main():
        sent, told = [], []
        node = Node(shards.open(urls=old))
        program = await attached(shards.open(urls=old))
        node.server.events.subscribe(lambda event, client_id, details: told.append(event))
        client = Client(node.port, "b", OTHER_KEY)
        async with node:
            await within(client.connect())
            moved = asyncio.create_task(asyncio.to_thread(move, shards, (0, 1), (0, 1, 2)))
            while client.up and len(sent) < 3000:
                sent.append(f"line {len(sent)}")
                await within(client.write(sent[-1]))
                await asyncio.sleep(0.002)
            await within(moved)
            await until(lambda: node._task.done() and program.fault, "the end of the server and of the program")
        assert sent
        with pytest.raises(StoreGone):
            await node._task
        with pytest.raises(StoreError):
            await within(program["b"].write("late"))
        await program.close()
        async with Node(shards.open(urls=new)) as again:
            client.port = again.port
            await within(client.connect())
            await within(client.acknowledged())
            found = [await within(again.registry.get("b").readline()) for _ in sent]
            assert found == [f"{text}\n" for text in sent]
            assert again.store.unread("b")[0] == 0
            client.cut()

    run(main())
    assert shards.clients()[2] == ["b"]


def test_server_that_goes_on_after_the_move_can_do_nothing(shards):
    """It was stopped meanwhile: it has not seen the end of its row, or the new list."""

    async def main():
        late, program = shards.open(urls=shards.urls[:2]), shards.open(urls=shards.urls[:2])
        owner = (await late.claim("b")).owner
        await late.receive("b", owner, EPOCH, {0: 1}, a_lines([b"one", b"two"]))
        reading = program.of("b").readings.of("b", 0)
        async with program.of("b").others.used():
            assert await reading.take(None, lambda number, message: bytes(message.data)) == b"one"
        await program.others.put("b", a_line(b"in time"))
        await asyncio.to_thread(move, shards, (0, 1), (0, 1, 2))
        calls = {
            "a write of its client": late.put("b", owner, a_line(b"late")),
            "a claim": late.claim("b"), "a claim of a new client": late.claim("new"),
            "mail for a known client": program.others.put("b", a_line(b"late")),
            "mail for a new client": program.others.put("new", a_line(b"late")),
        }  # fmt: skip
        for what, call in calls.items():
            error = (await ended(asyncio.ensure_future(call)))[1]
            assert isinstance(error, (Fenced, StoreGone)), what
        program.of("b").others.beaten = float("inf")
        claimed, error = await ended(asyncio.ensure_future(program.of("b").readings.claim(reading)))
        assert claimed is None and (error is None or isinstance(error, StoreGone))  # a beat may have found it out
        found = program.of("b")._database
        assert await asyncio.to_thread(lambda: found.perform(postgres_shards.read, "here")) is not None
        store = shards.open()
        state = await store.claim("b")
        assert state.lines == [b"in time"]
        assert [message.data for _, message in await messages_of(store, state.owner, 0, "b")] == [b"two"]

    run(main())
    assert shards.clients() == [[], [], ["b"]]


def test_reader_moves_on_in_neither_database_once_its_client_is_read(shards, monkeypatch):
    """An application commits what it does with a line while the client is copied: then it would come again there."""
    used(shards, shards.urls[:2], fill)
    true, moved_on = postgres_shards.clear, []

    async def clear(connection, schema, owners):
        for client, reader, following in readers:
            moved_on.extend(await shards.fetch(0, MOVE_WITH_EFFECT, client, 0, reader, following + 1, following, 0))
        return await true(connection, schema, owners)

    of_moved = "SELECT client, reader, next FROM {schema}.reading JOIN {schema}.client ON key = client "
    readers = shards.rows(0, of_moved + "WHERE channel = 0 AND id = ANY($1)", MOVED)
    monkeypatch.setattr(postgres_shards, "clear", clear)
    move(shards, (0, 1), (0, 1, 2))
    assert len(readers) == len(MOVED) and moved_on == []


def test_server_that_starts_while_a_move_begins_has_no_row_or_sees_it(shards):
    """It has joined, and has not yet looked: the move waits for it, or it sees the move."""

    async def main():
        url, schema = shards.urls[0], shards.schema
        async with postgres.connect(url) as connection, connection.transaction():
            await connection.execute(f"INSERT INTO {schema}.node (name, version) VALUES ('late', '1')")
            moved = asyncio.create_task(asyncio.to_thread(move, shards, (0, 1), (0, 1, 2)))
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::regclass"
            async with postgres.connect(url) as other:
                while not await other.fetchval(waits, f"{schema}.node"):
                    await asyncio.sleep(0.01)
            assert not moved.done()
        await within(moved)
        assert await shards.fetch(0, "SELECT * FROM {schema}.node") == []

    run(main())


def test_server_that_writes_a_client_while_it_is_moved_stops_the_move(shards, monkeypatch):
    """Nothing can; if something does, the client stays where it is."""
    used(shards, shards.urls[:2], fill)
    true = postgres_shards.clear

    async def clear(connection, schema, owners):
        await shards.fetch(0, "UPDATE {schema}.client SET version = version + 1")
        await true(connection, schema, owners)

    monkeypatch.setattr(postgres_shards, "clear", clear)
    with pytest.raises(StoreError, match="is in use by a server"):
        move(shards, (0, 1), (0, 1, 2))
    assert shards.clients()[0] == sorted(TWO[0])


# Lists that are wrong


@pytest.mark.parametrize(
    ("sources", "targets", "words"),
    [
        ((), (0,), "name one database at least"),
        ((0,), (), "name one database at least"),
        ((0,), (0, 2), "one of 2 databases of a store; missing: a database .id B"),
        ((0, 0, 1), (0, 1, 2), "are the same database"),
        ((0, 1), (0, 1, 1), "are the same database"),
        ((0, 2), (0, 1, 2), "is not of the same store"),
    ],
)
def test_wrong_lists_are_refused_and_nothing_is_done(shards, sources, targets, words):
    used(shards, shards.urls[:2], fill)
    with pytest.raises(StoreError, match=words):
        move(shards, sources, targets)
    shards.open(urls=shards.urls[:2])
    assert shards.rows(2, "SELECT installation FROM {schema}.shard") == [("store 2",)]


def test_database_with_clients_is_not_added(shards):
    shards.rows(2, "INSERT INTO {schema}.client (id, epoch) VALUES ('x', 'x')")
    with pytest.raises(StoreError, match="has clients already"):
        move(shards, (0, 1), (0, 1, 2))


def test_database_of_another_store_is_not_added(shards):
    shards.rows(2, """UPDATE {schema}.shard SET members = '{{"C": "", "D": ""}}'""")
    with pytest.raises(StoreError, match="one of the databases of another store"):
        move(shards, (0, 1), (0, 1, 2))


def test_other_move_is_refused_until_the_first_one_has_ended(shards):
    for at in range(2):
        shards.rows(at, """UPDATE {schema}.shard SET moving = '{{"A": "postgresql://a/x"}}'""")
    with pytest.raises(StoreError, match="an earlier move has not ended: run that first, --to postgresql://a/x"):
        move(shards, (0, 1), (0, 1, 2))
    move(shards, (0, 1), (0,))
    move(shards, (0,), (0, 2))
    assert shards.open(urls=[shards.urls[0], shards.urls[2]])


def test_client_in_the_wrong_database_is_found(shards):
    used(shards, shards.urls[:2], fill)
    assert postgres_admin.check(shards.urls[:2], shards.schema)["clients"] == len(CLIENTS)
    shards.rows(1, "INSERT INTO {schema}.client (id, epoch) VALUES ('b', 'x')")
    with pytest.raises(StoreError, match="client b is in .*, and belongs in "):
        postgres_admin.check(shards.urls[:2], shards.schema)


def test_several_databases_are_made_one_store():
    urls, schema = postgres.databases(2), postgres.new_schema()
    postgres_admin.init(urls, schema)
    assert postgres_admin.check(urls[::-1], schema) == {"clients": 0, "messages": 0, "bytes": 0}
    with pytest.raises(StoreError, match="has tables of pb_link already"):
        postgres_admin.init([*postgres.databases(3)[2:], urls[0]], schema)
    with pytest.raises(StoreError, match="has no tables"):  # nothing was made there
        postgres_admin.check(postgres.databases(3)[2:], schema)
    assert postgres_admin.migrate(urls, schema)[0] == postgres_admin.postgres_schema.VERSION
