"""The keys of clients in the database, where the servers' settings say so, in place of a key file.

    client_key   id, key, next: the new key while the key is being changed; repl: the key allows the REPL
    key_change   one row: stamp, another one with each change. Whoever changes a key has locked it

Servers learn of a change from the stamp, which their heartbeat reads (postgres_others.py), at once with the hint.
What may be done to a key is not known here: server/service/key_changes.py.
"""

from protocol.credentials import parse_key
from server.stores.postgres_hints import ALL, channel_of

HINT = "keys"
_READ = """
SELECT c.stamp::text, k.id, k.key, k.next, k.repl
FROM {schema}.key_change c LEFT JOIN {schema}.client_key k ON true ORDER BY k.id
"""
_LOCK = "SELECT FROM {schema}.key_change FOR UPDATE"
_CHANGED = "UPDATE {schema}.key_change SET stamp = gen_random_uuid()"
# A server may change a key and no more, so each statement names what it changes.
_INSERT = "INSERT INTO {schema}.client_key (id, key, next, repl) VALUES ($1, $2, $3, $4)"
_SET_KEY = "UPDATE {schema}.client_key SET key = $2, next = $3 WHERE id = $1"
_SET_REPL = "UPDATE {schema}.client_key SET repl = $2 WHERE id = $1"
_DELETE_SAME = (
    "DELETE FROM {schema}.client_key WHERE id = $1 AND key = $2 AND next IS NOT DISTINCT FROM $3 AND repl = $4"
)
_DELETE = "DELETE FROM {schema}.client_key WHERE id = $1"


async def read(connection, schema):
    """Returns (stamp, dict from id to key or [old, new], set of the ids whose key allows the REPL).

    Args: connection: of asyncpg; schema: quoted. Raises: ValueError: what is there is no key."""
    rows = await connection.fetch(_READ.format(schema=schema))
    found = [row for row in rows if row["id"] is not None]
    return rows[0]["stamp"], {row["id"]: _key(row) for row in found}, {row["id"] for row in found if row["repl"]}


async def change(connection, schema, client_id, function):
    """Change the key of one client. Changes come one after the other.

    Args: as `read`; function((key, repl) or None), which returns the same as it is from then on. Returns that. Raises:
    what the function raises, and then nothing is changed."""
    async with connection.transaction():
        await connection.execute(_LOCK.format(schema=schema))
        statement = f"SELECT id, key, next, repl FROM {schema}.client_key WHERE id = $1"
        row = await connection.fetchrow(statement, client_id)
        before = None if row is None else (_key(row), row["repl"])
        after = function(before)
        if after == before:
            return after
        if after is None:
            await connection.execute(_DELETE.format(schema=schema), client_id)
        elif before is None:
            await connection.execute(_INSERT.format(schema=schema), client_id, *_columns(after))
        else:
            await connection.execute(_SET_KEY.format(schema=schema), client_id, *_columns(after)[:2])
            if after[1] != before[1]:
                await connection.execute(_SET_REPL.format(schema=schema), client_id, after[1])
        await connection.execute(_CHANGED.format(schema=schema))
    return after


async def add_all(connection, schema, function):
    """Add keys, all or none. Args: as `read`; function({id: (key, repl)}) is called with all that are there, and
    returns those that are to be added. Returns how many these are. Raises: what the function raises."""
    async with connection.transaction():
        await connection.execute(_LOCK.format(schema=schema))
        _, keys, repl = await read(connection, schema)
        added = function({client_id: (key, client_id in repl) for client_id, key in keys.items()})
        if added:
            rows = [(client_id, *_columns(entry)) for client_id, entry in added.items()]
            await connection.executemany(_INSERT.format(schema=schema), rows)
            await connection.execute(_CHANGED.format(schema=schema))
    return len(added)


async def remove(connection, schema, entries):
    """Remove keys that are elsewhere, all or none, but not those that are other ones by now. Args: as `read`; entries:
    {id: (key, repl)}."""
    async with connection.transaction():
        await connection.execute(_LOCK.format(schema=schema))
        rows = [(client_id, *_columns(entry)) for client_id, entry in entries.items()]
        await connection.executemany(_DELETE_SAME.format(schema=schema), rows)
        await connection.execute(_CHANGED.format(schema=schema))


async def tell(connection, schema_name):
    """Have all servers look. Args: schema_name: not quoted."""
    await connection.execute("SELECT pg_notify($1, $2)", channel_of(schema_name, ALL), HINT + ":")


class PostgresKeys:
    """The keys in the database of a store that is open.

    Args: perform: coroutine function (function (connection, schema, ..), *args), which returns what that returns."""

    def __init__(self, perform):
        self._perform = perform
        self.stamp = None  # that was seen last
        self.on_changed = None  # function (): there is another stamp

    def seen(self, stamp):
        """The heartbeat has read this stamp."""
        if stamp != self.stamp:
            self.stamp = stamp
            if self.on_changed is not None:
                self.on_changed()

    async def read(self):
        """As the function `read`. Raises: StoreError, ValueError."""
        return await self._perform(read)

    async def change(self, client_id, function):
        """As the function `change`. Raises: StoreError, and what the function raises."""
        return await self._perform(change, client_id, function)


def _key(row):
    try:
        key = parse_key(row["key"])
        return key if row["next"] is None else [key, parse_key(row["next"])]
    except ValueError as error:
        raise ValueError(f"key of {row['id']} in the database: {error}") from None


def _columns(entry):
    key, repl = entry
    return (*key, repl) if isinstance(key, list) else (key, None, repl)
