"""Mail between stores on one database: what its statements do under the races that they are for, and each of their
conditions taken away, which must show."""

import asyncio

import asyncpg
import pytest

from protocol.errors import StoreError
from server.core.message import Message
from server.core.store import Fenced, StoreGone
from server.stores import copying, postgres_admin, postgres_copy, postgres_database, postgres_mail
from server.stores.sqlite import SQLiteStore
from tests.server.peer import until, within
from tests.server.shared_bed import Tables, a_line, run

NOW = 10**12  # UTC, ms


@pytest.fixture
def tables():
    tables = Tables()
    yield tables
    tables.close()


async def connect(tables):
    return await asyncpg.connect(tables.server.url)


def a_row(number, data=b"x", channel=0, time=0, result=0):
    return (1, channel, number, 0, time, data, result)


class Writer:
    """The statements of one writer for client 1."""

    def __init__(self, tables, node, change=("", "")):
        self.tables = tables
        self.node = node
        self._change = change

    async def enter(self, channels=(0,)):
        connection = await connect(self.tables)
        clients = [("a", b"12345678", channel) for channel in channels]
        keys = await postgres_mail.enter(connection, self.tables.schema, self.node, clients)
        await connection.close()
        return keys

    async def put(self, connection, *rows, limits=(1000, 1000), now=NOW):
        before, after = self._change
        statement = postgres_mail._PUT
        assert before in statement
        statement = statement.replace(before, after)
        columns = postgres_mail.columns_of(rows)
        found = await connection.fetch(
            statement.format(schema=self.tables.schema), self.node, *columns, *limits, now
        )
        return {(row["client"], row["channel"]): row["last"] for row in found}

    async def numbers(self, channel=0):
        statement = f"SELECT number FROM {{schema}}.mail WHERE channel = {channel} AND result < 2 ORDER BY place"
        return [row[0] for row in await self.tables.fetch(statement)]


# The statement of a writer

PUT_CONDITIONS = {
    "what the row has seen": (" AND w.number > k.last", ""),
    "the lock of the row": (" FOR UPDATE OF w", ""),
    "the last number": (" SET last = l.last", " SET last = w.last"),
}


async def _again_when_it_was_accepted(tables, change):
    """A statement whose outcome is unknown was done, and its messages are with the client: it is sent again."""
    writer = Writer(tables, tables.open().node, change)
    await writer.enter()
    connection = await connect(tables)
    await writer.put(connection, a_row(1), a_row(2))
    await connection.execute(f"DELETE FROM {tables.schema}.mail")
    last = await writer.put(connection, a_row(1), a_row(2), a_row(3))
    await connection.close()
    return last, await writer.numbers()


async def _again_while_it_runs(tables, change):
    """The statement is sent again while the first one still runs; then its messages go to the client at once."""
    writer = Writer(tables, tables.open().node, change)
    await writer.enter()
    one, other = await connect(tables), await connect(tables)
    first = one.transaction()
    await first.start()
    await writer.put(one, a_row(1), a_row(2))
    await one.execute(f"DELETE FROM {tables.schema}.mail")
    again = asyncio.create_task(writer.put(other, a_row(1), a_row(2), a_row(3)))
    pid = other.get_server_pid()
    while not await one.fetchval("SELECT count(*) FROM pg_locks WHERE pid = $1 AND NOT granted", pid):
        await asyncio.sleep(0.01)
    await first.commit()
    last = await again
    await one.close()
    await other.close()
    return last, await writer.numbers()


SCENARIOS = [_again_when_it_was_accepted, _again_while_it_runs]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_statement_that_is_sent_again_puts_nothing_twice(tables, scenario):
    assert run(scenario(tables, ("", ""))) == ({(1, 0): 3}, [3])


@pytest.mark.parametrize("name", PUT_CONDITIONS)
def test_each_condition_of_a_put_is_needed(name):
    def outcome(scenario):
        tables = Tables()
        try:
            return run(scenario(tables, PUT_CONDITIONS[name]))
        finally:
            tables.close()

    assert [outcome(scenario) for scenario in SCENARIOS] != [({(1, 0): 3}, [3])] * 2


