"""The statements about readers, under the cases that each of their conditions is for; each condition taken away must
show."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from server.stores import postgres_reading_statements as statements
from server.stores import postgres_schema
from server.stores.postgres_reading_statements import SERVED, move_statement
from tests.patience import PATIENCE_S
from tests.server import postgres

LEASE = timedelta(seconds=30)
MINE, OTHER, DEAD = 1, 2, 3  # processes


class Bed:
    """Two clients, a (key 1) and b (key 2). Three processes, of which one was not seen for a minute.

    Args: changed: one of the statements; change: (text of it, what stands there instead)."""

    def __init__(self, changed, change):
        self.schema = postgres.new_schema()
        self.changed = changed
        self._change = change
        self.connections = []

    async def connect(self):
        self.connections.append(await asyncpg.connect(postgres.server().url))
        return self.connections[-1]

    async def begin(self):
        self.db = await self.connect()
        await postgres_schema.make(self.db, self.schema)
        await self.do("INSERT INTO {schema}.client (id, epoch, node) VALUES ('a', '', 9), ('b', '', 9)")
        await self.do(
            "INSERT INTO {schema}.node (name, version, seen) VALUES ('mine', '', clock_timestamp()), "
            "('other', '', clock_timestamp()), ('dead', '', clock_timestamp() - interval '1 minute')"
        )

    async def do(self, statement, *args, on=None):
        return [tuple(row) for row in await (on or self.db).fetch(statement.format(schema=self.schema), *args)]

    async def run(self, statement, *args, on=None):
        """Returns the rows of one of the statements, changed as this bed has it."""
        if statement is self.changed:
            before, after = self._change
            assert statement.count(before) == 1
            statement = statement.replace(before, after)
        return await self.do(statement, *args, on=on)

    async def reading(self, client, channel, reader, process, number=0, gone=None):
        row = client, channel, reader, process, number, number if gone is None else gone
        await self.do("INSERT INTO {schema}.reading VALUES ($1, $2, $3, $4, $5, $6)", *row)

    async def readings(self):
        """{(client, channel): (reader, process, next)}"""
        rows = await self.do("SELECT client, channel, reader, process, next FROM {schema}.reading")
        return {row[:2]: row[2:] for row in rows}

    async def gone(self):
        """{(client, channel): gone}"""
        rows = await self.do("SELECT client, channel, gone FROM {schema}.reading")
        return {row[:2]: row[2] for row in rows}

    async def claim(self, *places, process=MINE, on=None):
        ids, channels = [place[0] for place in places], [place[1] for place in places]
        rows = await self.run(statements.CLAIM, process, LEASE, ids, channels, on=on)
        assert all(row[6] == 9 for row in rows)  # the node of each client
        self.own = {row[1:3]: row[5] for row in rows}
        return sorted(row[:5] for row in rows)

    async def moved(self, *rows):
        """Returns the places that have been moved. rows: (client, channel, reader, next, gone)."""
        columns = [list(column) for column in zip(*rows)]
        statement = move_statement("{schema}")
        if self.changed is statements.MOVE:
            assert self._change[0] in statement
            statement = statement.replace(*self._change)
        return sorted(await self.do(statement, *columns))


# Each is what one statement must do, or must not. It returns what there is to see.


async def first_claim(bed):
    return await bed.claim(("a", 0), ("b", 3)), await bed.readings()


async def claim_of_another_channel(bed):
    await bed.reading(1, 5, 7, OTHER)
    return await bed.claim(("a", 0)), await bed.readings()


async def claim_of_another_client(bed):
    await bed.reading(2, 0, 7, OTHER)
    return await bed.claim(("a", 0)), await bed.readings()


async def claim_of_an_unknown_client(bed):
    return await bed.claim(("nobody", 0))


async def claim_of_what_was_given_back(bed):
    await bed.reading(1, 0, 7, None, 4)
    return await bed.claim(("a", 0)), await bed.readings()


async def claim_of_what_a_dead_process_had(bed):
    await bed.reading(1, 0, 7, DEAD, 4)
    await bed.reading(2, 0, 9, 99, 5)  # one without a row
    return await bed.claim(("a", 0), ("b", 0)), await bed.readings()


async def claim_of_what_a_living_process_has(bed):
    await bed.reading(1, 0, 7, OTHER)
    return await bed.claim(("a", 0)), await bed.readings()


async def claim_of_what_is_mine(bed):
    await bed.reading(1, 0, 7, MINE, 4)
    return await bed.claim(("a", 0)), await bed.readings()


async def claim_only_of_what_is_wanted(bed):
    await bed.reading(1, 0, 7, None)
    await bed.reading(1, 5, 7, None)
    await bed.reading(2, 0, 7, None)
    return await bed.claim(("a", 0)), await bed.readings()


async def claim_while_its_reader_commits(bed):
    """The row of a dead process is locked: nobody waits for it."""
    await bed.reading(1, 0, 7, DEAD)
    other = await bed.connect()
    transaction = other.transaction()
    await transaction.start()
    await bed.do(statements.MOVE_WITH_EFFECT, 1, 0, 7, 3, 0, 3, on=other)
    limited = "SET statement_timeout = 2000"
    await bed.do(limited)
    found = await bed.claim(("a", 0))
    await transaction.commit()
    return found, await bed.claim(("a", 0))


async def claims_of_two_at_once(bed):
    """Both want a row that is there, and one that is not: each is one's alone."""
    await bed.reading(1, 0, 7, None)
    other, begun = await bed.connect(), await bed.connect()
    transaction = begun.transaction()
    await transaction.start()
    first = await bed.claim(("a", 0), ("b", 0), on=begun)
    second = asyncio.create_task(bed.claim(("a", 0), ("b", 0), process=OTHER, on=other))
    pid = other.get_server_pid()
    while not (second.done() or await bed.do("SELECT 1 FROM pg_locks WHERE pid = $1 AND NOT granted", pid)):
        await asyncio.sleep(0.01)
    await transaction.commit()
    return first, await second


