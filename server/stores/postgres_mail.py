"""What a process that does not own a client reads and writes in PostgreSQL, to have messages delivered to it: the mail.

**Exactly once, from writer to owner.** The writer gives each message a number, which counts per client and channel. Its
row in `writer` has the last one that was put. A statement locks that row, and puts only what has higher numbers: so a
statement that is sent again, since nobody knows what became of it, puts nothing twice. A row of `writer` is made while
the process has its row in `node`, and goes with that one: what was sent by a process that others have given up finds
no row, and puts nothing.

**From the mail to the outbox.** The owner moves a message in the transaction that writes its row, under the condition
of the version (postgres_statements.py): the message is in the outbox, and the mail has its serial, or neither. When the
client has accepted it, the same kind of transaction removes it from both. So a message that is not in the mail any more
has been accepted, or the writer was told what else became of it: that stays until the writer has read it.

The functions are coroutine functions (connection, schema, ..) for `PostgresDatabase.perform`: each may be called again
after one whose outcome is unknown.
"""

from server.core.store import LINE_COST
from server.stores import postgres_nodes
from server.stores.postgres_statements import columns_of

# What became of a message that waits in the mail, or was moved: table `mail`, column `result`.
UNWATCHED = 0  # nobody waits to know
WATCHED = 1
EXPIRED = 2  # its time was over before the client has accepted it
FORGOTTEN = 3  # it was deleted with all that waited for the client
MAIL_RESULTS = (UNWATCHED, WATCHED, EXPIRED, FORGOTTEN)

_OWN = ("$2::bigint[], $3::smallint[], $4::bigint[]", "a (client, channel, number)")  # keys of one writer's messages
_IS = "m.client = a.client AND m.channel = a.channel AND m.writer = $1 AND m.number = a.number"
_IS_FOUND = "(m.client, m.channel, m.writer, m.number) = (f.client, f.channel, f.writer, f.number)"
_LATE = "m.time BETWEEN 1 AND {now}"

_NEW_CLIENTS = """
INSERT INTO {schema}.client (id, epoch) SELECT DISTINCT ON (n.id) n.id, n.epoch
FROM unnest($1::text[], $2::bytea[]) AS n (id, epoch) ON CONFLICT (id) DO NOTHING
"""
_NEW_WRITERS = """
INSERT INTO {schema}.writer (client, channel, writer)
SELECT c.key, a.channel, $1 FROM unnest($2::text[], $3::smallint[]) AS a (id, channel)
JOIN {schema}.client c ON c.id = a.id
ORDER BY c.key, a.channel ON CONFLICT DO NOTHING
"""
_KEYS = "SELECT id, key FROM {schema}.client WHERE id = ANY($1::text[])"
_PUT = f"""
WITH want AS (
    SELECT * FROM unnest($2::bigint[], $3::smallint[], $4::bigint[], $5::smallint[], $6::bigint[], $7::bytea[],
        $8::smallint[]) AS w (client, channel, number, kind, time, data, result)),
known AS (
    SELECT w.client, w.channel, w.last FROM {{schema}}.writer w
    JOIN (SELECT DISTINCT client, channel FROM want) t ON t.client = w.client AND t.channel = w.channel
    WHERE w.writer = $1 ORDER BY w.client, w.channel FOR UPDATE OF w),
late AS (
    DELETE FROM {{schema}}.mail m USING known k WHERE m.client = k.client AND m.channel = k.channel
    AND m.serial IS NULL AND m.result = {UNWATCHED} AND {_LATE.format(now="$11")}),
used AS (
    SELECT m.client, m.channel, sum(octet_length(m.data) + {LINE_COST}) AS cost
    FROM known k JOIN {{schema}}.mail m ON m.client = k.client AND m.channel = k.channel
    WHERE m.serial IS NULL AND m.result < {EXPIRED} AND NOT ({_LATE.format(now="$11")}) GROUP BY 1, 2),
fresh AS (
    SELECT w.*, coalesce(u.cost, 0) AS used, row_number() OVER one AS place,
        sum(octet_length(w.data) + {LINE_COST}) OVER one AS more
    FROM want w JOIN known k ON k.client = w.client AND k.channel = w.channel AND w.number > k.last
    LEFT JOIN used u ON u.client = w.client AND u.channel = w.channel
    WINDOW one AS (PARTITION BY w.client, w.channel ORDER BY w.number)),
fit AS (
    SELECT * FROM fresh
    WHERE used + more <= CASE WHEN channel = 0 THEN $9::bigint ELSE $10::bigint END OR used = 0 AND place = 1),
put AS (
    INSERT INTO {{schema}}.mail (client, channel, writer, number, kind, time, data, result)
    SELECT client, channel, $1, number, kind, time, data, result FROM fit ORDER BY client, channel, number),
last AS (SELECT client, channel, max(number) AS last FROM fit GROUP BY 1, 2),
noted AS (
    UPDATE {{schema}}.writer w SET last = l.last FROM last l
    WHERE w.client = l.client AND w.channel = l.channel AND w.writer = $1)
SELECT k.client, k.channel, greatest(k.last, l.last) AS last, c.node
FROM known k JOIN {{schema}}.client c ON c.key = k.client
LEFT JOIN last l ON l.client = k.client AND l.channel = k.channel
"""
_EXPIRE = f"""
UPDATE {{schema}}.mail m SET result = {EXPIRED}, data = '' FROM unnest({_OWN[0]}) AS {_OWN[1]}
WHERE {_IS} AND m.serial IS NULL AND m.result = {WATCHED} AND {_LATE.format(now="$5")}
"""
_RESULTS = f"""
SELECT a.client, a.channel, a.number, m.result, w.last >= a.number AS was_put FROM unnest({_OWN[0]}) AS {_OWN[1]}
LEFT JOIN {{schema}}.mail m ON {_IS}
LEFT JOIN {{schema}}.writer w ON w.client = a.client AND w.channel = a.channel AND w.writer = $1
"""
_UNWATCH = f"""
WITH found AS (
    SELECT m.client, m.channel, m.writer, m.number, m.result
    FROM {{schema}}.mail m CROSS JOIN unnest({_OWN[0]}) AS {_OWN[1]}
    WHERE {_IS} FOR UPDATE OF m),
live AS (
    UPDATE {{schema}}.mail m SET result = {UNWATCHED} FROM found f WHERE {_IS_FOUND} AND f.result = {WATCHED})
DELETE FROM {{schema}}.mail m USING found f WHERE {_IS_FOUND} AND f.result > {WATCHED}
"""
_OF_CLIENTS = f"""
SELECT client, channel, writer, number, kind, time, data, serial, result FROM {{schema}}.mail
WHERE client = ANY($1::bigint[]) AND result < {EXPIRED} ORDER BY place
"""
_WAITING = _OF_CLIENTS.replace(" ORDER", " AND serial IS NULL ORDER")