def test_channel_without_room_takes_the_first_ones_and_others_take_theirs(tables):
    async def main():
        writer = Writer(tables, tables.open().node)
        await writer.enter((0, 20))
        connection = await connect(tables)
        rows = [a_row(number, b"x" * 68) for number in (1, 2, 3)]  # 100 each
        last = await writer.put(connection, *rows, a_row(1, b"y", 20), limits=(200, 100))
        assert last == {(1, 0): 2, (1, 20): 1}
        assert await writer.put(connection, rows[2], limits=(200, 100)) == {(1, 0): 2}
        await connection.execute(f"UPDATE {tables.schema}.mail SET serial = 0 WHERE number = 1")  # it was moved
        assert await writer.put(connection, rows[2], limits=(200, 100)) == {(1, 0): 3}
        await connection.close()
        assert await writer.numbers() == [1, 2, 3] and await writer.numbers(20) == [1]

    run(main())


def test_empty_channel_takes_one_message_of_any_size(tables):
    async def main():
        writer = Writer(tables, tables.open().node)
        await writer.enter()
        connection = await connect(tables)
        assert await writer.put(connection, a_row(1, b"x" * 500), a_row(2, b"x"), limits=(0, 0)) == {(1, 0): 1}
        await connection.close()

    run(main())


def test_room_of_what_has_expired_is_free_and_its_row_goes_if_nobody_waits_for_it(tables):
    async def main():
        writer = Writer(tables, tables.open().node)
        await writer.enter()
        connection = await connect(tables)
        late = [a_row(1, b"x" * 68, time=NOW - 1), a_row(2, b"x" * 68, time=NOW - 1, result=1)]
        await writer.put(connection, *late, now=NOW - 10)
        assert await writer.put(connection, a_row(3, b"x" * 68), limits=(100, 100)) == {(1, 0): 3}
        assert await writer.numbers() == [2, 3]
        await connection.close()

    run(main())


def test_writer_that_was_given_up_puts_nothing(tables):
    async def main():
        store = tables.open()
        await store.others.put("a", a_line(b"in time"))
        await tables.fetch("UPDATE {schema}.node SET seen = now() - interval '2 days' WHERE id = $1", store.node)
        tables.open()
        with pytest.raises(StoreGone, match="start it again"):
            await store.others.put("a", a_line(b"late"))
        with pytest.raises(StoreGone):
            await store.others.put("another", a_line(b"late"))
        assert await tables.fetch("SELECT data FROM {schema}.mail") == [(b"in time",)]

    run(main())


# Both ends


class Pair:
    """A store that has claimed the client, and one that writes to it."""

    def __init__(self, tables):
        self.owner, self.writer = tables.open(), tables.open()
        self.base = 0

    async def claim(self, store=None):
        self.owner = store or self.owner
        self.state = await self.owner.claim("a")
        return self.state

    async def fetch(self):
        """Returns the messages that wait, as the owner knows them."""
        await self.owner.others.arrived.fetch(self.owner.others._own.key_of("a"))
        record = self.owner.others._own.record("a")
        return [message.data for _, message, _ in record.mail.waiting.get(0, ())]

    async def move(self, most=100):
        moved = await self.owner.others.move("a", self.state.owner, 0, most)
        return [message.data for message, _ in moved]

    async def acknowledge(self, count):
        self.base += count
        await self.owner.acknowledge("a", self.state.owner, {0: self.base})

    async def put(self, *lines, watched=True):
        return [await self.writer.others.put("a", a_line(line), watched) for line in lines]

    async def result(self, letter):
        """Returns None, or the exception that `accepted` raises."""
        accepted = asyncio.create_task(self.writer.others.accepted(letter))
        await asyncio.sleep(0)
        while not accepted.done():
            self.writer.others._letters.look()
            await asyncio.sleep(0.01)
        return accepted.exception()


async def stored(tables):
    """(lines of the outbox, mail that was moved, mail that was not)."""
    outbox = await tables.fetch("SELECT data FROM {schema}.outbox ORDER BY number")
    mail = await tables.fetch("SELECT serial FROM {schema}.mail ORDER BY place")
    return [one[0] for one in outbox], [one[0] for one in mail if one[0] is not None], len(mail)