async def move(bed):
    await bed.reading(1, 0, 7, MINE, 4)
    await bed.reading(1, 5, 7, MINE, 4)
    await bed.reading(2, 0, 7, MINE, 4)
    return await bed.moved((1, 0, 7, 6, 6)), await bed.readings()


async def move_of_a_fenced_reader(bed):
    await bed.reading(1, 0, 8, MINE, 4)
    await bed.reading(2, 0, 7, MINE, 4)
    return await bed.moved((1, 0, 7, 6, 6), (2, 0, 7, 9, 9)), await bed.readings()


async def effect(bed):
    await bed.reading(1, 0, 7, MINE, 4)
    await bed.reading(1, 5, 7, MINE, 4)
    await bed.reading(2, 0, 7, MINE, 4)
    return len(await bed.run(statements.MOVE_WITH_EFFECT, 1, 0, 7, 6, 4, 6)), await bed.readings()


async def effect_of_a_fenced_reader(bed):
    await bed.reading(1, 0, 8, MINE, 4)
    return len(await bed.run(statements.MOVE_WITH_EFFECT, 1, 0, 7, 6, 4, 6)), await bed.readings()


async def effect_of_what_was_processed(bed):
    await bed.reading(1, 0, 7, MINE, 5)
    return len(await bed.run(statements.MOVE_WITH_EFFECT, 1, 0, 7, 6, 4, 6)), await bed.readings()


async def release(bed):
    await bed.reading(1, 0, 7, MINE, 4)
    await bed.reading(1, 5, 7, MINE, 4)
    await bed.reading(2, 0, 7, MINE, 4)
    return await bed.run(statements.RELEASE, [1], [0], [7]), await bed.readings()


async def release_of_a_fenced_reader(bed):
    await bed.reading(1, 0, 8, OTHER, 4)
    return await bed.run(statements.RELEASE, [1], [0], [7]), await bed.readings()


async def gone(bed):
    """The reader may move back to what is not gone; another one begins at `next`, and nobody moves back behind that."""
    for channel, process in enumerate((MINE, DEAD, None, MINE, MINE, MINE, MINE)):
        await bed.reading(1, channel, 7, process, 6, 4)
    await bed.claim(("a", 0), ("a", 1), ("a", 2), ("a", 9))
    assert bed.own == {(1, 0): True, (1, 1): False, (1, 2): False, (1, 9): False}
    await bed.moved((1, 3, 7, 8, 7), (1, 6, 7, None, 5))
    assert (await bed.readings())[1, 6] == (7, MINE, 6)
    await bed.run(statements.MOVE_WITH_EFFECT, 1, 4, 7, 9, 6, 5)
    await bed.run(statements.RELEASE, [1], [5], [7])
    return await bed.gone(), sorted(row[1:3] for row in await bed.run(statements.READ, [1]))


async def messages(bed):
    await bed.do(
        "INSERT INTO {schema}.inbox VALUES (1, 3, 0, 0, 0, 'read'), (1, 4, 0, 0, 0, 'x'), (1, 5, 7, 1, 9, 'of 7'), "
        "(1, 6, 0, 0, 0, 'y'), (1, 7, 0, 0, 0, 'z'), (2, 4, 0, 0, 0, 'of b')"
    )
    return await bed.run(statements.MESSAGES, [1, 1, 2], [0, 7, 0], [4, 0, 5], 2)


