"""What `pb-link store` does with the tables in PostgreSQL: make, migrate and look at them. Nothing else runs then."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import asyncpg

from protocol.errors import StoreError
from server.core.store import LINE_COST
from server.stores import postgres_keys, postgres_schema, postgres_shards
from server.stores.moving import check_places, move
from server.stores.opened import shown_address
from server.stores.postgres_database import CLOSE_S, CONNECT_S, STATEMENT_S, one_by_one, within
from server.stores.postgres_nodes import SILENT
from server.stores.postgres_schema import SCHEMA, quoted

_FAILURES = (asyncpg.InterfaceError, asyncpg.TargetServerAttributeNotMatched, OSError, TimeoutError)
# Of the messages of each client, what the client's row says of them.
_WRONG = """
SELECT c.id, c.messages, count(m.client) AS found, c.cost, coalesce(sum(octet_length(m.data) + {each}), 0) AS costs
FROM {schema}.client c LEFT JOIN (
    SELECT client, data FROM {schema}.inbox UNION ALL SELECT client, data FROM {schema}.outbox) m ON m.client = c.key
GROUP BY c.key HAVING count(m.client) <> c.messages
    OR coalesce(sum(octet_length(m.data) + {each}), 0) <> c.cost ORDER BY c.id
"""
_CLIENTS = f"""
SELECT c.id, n.name AS node, c.connections FROM {{schema}}.client c
LEFT JOIN {{schema}}.node n ON n.id = c.node AND c.connected AND n.seen > now() - interval '{SILENT}' ORDER BY c.id
"""
_NODES = f"""
SELECT name, address, version, seen > now() - interval '{SILENT}' AS alive,
    CASE WHEN seen > now() - interval '{SILENT}' THEN clients ELSE 0 END AS clients,
    round(extract(epoch FROM now() - started))::bigint AS up_s,
    round(extract(epoch FROM now() - seen), 1)::float8 AS silent_s
