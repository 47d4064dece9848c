"""The statement of a batch under the races that it is for, and each of its conditions taken away: that must show.

What a test sends here is what the store sends; the moments are made by locks of other connections.
"""

import asyncio

import asyncpg
import pytest

from server.stores import postgres_schema
from server.stores.postgres_record import PostgresRecord
from server.stores.postgres_statements import Changes, columns_of, commit_statement
from tests.patience import PATIENCE_S
from tests.server import postgres
from tests.server.store_calls import a_line

# What is taken away: (text of the statement, what stands there instead).
CONDITIONS = {
    "the version": (" AND locked.version = w.version", ""),
    "new messages only of clients that are still ours": (" JOIN ok ON ok.key = r.client", ""),
    "old messages only of clients that are still ours": (" JOIN ok ON ok.key = d.client", ""),
}


class Races:
    """A client with one message, claimed by one server and then by another one."""

    def __init__(self, schema, change=("", "")):
        self.schema = schema
        self._change = change

    async def connect(self):
        return await asyncpg.connect(postgres.server().url)

    async def begin(self):
        connection = await self.connect()
        await postgres_schema.make(connection, self.schema)
        await connection.execute(
            f"INSERT INTO {self.schema}.client (id, epoch, owner, messages, cost, inbox_next) "
            "VALUES ('a', '', 1, 1, 33, 1)"
        )
        await connection.execute(f"INSERT INTO {self.schema}.inbox VALUES (1, 0, 0, 0, 0, 'x')")
        await connection.close()

    def record(self):
        """The record as the first server has it."""
        found = {"key": 1, "owner": 1, "version": 0, "epoch": b"", "inbox_next": 2}
        return PostgresRecord("a", found)

    async def late(self, connection):
        """What the first server still writes. Returns the keys of which it was done."""
        tables, values = self.changes().columns()
        statement = commit_statement(self.schema, tables)
        before, after = self._change
        assert before in statement
        rows = await connection.fetch(
            statement.replace(before, after), b"batch", *columns_of([self.record().row()]), *values
        )
        return [row["key"] for row in rows]

    def changes(self):
        changes = Changes()
        changes.append("inbox", 1, 1, [a_line(b"late")])
        changes.delete("inbox", 1, [0])
        return changes

    async def claim(self, connection):
        await connection.execute(f"UPDATE {self.schema}.client SET owner = 2, version = version + 1")

    async def found(self):
        """(owner, what the inbox has)."""
        connection = await self.connect()
        owner = await connection.fetchval(f"SELECT owner FROM {self.schema}.client")
        rows = await connection.fetch(f"SELECT data FROM {self.schema}.inbox ORDER BY number")
        await connection.close()
        return owner, [row["data"] for row in rows]


class MailRaces(Races):
    """Likewise, with a message of the mail that the first server has fetched."""

    KEY = 1, 0, 9, 1

    def __init__(self, schema, change, what, watched):
        super().__init__(schema, change)
        self._what = what
        self._watched = watched

    async def begin(self):
        await super().begin()
        connection = await self.connect()
        await connection.execute(
            f"INSERT INTO {self.schema}.mail VALUES (1, 0, 9, 1, DEFAULT, 0, 0, 'mail', NULL, {self._watched})"
        )
        await connection.close()

    def changes(self):
        changes = Changes()
        if self._what == "drop":
            changes.drop(self.KEY)
        elif self._what == "move":
            changes.move(self.KEY, 5)
        else:
            changes.settle(self.KEY, 2)
        return changes

    async def found(self):
        """What the mail has."""
        connection = await self.connect()
        rows = await connection.fetch(f"SELECT serial, result, data FROM {self.schema}.mail")
        await connection.close()
        return [tuple(row) for row in rows]


async def after_the_claim(races):
    """The batch comes when the claim is done."""
    one, other = await races.connect(), await races.connect()
    await races.claim(other)
    done = await races.late(one)
    await one.close()
    await other.close()
    return done


async def waiting_for_the_claim(races):
    """The batch comes while the claim has the row, and waits."""
    one, other = await races.connect(), await races.connect()
    claim = other.transaction()
    await claim.start()
    await races.claim(other)
    late = asyncio.create_task(races.late(one))
    pid = one.get_server_pid()
    while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE pid = $1 AND NOT granted", pid):
        await asyncio.sleep(0.01)
    await claim.commit()
    done = await late
    await one.close()
    await other.close()
    return done


def outcome(scenario, change=("", "")):
    """(keys of which the late batch was done, owner, inbox)."""

    async def main():
        async with asyncio.timeout(PATIENCE_S):
            races = Races(postgres.new_schema(), change)
            await races.begin()
            return await scenario(races), *await races.found()

    return asyncio.run(main())


NOTHING = ([], 2, [b"x"])


@pytest.mark.parametrize("scenario", [after_the_claim, waiting_for_the_claim])
def test_late_batch_does_nothing(scenario):
    assert outcome(scenario) == NOTHING


