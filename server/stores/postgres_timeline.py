"""The timeline in PostgreSQL: table `timeline` (postgres_schema.py), written with the statement of a batch.

Reading has connections of its own: neither the store nor the application's transactions wait for it, nor it for them.
"""

import asyncio

import asyncpg

from protocol.errors import StoreError
from server.stores.postgres_database import PASSING, within
from server.stores.timeline import ROW_COST, ROWS_AT_ONCE, Taken, Timeline

ASK_S = 15.0
READERS = 2  # connections that read
BESIDE_S = 5.0  # for a statement of messages with rows beside them: a table that is locked delays it by no more
_COLUMNS = {"level": "smallint", "begin": "bigint", "client": "bigint", "run": "bigint", "data": "bytea"}
_READ = """
SELECT t.begin, t.run, t.data FROM {schema}.timeline t
WHERE t.level = $1 AND t.begin = ANY($2::bigint[])
    AND t.client = CASE WHEN $3::text IS NULL THEN 0 ELSE (SELECT key FROM {schema}.client WHERE id = $3) END"""
# Of these clients ($5; NULL: of all that there are), and of the server, whose key is 0; behind a place.
_AFTER = f"""
SELECT t.level, t.begin, t.client, t.run, t.data, c.id FROM {{schema}}.timeline t
LEFT JOIN {{schema}}.client c ON c.key = t.client
WHERE (t.level, t.begin, t.client, t.run) > ($1, $2, $3, $4) AND ($5::bigint[] IS NULL OR t.client = ANY($5))
ORDER BY 1, 2, 3, 4 LIMIT {ROWS_AT_ONCE}"""
_SIZES = f"""
SELECT level, begin, sum(octet_length(data) + {ROW_COST})::bigint FROM {{schema}}.timeline GROUP BY level, begin"""


class PostgresTimeline(Timeline):
    """Args: transactions: Transactions (postgres_transactions.py) of its store; schema: quoted; the others: see
    Timeline."""

    def __init__(self, transactions, schema, key_of, tell=None):
        super().__init__(key_of, tell)
        self._transactions = transactions.beside(READERS)
        self._schema = schema

    def close(self, write, trouble=None):
        self._transactions.close()
        super().close(write, trouble)

    async def sizes(self):
        return await self._ask(_SIZES)

    async def _read(self, client_id, level, begins):
        return await self._ask(_READ, level, begins, client_id)

    async def _ask(self, statement, *args):
        connection, broken = None, True
        try:
            async with asyncio.timeout(ASK_S):
                connection, transaction = await self._transactions.connection()
                rows = await connection.fetch(statement.format(schema=self._schema), *args)
                await transaction.rollback()
            broken = False
            return [tuple(row) for row in rows]
        except (*PASSING, asyncpg.PostgresError) as error:
            raise StoreError(f"the timeline cannot be read: {str(error) or type(error).__name__}")
        finally:
            if connection is not None:
                await self._transactions.release(connection, broken)

    def _made(self, rows, cut):
        return PostgresTaken(rows, cut, self._failed)


async def rows_after(connection, schema, place, keys=None):
    """Returns (some rows: [(level, begin, client id or None: the server, run, data)], the next place), for
    PostgresDatabase.perform. place: the last one, or None: from the first on. The next one is None behind the last.
    keys: of the clients, 0 for the server; None: of all."""
    found = await connection.fetch(_AFTER.format(schema=schema), *(place or (-1, 0, 0, 0)), keys)
    rows = [(one["level"], one["begin"], one["id"], one["run"], one["data"]) for one in found if _has_owner(one)]
    return rows, tuple(found[-1])[:4] if found else None


def _has_owner(row):
    return row["client"] == 0 or row["id"] is not None


class PostgresTaken(Taken):
    """See Taken."""

    def parts(self, schema, first):
        """Returns the parts of `commit_statement` that do it. first: number of the first of their parameters, which are
        `columns`. Rows that another process deletes are left to it: no transaction waits for that."""
        names = ", ".join(_COLUMNS)
        arrays = ", ".join(f"${first + at}::{type}[]" for at, type in enumerate(_COLUMNS.values()))
        level, before, utc_s, row_s, most = (f"${first + len(_COLUMNS) + at}::bigint" for at in range(5))
        ahead = f"greatest(0, floor(({utc_s} - extract(epoch FROM now())) / {row_s}))::bigint"
        return f""",
keep_timeline AS (
    INSERT INTO {schema}.timeline ({names}) SELECT * FROM unnest({arrays})
    ON CONFLICT (level, begin, client, run) DO UPDATE SET data = excluded.data),
drop_timeline AS (
    DELETE FROM {schema}.timeline WHERE (level, begin, client, run) IN (
        SELECT level, begin, client, run FROM {schema}.timeline WHERE level = {level}::smallint
        AND begin < {before} - {ahead} ORDER BY level, begin LIMIT {most} FOR UPDATE SKIP LOCKED))"""

    def columns(self):
        """Returns the values of the parameters of `parts`."""
        return [[row[at] for row in self.rows] for at in range(len(_COLUMNS))] + list(self.cut or (-1, 0, 0, 1, 0))

    async def first(self, connection, send):
        """Returns what the coroutine function send(PostgresTaken or None) returns, which sends the statement of a batch
        for the first time: with these rows, and at once without them if PostgreSQL refuses them.

        Raises: of PASSING: it may have been done. Then the statement is sent again without the rows: what has kept it
        may be their table. They wait for a later one, which changes nothing if they were written."""
        try:
            return await within(BESIDE_S, connection, send(self))
        except PASSING as error:
            self.failed(error, again=True)
            raise
        except asyncpg.PostgresError as error:  # nothing of the statement was done
            self.failed(error)
            return await send(None)

    async def write(self, connection, schema):
        """Do it without messages, for PostgresDatabase.perform."""
        await connection.execute(f"WITH {self.parts(schema, 1)[2:]} SELECT", *self.columns())