async def enter(connection, schema, writer, clients):
    """Have rows in `writer` for (client id, epoch of one that is new, channel). Returns {client id: its key}.

    Raises: StoreGone: the writer was given up."""
    ids = [one[0] for one in clients]
    async with connection.transaction(isolation="read_committed"):
        await postgres_nodes.hold(connection, schema, writer)
        await connection.execute(_NEW_CLIENTS.format(schema=schema), ids, [one[1] for one in clients])
        await connection.execute(_NEW_WRITERS.format(schema=schema), writer, ids, [one[2] for one in clients])
        rows = await connection.fetch(_KEYS.format(schema=schema), ids)
    return {row["id"]: row["key"] for row in rows}


async def put(connection, schema, writer, rows, limits, now):
    """Put messages that have room, of each channel in the order of their numbers. Args: rows: (client, channel, number,
    kind, time, data, result); limits: what waits of a client's lines, and of each other channel, may cost; now: UTC ms.

    Returns: {(client, channel): (number of the last one that was put, node of the client)}. What is not in it is of a
    writer that was given up."""
    found = await connection.fetch(_PUT.format(schema=schema), writer, *columns_of(rows), *limits, now)
    return {(row["client"], row["channel"]): (row["last"], row["node"]) for row in found}


async def results(connection, schema, writer, keys, late, now):
    """Returns {key: result, or None if the client has accepted it}; of what the store has lost, nothing.

    Args: keys: (client, channel, number) of this writer; late: those of them whose time is over."""
    if late:
        await connection.execute(_EXPIRE.format(schema=schema), writer, *columns_of(late), now)
    rows = await connection.fetch(_RESULTS.format(schema=schema), writer, *columns_of(keys))
    return {(row["client"], row["channel"], row["number"]): row["result"] for row in rows if row["was_put"]}


async def unwatch(connection, schema, writer, keys):
    """This writer waits no longer for what becomes of these messages, or knows it."""
    await connection.execute(_UNWATCH.format(schema=schema), writer, *columns_of(keys))


async def of_clients(connection, schema, clients):
    """Returns the rows of all mail for these clients (keys), waiting or moved, in the order in which it came."""
    return await connection.fetch(_OF_CLIENTS.format(schema=schema), clients)


async def waiting(connection, schema, clients):
    """Returns the rows of the mail for these clients that was not moved, in the order in which it came."""
    return await connection.fetch(_WAITING.format(schema=schema), clients)