FROM {{schema}}.node ORDER BY address = '', name, id
"""
_ORPHANS = "SELECT count(*) FROM {schema}.{table} m WHERE NOT EXISTS (SELECT FROM {schema}.client WHERE key = m.client)"


def init(address, schema=SCHEMA, role=None, if_missing=False):
    """Make the tables. Args: address: of a database, or a list of several, which become one store; role: of the
    servers, if they connect as another one than this; if_missing: if all databases have tables, those of this release
    are no error. Returns whether they were made. Raises: StoreError."""
    urls = _listed(address)
    if if_missing and all(_run(url, lambda connection: postgres_schema.version_of(connection, schema)) for url in urls):
        for url in urls:
            _run(url, lambda connection, url=url: postgres_schema.check(connection, schema, shown_address(url)))
        return False
    for url in urls:
        _run(url, lambda connection: postgres_schema.refuse_made(connection, schema))
    for url in urls:
        _run(url, lambda connection: postgres_schema.make(connection, schema, role))
    if len(urls) > 1:
        move(urls[:1], urls, schema)
    return True


def migrate(address, schema=SCHEMA):
    """Bring the tables to this release's version, in each database. Returns (oldest version before, version now).
    Raises: StoreError."""
    before = [_run(url, lambda connection: postgres_schema.migrate(connection, schema)) for url in _listed(address)]
    return min(before), postgres_schema.VERSION


def clients(address, schema=SCHEMA):
    """Returns a list of a dict for each client that has ever connected: id; node: the name of the server to which it is
    connected, or None; connections: so far. Args: address: as of `init`. Raises: StoreError."""
    return sorted(_of_all(address, schema, _CLIENTS), key=lambda row: row["id"])


def nodes(address, schema=SCHEMA):
    """Returns a list of a dict for each process that uses the database: name, address ("" without a listener), version,
    clients, alive, up_s and silent_s: seconds since its start and its last sign of life. One that uses several
    databases of a store is one. Args: address: as of `init`. Raises: StoreError."""
    rows, found = _of_all(address, schema, _NODES), {}
    if len(_listed(address)) == 1:
        return rows
    for row in rows:
        one = found.setdefault((row["name"], row["address"]), row)
        if one is not row:
            one["clients"] += row["clients"]
            one["alive"] = one["alive"] or row["alive"]
            one["up_s"] = max(one["up_s"], row["up_s"])
            one["silent_s"] = min(one["silent_s"], row["silent_s"])
    return list(found.values())


def _of_all(address, schema, statement):
    """Returns the rows of a statement in each of the databases, as dicts."""
    return [
        row for url in _listed(address)
        for row in _run(url, lambda connection, url=url: _rows(connection, schema, url, statement), STATEMENT_S)
    ]  # fmt: skip


async def _rows(connection, schema, url, statement):
    await postgres_schema.check(connection, schema, shown_address(url))
    return [dict(row) for row in await connection.fetch(statement.format(schema=quoted(schema)))]


def keys(url, schema=SCHEMA):
    """Returns (stamp, dict from id to key, set of ids): see postgres_keys.read. Raises: StoreError, ValueError."""
    return _run(url, lambda connection: _with_keys(connection, schema, url, postgres_keys.read), STATEMENT_S)


def change_key(url, client_id, function, schema=SCHEMA):
    """Change the key of a client: see postgres_keys.change. Raises: StoreError, and what the function raises."""

    def work(connection):
        return _with_keys(connection, schema, url, postgres_keys.change, client_id, function, changes=True)

    return _run(url, work, STATEMENT_S)


def add_keys(url, function, schema=SCHEMA):
    """Add keys: see postgres_keys.add_all. Raises: StoreError, and what the function raises."""

    def work(connection):
        return _with_keys(connection, schema, url, postgres_keys.add_all, function, changes=True)

    return _run(url, work, STATEMENT_S)


async def _with_keys(connection, schema, url, function, *args, changes=False):
    await postgres_schema.check(connection, schema, shown_address(url))
    try:
        result = await function(connection, quoted(schema), *args)
    except asyncpg.InsufficientPrivilegeError as error:
        who = "whoever has made the tables may: --store postgresql://OWNER@.." if changes else "give it the right to"
        raise StoreError(f"{shown_address(url)}: {error.args[0]}: {who}")
    if changes:
        await postgres_keys.tell(connection, schema)
    return result


def check(address, schema=SCHEMA):
    """Look at all that is stored. Returns a dict: clients, messages, bytes. Raises: StoreError: what is wrong."""
    urls = _listed(address)
    found = [_run(url, lambda connection, url=url: _checked(connection, schema, shown_address(url))) for url in urls]
    check_places(urls, schema)
    return {name: sum(one[name] for one in found) for name in found[0]}


def look(address, schema=SCHEMA):
    """See whether servers could use the store, by reading a few rows. Returns its format. Raises: StoreError: a
    database does not answer, its tables are not of this release, or these are not the databases of one store."""

    async def read(connection, url):
        await postgres_schema.check(connection, schema, shown_address(url))
        return await postgres_shards.read(connection, quoted(schema), shown_address(url))

    urls = _listed(address)
    shards = [_run(url, lambda connection, url=url: read(connection, url), STATEMENT_S) for url in urls]
    postgres_shards.check(shards)
    return postgres_schema.VERSION


def _listed(address):
    return [address] if isinstance(address, str) else list(address)


async def _checked(connection, schema, where):
    await postgres_schema.check(connection, schema, where)
    names = {"schema": quoted(schema), "each": LINE_COST}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        wrong = await connection.fetch(_WRONG.format(**names))
        if wrong:
            one = wrong[0]
            raise StoreError(
                f"{where}: {len(wrong)} clients have other messages than their rows say; the first is {one['id']}: "
                f"{one['found']} of {one['messages']}. Put a back-up in its place"
            )
        for table in ("inbox", "outbox", "mail"):
            count = await connection.fetchval(_ORPHANS.format(table=table, **names))
            if count:
                raise StoreError(f"{where}: {count} messages of table {table} belong to no client")
        row = await connection.fetchrow(
            f"SELECT count(c.key) AS clients, coalesce(sum(c.messages), 0)::bigint + min(m.count) AS messages, "
            f"coalesce(sum(c.cost - c.messages * {LINE_COST}), 0)::bigint + min(m.bytes) AS bytes FROM ("
            "SELECT count(*), coalesce(sum(octet_length(data)), 0)::bigint AS bytes "
            f"FROM {quoted(schema)}.mail WHERE serial IS NULL AND result < 2) m "
            f"LEFT JOIN {quoted(schema)}.client c ON true"
        )
    return dict(row)


async def _connected(url):
    """Returns a connection to the first of the hosts that can be written."""
    said = []
    for one in one_by_one(url):
        try:
            async with asyncio.timeout(CONNECT_S):
                return await asyncpg.connect(one, target_session_attrs="read-write")
        except (asyncpg.PostgresError, *_FAILURES, ValueError) as error:
            said.append(str(error) or type(error).__name__)
    raise StoreError(f"{shown_address(url)} cannot be reached: {'; '.join(said)}")


def _run(url, work, seconds=None):
    """Returns what the coroutine function (connection) returns. seconds: that it may take, or None: the store is large,
    and nothing else runs."""

    async def main():
        connection = await _connected(url)
        try:
            return await (work(connection) if seconds is None else within(seconds, connection, work(connection)))
        except (asyncpg.PostgresError, *_FAILURES) as error:
            raise StoreError(f"{shown_address(url)}: {error or type(error).__name__}")
        finally:
            try:
                await connection.close(timeout=CLOSE_S)
            except (asyncpg.PostgresError, *_FAILURES):
                connection.terminate()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main())
    with ThreadPoolExecutor(1) as thread:  # a server that starts, whose loop waits for its keys
        return thread.submit(lambda: asyncio.run(main())).result()