@pytest.mark.parametrize("scenario", [after_the_claim, waiting_for_the_claim])
@pytest.mark.parametrize("name", CONDITIONS)
def test_each_condition_is_needed(name, scenario):
    assert outcome(scenario, CONDITIONS[name]) != NOTHING


async def after_another_branch(races):
    """The database has lost the newest commits, and another server has written as often since."""
    one = await races.connect()
    await one.execute(f"UPDATE {races.schema}.client SET owner = 2, batch = 'another'")
    done = await races.late(one)
    await one.close()
    return done


def test_batch_of_a_past_that_the_database_has_lost_does_nothing_although_the_version_is_its():
    assert outcome(after_another_branch) == NOTHING
    batch = " AND locked.batch IS NOT DISTINCT FROM w.batch"
    assert outcome(after_another_branch, (batch.replace(" AND", "\n        AND"), "")) != NOTHING


def test_batches_with_the_same_clients_in_another_order_do_not_lock_each_other_out():
    """Both servers lock the rows in one order."""

    async def main():
        schema = postgres.new_schema()
        connections = [await asyncpg.connect(postgres.server().url) for _ in range(2)]
        await postgres_schema.make(connections[0], schema)
        count = 200
        await connections[0].execute(
            f"INSERT INTO {schema}.client (id, epoch) SELECT 'c' || n, '' FROM generate_series(1, {count}) AS n"
        )
        statement = commit_statement(schema, [])

        async def write(connection, keys):
            for version in range(20):
                last = {"version": version, "batch": b"batch" if version else None}
                rows = [PostgresRecord(f"c{key}", {"key": key, **last}).row() for key in keys]
                await connection.fetch(statement, b"batch", *columns_of(rows))

        keys = list(range(1, count + 1))
        await asyncio.gather(write(connections[0], keys), write(connections[1], keys[::-1]))
        versions = await connections[0].fetch(f"SELECT DISTINCT version FROM {schema}.client")
        for connection in connections:
            await connection.close()
        return [row["version"] for row in versions]

    async def limited():
        async with asyncio.timeout(PATIENCE_S):
            return await main()

    assert asyncio.run(limited()) == [20]


# What becomes of the mail: (what is written, whether its writer waits to know, what the mail has then).
OF_MAIL = [
    ("move", 0, [(5, 0, b"")]),
    ("drop", 1, []),
    ("settle", 0, []),
    ("settle", 1, [(None, 2, b"")]),
]


def mail_after(what, watched, scenario, change=("", "")):
    """What the mail has when the first server's batch has come."""

    async def main():
        async with asyncio.timeout(PATIENCE_S):
            races = MailRaces(postgres.new_schema(), change, what, watched)
            await races.begin()
            await scenario(races)
            return await races.found()

    return asyncio.run(main())


async def in_time(races):
    connection = await races.connect()
    await races.late(connection)
    await connection.close()


@pytest.mark.parametrize(("what", "watched", "then"), OF_MAIL)
def test_mail_is_written_by_its_owner_alone(what, watched, then):
    untouched = [(None, watched, b"mail")]
    assert mail_after(what, watched, in_time) == then
    for scenario in (after_the_claim, waiting_for_the_claim):
        assert mail_after(what, watched, scenario) == untouched
        without = " JOIN ok ON ok.key = d.client", ""
        assert mail_after(what, watched, scenario, without) != untouched


async def while_its_writer_stops(races):
    """Its writer does not wait to know any more: that is committed while the batch waits for the row."""
    writer, owner = await races.connect(), await races.connect()
    stops = writer.transaction()
    await stops.start()
    await writer.execute(f"UPDATE {races.schema}.mail SET result = 0")
    batch = asyncio.create_task(races.late(owner))
    pid = owner.get_server_pid()
    while not (batch.done() or await writer.fetchval("SELECT true FROM pg_locks WHERE pid = $1 AND NOT granted", pid)):
        await asyncio.sleep(0.01)
    await stops.commit()
    await batch
    for connection in (writer, owner):
        await connection.close()


def test_mail_that_has_ended_goes_when_its_writer_has_stopped_to_wait():
    assert mail_after("settle", 1, while_its_writer_stops) == []
    assert mail_after("settle", 1, while_its_writer_stops, (" FOR UPDATE OF b", "")) != []


@pytest.mark.parametrize(
    ("what", "key", "condition"),
    [
        ("move", (1, 0, 9, 2), " AND b.number = d.number"),
        ("move", (1, 0, 8, 1), " AND b.writer = d.writer"),
        ("drop", (1, 7, 9, 1), " AND b.channel = d.channel"),
    ],
)
def test_mail_is_told_apart_by_its_whole_key(what, key, condition):
    async def main(change):
        async with asyncio.timeout(PATIENCE_S):
            races = MailRaces(postgres.new_schema(), change, what, 0)
            races.KEY = key
            await races.begin()
            await in_time(races)
            return await races.found()

    untouched = [(None, 0, b"mail")]
    assert asyncio.run(main(("", ""))) == untouched
    assert asyncio.run(main((condition, ""))) != untouched