def test_message_is_in_the_mail_then_in_the_outbox_then_nowhere(tables):
    async def main():
        pair = Pair(tables)
        await pair.claim()
        letters = await pair.put(b"1", b"2", b"3")
        assert await pair.fetch() == [b"1", b"2", b"3"]
        assert await pair.move(2) == [b"1", b"2"]
        assert await stored(tables) == ([b"1", b"2"], [0, 1], 3)
        assert await pair.move() == [b"3"]
        await pair.acknowledge(2)
        assert [await pair.result(letter) for letter in letters[:2]] == [None, None]
        assert await stored(tables) == ([b"3"], [2], 1)
        await pair.acknowledge(1)
        assert await pair.result(letters[2]) is None
        assert await stored(tables) == ([], [], 0)

    run(main())


def test_message_that_is_being_moved_is_not_moved_again(tables):
    async def main():
        pair = Pair(tables)
        await pair.claim()
        await pair.put(b"1")
        await pair.fetch()
        moving = asyncio.create_task(pair.move())
        await asyncio.sleep(0)  # it is in a transaction that has not ended
        assert await pair.fetch() == []
        assert await moving == [b"1"]
        assert await pair.fetch() == [] and await pair.move() == []
        assert (await stored(tables))[0] == [b"1"]

    run(main())


def test_fetch_that_was_overtaken_by_a_transaction_finds_nothing_of_it(tables):
    """The result of a fetch that has read before the transaction comes while that is under way."""

    async def main():
        pair = Pair(tables)
        await pair.claim()
        for number in range(30):
            await pair.put(b"%d" % number, watched=False)
            fetches = [asyncio.create_task(pair.fetch()) for _ in range(3)]
            while not pair.owner.others.first("a", 0):
                await asyncio.sleep(0)
            moves = [asyncio.create_task(pair.move()) for _ in range(2)]
            await asyncio.gather(*fetches, *moves)
            await pair.fetch()
            await pair.move()
        assert (await stored(tables))[0] == [b"%d" % number for number in range(30)]

    run(main())


@pytest.mark.parametrize("moved", [False, True])
def test_owner_that_dies_leaves_the_mail_to_the_next_one(tables, moved):
    """It is killed before it has moved it, or between that and the acknowledgement."""

    async def main():
        pair = Pair(tables)
        await pair.claim()
        letters = await pair.put(b"1", b"2")
        await pair.fetch()
        if moved:
            await pair.move()
        state = await pair.claim(tables.open())
        assert state.lines == ([b"1", b"2"] if moved else [])
        assert await pair.move() == ([] if moved else [b"1", b"2"])
        await pair.acknowledge(2)
        assert [await pair.result(letter) for letter in letters] == [None, None]
        assert await stored(tables) == ([], [], 0)

    run(main())


def test_owner_that_has_lost_the_client_moves_nothing(tables):
    async def main():
        pair = Pair(tables)
        first, other = pair.owner, tables.open()
        mine = await pair.claim()
        await pair.put(b"1")
        await pair.fetch()
        theirs = await other.claim("a")
        with pytest.raises(Fenced):
            await first.others.move("a", mine.owner, 0, 10)
        assert await stored(tables) == ([], [], 1)
        assert [message.data for message, _ in await other.others.move("a", theirs.owner, 0, 10)] == [b"1"]
        with pytest.raises(Fenced):
            await first.acknowledge("a", mine.owner, {0: 0})
        assert await stored(tables) == ([b"1"], [0], 1)

    run(main())


@pytest.mark.parametrize("step", ["enter", "put", "results", "unwatch"])
@pytest.mark.parametrize("committed", [True, False])
def test_call_of_the_writer_whose_outcome_is_unknown_is_done_once(tables, monkeypatch, step, committed):
    monkeypatch.setattr(postgres_database, "PAUSE_S", 0.01)
    true, broken = getattr(postgres_mail, step), []

    async def breaks(*args):
        if not broken:
            broken.append(step)
            if committed:
                await true(*args)
            raise ConnectionResetError("the network is gone")
        return await true(*args)

    monkeypatch.setattr(postgres_mail, step, breaks)

    async def main():
        pair = Pair(tables)
        await pair.claim()
        letters = await pair.put(b"1", b"2")
        late = await pair.writer.others.put("a", Message(0, 0, 1, b"late"), True)
        assert "was not accepted in time" in str(await pair.result(late))
        await pair.fetch()
        assert await pair.move() == [b"1", b"2"]
        await pair.acknowledge(2)
        assert [await pair.result(letter) for letter in letters] == [None, None]
        await until(lambda: not pair.writer.others._letters._done, "the end of the late one")
        assert await stored(tables) == ([], [], 0)
        assert broken

    run(main())


