"""Which databases of PostgreSQL are one store: each has one row in its table `shard`.

    id            of this database: drawn when its tables are made, and the same for ever. Clients are placed by it
                  (rendezvous.py), so neither its address nor its place in a list matters
    installation  of all databases of a store
    members       JSON, {id: address for people}: the databases of the store, among which the clients are placed
    moving        likewise, those of the store that `pb-link store move` is about to make of it (moving.py), or NULL

A server reads the rows after it has joined each database (postgres_nodes.py), and goes on only if they say that its
list is all of the store. A move that begins later removes the server's rows in `node`.
"""

import json
from collections import namedtuple

from protocol.errors import StoreError
from server.core.store import StoreGone
from server.stores import postgres_nodes

# where: the address for people; moving: None, or like `members`.
Shard = namedtuple("Shard", ("where", "installation", "id", "members", "moving"))

_TABLES = ("inbox", "outbox", "mail", "writer", "reading")  # that have rows of a client
_READ = "SELECT installation, id, members, moving FROM {schema}.shard"


async def read(connection, schema, where):
    """Returns the Shard of a database. Args: connection: of asyncpg; schema: quoted."""
    installation, own_id, members, moving = await connection.fetchrow(_READ.format(schema=schema))
    return Shard(where, installation, own_id, json.loads(members), moving and json.loads(moving))


async def begin_move(connection, schema, shard):
    """Have a database say that clients are being moved, as `moving` of this Shard says. Servers that use it end."""
    async with connection.transaction(isolation="read_committed"):
        await postgres_nodes.give_up_all(connection, schema)
        await _write(connection, schema, shard)


async def end_move(connection, schema, members):
    """Have a database say that it is one of these, and that no client is being moved."""
    await connection.execute(f"UPDATE {schema}.shard SET members = $1, moving = NULL", json.dumps(members))


async def _write(connection, schema, shard):
    statement = f"UPDATE {schema}.shard SET installation = $1, members = $2, moving = $3"
    await connection.execute(statement, shard.installation, json.dumps(shard.members), json.dumps(shard.moving))


async def clear(connection, schema, owners):
    """Remove all of these clients, which an interrupted move has left. Args: owners: {id: number of the owner where the
    client is moved from}. Raises: StoreError: one has been used here since."""
    async with connection.transaction(isolation="read_committed"):
        rows = await connection.fetch(
            f"SELECT key, id, owner FROM {schema}.client WHERE id = ANY($1::text[]) ORDER BY key FOR UPDATE",
            list(owners),
        )
        for row in rows:
            if row["owner"] > owners[row["id"]]:
                raise StoreError(f"client {row['id']} is in two databases, and has been used in both: ask for help")
        await _remove(connection, schema, [row["key"] for row in rows])


async def remove(connection, schema, versions):
    """Remove clients that are elsewhere. Args: versions: {key: version of its row}. Raises: StoreError: a server has
    written one meanwhile."""
    async with connection.transaction(isolation="read_committed"):
        rows = await connection.fetch(
            f"SELECT key, id, version FROM {schema}.client WHERE key = ANY($1::bigint[]) ORDER BY key FOR UPDATE",
            list(versions),
        )
        for row in rows:
            if row["version"] != versions[row["key"]]:
                raise StoreError(f"client {row['id']} is in use by a server: end all servers, and begin again")
        await _remove(connection, schema, list(versions))


async def _remove(connection, schema, keys):
    for table in _TABLES:
        await connection.execute(f"DELETE FROM {schema}.{table} WHERE client = ANY($1::bigint[])", keys)
    await connection.execute(f"DELETE FROM {schema}.client WHERE key = ANY($1::bigint[])", keys)


def check(shards):
    """Raises: StoreGone that says what is wrong, and what to do: these Shards are not all of one store."""
    check_same_store(shards)
    for one in shards:
        if one.moving is not None:
            raise StoreGone(
                f"{one.where}: clients are being moved between the databases of this store: "
                "run the same pb-link store move again, to its end"
            )
    check_members(shards, shards)


def check_same_store(shards):
    """Raises: StoreGone: two of them are one database, or of different stores."""
    check_different(shards)
    for one in shards:
        if one.installation != shards[0].installation:
            where = f"{one.where} is not of the same store as {shards[0].where}"
            raise StoreGone(f"{where}: name the databases of one store")


def check_different(shards):
    """Raises: StoreGone: two of them are one database."""
    places = {}
    for one in shards:
        if one.id in places:
            raise StoreGone(f"{places[one.id]} and {one.where} are the same database: name it once")
        places[one.id] = one.where


def check_members(shards, wanted):
    """Raises: StoreGone: one of the Shards does not say that the databases of its store are those of `wanted`."""
    ids = {one.id for one in wanted}
    for one in shards:
        if one.id not in one.members:
            raise StoreGone(f"{one.where} was taken out of its store by pb-link store move: name only the others")
        if missing := one.members.keys() - ids:
            names = ", ".join(sorted(f"{one.members[name] or 'a database'} (id {name})" for name in missing))
            raise StoreGone(f"{one.where} is one of {len(one.members)} databases of a store; missing: {names}")
        if more := ids - one.members.keys():
            names = ", ".join(other.where for other in wanted if other.id in more)
            raise StoreGone(f"{names}: not of the store that {one.where} is of: pb-link store move adds a database")