async def news(bed):
    await bed.do("INSERT INTO {schema}.inbox VALUES (1, 3, 0, 0, 0, ''), (1, 4, 7, 0, 0, ''), (2, 5, 0, 0, 0, '')")
    places = [(1, 0, 3), (1, 0, 4), (1, 7, 4), (2, 0, 5), (2, 7, 5), (1, 7, 5)]
    return await bed.run(statements.NEWS, *[list(column) for column in zip(*places)])


async def read(bed):
    await bed.reading(1, 0, 7, MINE, 4)
    await bed.reading(1, SERVED, 7, MINE, 0)
    await bed.reading(2, 0, 7, MINE, 5)
    return await bed.run(statements.READ, [1])


# What must be seen.
RIGHT = {
    first_claim: ([("a", 1, 0, 1, 0), ("b", 2, 3, 1, 0)], {(1, 0): (1, MINE, 0), (2, 3): (1, MINE, 0)}),
    claim_of_another_channel: ([("a", 1, 0, 1, 0)], {(1, 0): (1, MINE, 0), (1, 5): (7, OTHER, 0)}),
    claim_of_another_client: ([("a", 1, 0, 1, 0)], {(1, 0): (1, MINE, 0), (2, 0): (7, OTHER, 0)}),
    claim_of_an_unknown_client: [],
    claim_of_what_was_given_back: ([("a", 1, 0, 8, 4)], {(1, 0): (8, MINE, 4)}),
    claim_of_what_a_dead_process_had: (
        [("a", 1, 0, 8, 4), ("b", 2, 0, 10, 5)],
        {(1, 0): (8, MINE, 4), (2, 0): (10, MINE, 5)},
    ),
    claim_of_what_a_living_process_has: ([], {(1, 0): (7, OTHER, 0)}),
    claim_of_what_is_mine: ([("a", 1, 0, 8, 4)], {(1, 0): (8, MINE, 4)}),
    claim_only_of_what_is_wanted: (
        [("a", 1, 0, 8, 0)],
        {(1, 0): (8, MINE, 0), (1, 5): (7, None, 0), (2, 0): (7, None, 0)},
    ),
    claim_while_its_reader_commits: ([], [("a", 1, 0, 8, 3)]),
    claims_of_two_at_once: ([("a", 1, 0, 8, 0), ("b", 2, 0, 1, 0)], []),
    move: ([(1, 0)], {(1, 0): (7, MINE, 6), (1, 5): (7, MINE, 4), (2, 0): (7, MINE, 4)}),
    move_of_a_fenced_reader: ([(2, 0)], {(1, 0): (8, MINE, 4), (2, 0): (7, MINE, 9)}),
    effect: (1, {(1, 0): (7, MINE, 6), (1, 5): (7, MINE, 4), (2, 0): (7, MINE, 4)}),
    effect_of_a_fenced_reader: (0, {(1, 0): (8, MINE, 4)}),
    effect_of_what_was_processed: (0, {(1, 0): (7, MINE, 5)}),
    gone: (
        {(1, 0): 4, (1, 1): 6, (1, 2): 6, (1, 3): 7, (1, 4): 5, (1, 5): 6, (1, 6): 5, (1, 9): 0},
        [(0, 4), (1, 6), (2, 6), (3, 7), (4, 5), (5, 6), (6, 5), (9, 0)],
    ),
    release: ([(1,)], {(1, 0): (7, None, 4), (1, 5): (7, MINE, 4), (2, 0): (7, MINE, 4)}),
    release_of_a_fenced_reader: ([], {(1, 0): (8, OTHER, 4)}),
    messages: [(1, 4, 0, 0, b"x"), (1, 6, 0, 0, b"y"), (2, 5, 1, 9, b"of 7")],
    news: [(1,), (3,), (4,)],
    read: [(1, 0, 4, MINE)],
}
# Each condition: (statement, its text, what stands there instead, the case that shows it).
CONDITIONS = [
    (statements.CLAIM, "c.id = w.id", "c.id = w.id OR true", claim_of_an_unknown_client),
    (statements.CLAIM, "ON w.client = r.client AND w.channel", "ON w.channel", claim_only_of_what_is_wanted),
    (statements.CLAIM, "r.client AND w.channel = r.channel", "r.client", claim_only_of_what_is_wanted),
    (statements.CLAIM, "n.id = r.process", "(n.id = r.process OR r.process IS NULL)", claim_of_what_was_given_back),
    (statements.CLAIM, "r.process = $1 OR ", "$1::bigint IS NULL OR ", claim_of_what_is_mine),
    (statements.CLAIM, " OR NOT EXISTS", " OR $2::interval IS NULL AND NOT EXISTS", claim_of_what_a_dead_process_had),
    (statements.CLAIM, "n.id = r.process AND ", "", claim_of_what_a_dead_process_had),
    (statements.CLAIM, "n.seen > clock_timestamp() - $2::interval", "$2::interval IS NOT NULL",
     claim_of_what_a_dead_process_had),
    (statements.CLAIM, "r.process = $1 OR NOT EXISTS (", "r.process = $1 OR EXISTS (",
     claim_of_what_a_living_process_has),
    (statements.CLAIM, " FOR UPDATE OF r SKIP LOCKED", "", claims_of_two_at_once),
    (statements.CLAIM, " SKIP LOCKED", " NOWAIT", claim_while_its_reader_commits),
    (statements.CLAIM, "reader = r.reader + 1", "reader = r.reader", claim_of_what_was_given_back),
    (statements.CLAIM, "WHERE r.client = f.client AND ", "WHERE ", claim_only_of_what_is_wanted),
    (statements.CLAIM, "f.client AND r.channel = f.channel", "f.client", claim_only_of_what_is_wanted),
    (statements.CLAIM, "WHERE r.client = w.client AND r.channel = w.channel)\n    ON",
     "WHERE r.channel = w.channel)\n    ON", claim_of_another_client),
    (statements.CLAIM, "w.client AND r.channel = w.channel)\n    ON", "w.client)\n    ON", claim_of_another_channel),
    (statements.CLAIM, "ON CONFLICT DO NOTHING", "", claims_of_two_at_once),
    (statements.CLAIM, "c.key = m.client", "c.key = m.client OR true", first_claim),
    (statements.CLAIM, "CASE WHEN r.process = $1 THEN r.gone ELSE r.next END", "r.gone", gone),
    (statements.CLAIM, "CASE WHEN r.process = $1 THEN r.gone ELSE r.next END", "r.next", gone),
    (statements.MOVE, ", gone = w.gone", "", gone),
    (statements.MOVE_WITH_EFFECT, ", gone = $6", ", gone = gone + 0 * $6", gone),
    (statements.RELEASE, ", gone = r.next", "", gone),
    (statements.READ, "gone, process", "next AS gone, process", gone),
    (statements.MOVE, "r.client = w.client AND ", "", move),
    (statements.MOVE, "r.channel = w.channel AND ", "", move),
    (statements.MOVE, " AND r.reader = w.reader", "", move_of_a_fenced_reader),
    (statements.MOVE_WITH_EFFECT, "client = $1 AND ", "$1::bigint > 0 AND ", effect),
    (statements.MOVE_WITH_EFFECT, "channel = $2 AND ", "$2::smallint >= 0 AND ", effect),
    (statements.MOVE_WITH_EFFECT, "reader = $3", "$3::bigint > 0", effect_of_a_fenced_reader),
    (statements.MOVE_WITH_EFFECT, "next = $5", "$5::bigint > 0", effect_of_what_was_processed),
    (statements.RELEASE, "r.client = w.client AND ", "", release),
    (statements.RELEASE, "r.channel = w.channel AND ", "", release),
    (statements.RELEASE, " AND r.reader = w.reader", "", release_of_a_fenced_reader),
    (statements.MESSAGES, "m.client = w.client AND ", "", messages),
    (statements.MESSAGES, "m.channel = w.channel AND ", "", messages),
    (statements.MESSAGES, " AND m.number >= w.number", "", messages),
    (statements.MESSAGES, "ORDER BY m.number LIMIT $4", "ORDER BY m.number DESC LIMIT $4", messages),
    (statements.MESSAGES, "LIMIT $4", "LIMIT $4 + 1", messages),
    (statements.NEWS, "m.client = w.client AND ", "", news),
    (statements.NEWS, "m.number >= w.number AND ", "", news),
    (statements.NEWS, " AND m.channel = w.channel", "", news),
    (statements.READ, "client = ANY($1::bigint[])", "$1::bigint[] IS NOT NULL", read),
    (statements.READ, " AND channel >= 0", "", read),
]  # fmt: skip


def seen(case, changed=None, change=("", "")):
    """What a case shows, with one statement changed, or the error that it ends with."""

    async def main():
        bed = Bed(changed, change)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await bed.begin()
                return await case(bed)
        except asyncpg.PostgresError as error:
            return type(error)
        finally:
            for connection in bed.connections:
                connection.terminate()

    return asyncio.run(main())


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.__name__)
def test_statement_does_what_it_is_for(case):
    assert seen(case) == RIGHT[case]


@pytest.mark.parametrize("statement, text, instead, case", CONDITIONS, ids=range(len(CONDITIONS)))
def test_each_condition_is_needed(statement, text, instead, case):
    assert seen(case, statement, (text, instead)) != RIGHT[case]