def test_writer_waits_for_room_in_its_order_and_a_cancelled_call_withdraws_its_message(tables, monkeypatch):
    statements, put = [], postgres_mail.put

    async def counted(*args):
        statements.append(args)
        return await put(*args)

    monkeypatch.setattr(postgres_mail, "put", counted)

    async def main():
        owner = tables.open()
        pair = Pair(tables)
        pair.writer = tables.open(outbox_bytes=100)
        await pair.claim(owner)
        lines = [b"%d" % number * 40 for number in range(4)]
        puts = [asyncio.create_task(pair.writer.others.put("a", a_line(line))) for line in lines]
        await within(asyncio.wait([puts[0]]))
        other = asyncio.create_task(pair.writer.others.put("a", Message(20, 0, 0, b"another channel")))
        await within(other)
        puts[1].cancel()
        await asyncio.wait([puts[1]])
        assert not puts[2].done() and not puts[3].done()
        assert len(statements) <= 3  # nothing is tried again before there may be room
        moved = []
        while len(moved) < 3:
            await pair.fetch()
            moved += await pair.move()
            await pair.acknowledge(len(moved) - pair.base)
            pair.writer.others._letters.retry()
            await asyncio.sleep(0.01)
        assert moved == [lines[0], *lines[2:]]
        await asyncio.gather(*puts[2:])
        assert await pair.fetch() == []

    run(main())


@pytest.mark.parametrize("lock", [" FOR UPDATE OF m", ""])
def test_mail_that_ends_while_its_writer_stops_to_wait_is_removed(tables, monkeypatch, lock):
    assert postgres_mail._UNWATCH.count(" FOR UPDATE OF m") == 1
    monkeypatch.setattr(postgres_mail, "_UNWATCH", postgres_mail._UNWATCH.replace(" FOR UPDATE OF m", lock))

    async def main():
        writer = Writer(tables, tables.open().node)
        await writer.enter()
        one, owner = await connect(tables), await connect(tables)
        await writer.put(one, a_row(1, result=1))
        ends = owner.transaction()
        await ends.start()
        await owner.execute(f"UPDATE {tables.schema}.mail SET result = {postgres_mail.FORGOTTEN}")
        stops = asyncio.create_task(postgres_mail.unwatch(one, tables.schema, writer.node, [(1, 0, 1)]))
        waits = "SELECT true FROM pg_locks WHERE pid = $1 AND NOT granted"
        while not (stops.done() or await owner.fetchval(waits, one.get_server_pid())):
            await asyncio.sleep(0.01)
        await ends.commit()
        await stops
        for connection in (one, owner):
            await connection.close()
        return len(await tables.fetch("SELECT FROM {schema}.mail"))

    assert run(main()) == (0 if lock else 1)


def test_what_an_older_copy_of_the_database_does_not_have_is_not_taken_for_accepted(tables):
    async def main():
        pair = Pair(tables)
        letter, = await pair.put(b"1")
        await tables.fetch("DELETE FROM {schema}.mail")
        await tables.fetch("UPDATE {schema}.writer SET last = 0")
        error = await pair.result(letter)
        assert isinstance(error, StoreError) and "has lost the message" in str(error)

    run(main())


def test_mail_is_counted_examined_and_copied(tables, tmp_path):
    async def main():
        pair = Pair(tables)
        await pair.claim()
        await pair.put(b"1", watched=False)
        await pair.fetch()
        await pair.move()
        await pair.put(b"23", b"4", watched=False)
        backlog, = await pair.owner.backlogs()
        assert (backlog["lines"], backlog["bytes"]) == (3, 4)

    run(main())
    place = tables.server.url, tables.schema
    assert postgres_admin.check(*place) == {"clients": 1, "messages": 3, "bytes": 4}
    assert tables.stores[0]._wait(tables.stores[0]._database.total_cost) == 4 + 3 * 32
    target = copying._File(str(tmp_path / "copy.db"), False)
    source = postgres_copy.Tables(*place)
    target.write(source.read(["a"]))
    target.close()
    source.close()
    store = SQLiteStore(str(tmp_path / "copy.db"))
    assert asyncio.run(store.claim("a")).lines == [b"1", b"23", b"4"]
    store.close()

