"""The statements about who reads a channel of a client, and up to where it has been read: table `reading`.

    client (its key), channel   of what is read; channel SERVED: whose handler `serve` runs, and nothing is read
    reader     the fence: a number that each claim raises. What an earlier reader still commits changes nothing
    process    that should read (a row of table `node`), or NULL: nobody does. A claim leaves it alone while it lives
    next       the messages of the inbox before this number are processed
    gone       those before this number are deleted: `next`, or less while a reader may move `next` back

The fence is the promise: a message is processed when a statement has moved `next` which names the reader that the row
has. That a process lives is a guess by the database's clock (`node.seen`): a wrong one costs that messages are read by
two at once, of whom one commits.

The owner of the client deletes the messages before `gone`. Nobody else writes the inbox, and the owner does not write
either; so a reader and an owner need not know of each other.
"""

SERVED = -1  # the channel of the rows that say whose handler serves the client

# Of these rows, those of a process that does not live are free, and those of the process that asks. A row that another
# transaction is about to change is left alone, also one of a process that was stopped in the middle of it.
_FREE = """
free AS (
    SELECT r.client, r.channel, coalesce(r.process = $1, false) AS own
    FROM {schema}.reading r JOIN want w ON w.client = r.client AND w.channel = r.channel
    WHERE r.process = $1 OR NOT EXISTS (
        SELECT FROM {schema}.node n WHERE n.id = r.process AND n.seen > clock_timestamp() - $2::interval)
    ORDER BY r.client, r.channel FOR UPDATE OF r SKIP LOCKED),
taken AS (
    UPDATE {schema}.reading r SET reader = r.reader + 1, process = $1,
        gone = CASE WHEN r.process = $1 THEN r.gone ELSE r.next END
    FROM free f WHERE r.client = f.client AND r.channel = f.channel
    RETURNING r.client, r.channel, r.reader, r.next, f.own),
made AS (
    INSERT INTO {schema}.reading (client, channel, reader, process)
    SELECT w.client, w.channel, 1, $1 FROM want w
    WHERE NOT EXISTS (SELECT FROM {schema}.reading r WHERE r.client = w.client AND r.channel = w.channel)
    ON CONFLICT DO NOTHING RETURNING client, channel, reader, next, false),
mine AS (SELECT * FROM taken UNION ALL SELECT * FROM made)
"""

# $1: the process, which gets nothing without its row in `node`; $2: how long a process that is not seen lives; $3, $4:
# ids of clients, and a channel of each. Returns (id, client, channel, reader, next, own, node) of those that the
# process has now; own: it had them before, and nobody has read since; node: that has the client.
CLAIM = (
    """
WITH want AS (
    SELECT c.key AS client, w.channel FROM unnest($3::text[], $4::smallint[]) AS w (id, channel)
    JOIN {schema}.client c ON c.id = w.id
    CROSS JOIN (SELECT FROM {schema}.node WHERE id = $1 FOR KEY SHARE) n),"""
    + _FREE
    + "SELECT c.id, m.*, c.node FROM mine m JOIN {schema}.client c ON c.key = m.client"
)

# $1 .. $5: arrays of client, channel, reader, next (NULL: as it is), gone. Returns (client, channel) of those that have
# been moved.
MOVE = """
    UPDATE {schema}.reading r SET next = coalesce(w.next, r.next), gone = w.gone
    FROM unnest({arrays}) AS w (client, channel, reader, next, gone)
    WHERE r.client = w.client AND r.channel = w.channel AND r.reader = w.reader RETURNING r.client, r.channel"""
MOVED = ("bigint", "smallint", "bigint", "bigint", "bigint")  # the types of these arrays

# In the application's transaction. $1 .. $4: client, channel, reader, next; $5: what `next` has been; $6: gone. Returns
# a row if it has been moved. The row is locked until the transaction ends, and a process that is stopped then must not
# keep it.
MOVE_WITH_EFFECT = """
UPDATE {schema}.reading SET next = $4, gone = $6 WHERE client = $1 AND channel = $2 AND reader = $3 AND next = $5
RETURNING set_config('idle_in_transaction_session_timeout', '20s', true)"""

# $1 .. $3: arrays of client, channel, reader: those that the process gives back. Another one may have them at once.
RELEASE = """
UPDATE {schema}.reading r SET process = NULL, gone = r.next
FROM unnest($1::bigint[], $2::smallint[], $3::bigint[]) AS w (client, channel, reader)
WHERE r.client = w.client AND r.channel = w.channel AND r.reader = w.reader RETURNING r.client"""

# $1 .. $3: arrays of client, channel, number; $4: of each so many messages at most. Returns (at, number, kind, time,
# data) of the messages from that number on, in order. at: 1 for the first of the arrays, and so on.
MESSAGES = """
SELECT w.at, i.number, i.kind, i.time, i.data
FROM unnest($1::bigint[], $2::smallint[], $3::bigint[]) WITH ORDINALITY AS w (client, channel, number, at)
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.inbox m WHERE m.client = w.client AND m.channel = w.channel AND m.number >= w.number
    ORDER BY m.number LIMIT $4) i
ORDER BY w.at, i.number"""

# $1 .. $3: as of MESSAGES. Returns (at) of those of which there are messages.
NEWS = """
SELECT w.at FROM unnest($1::bigint[], $2::smallint[], $3::bigint[]) WITH ORDINALITY AS w (client, channel, number, at)
WHERE EXISTS (
    SELECT FROM {schema}.inbox m WHERE m.client = w.client AND m.number >= w.number AND m.channel = w.channel)
ORDER BY w.at"""

# $1: keys of clients. Returns (client, channel, gone, process) of what is read of them.
READ = """
SELECT client, channel, gone, process FROM {schema}.reading WHERE client = ANY($1::bigint[]) AND channel >= 0"""

# $1: keys of clients. Nobody who reads them now can move on any more. Returns (client, channel, next).
FENCE = """
UPDATE {schema}.reading SET reader = reader + 1, process = NULL WHERE client = ANY($1::bigint[])
RETURNING client, channel, next"""

# $1: keys of clients, which `serve` is to serve, also while they are away.
SERVE = """
INSERT INTO {schema}.reading (client, channel) SELECT key, -1 FROM unnest($1::bigint[]) AS key ON CONFLICT DO NOTHING"""


def move_statement(schema, first=1):
    """Returns MOVE. Args: schema: quoted; first: number of its first parameter."""
    arrays = ", ".join(f"${first + at}::{type}[]" for at, type in enumerate(MOVED))
    return MOVE.format(schema=schema, arrays=arrays)


async def rows_of(connection, schema, statement, *args):
    """Returns the rows of one of these statements. For PostgresDatabase.perform."""
    return await connection.fetch(statement.format(schema=schema), *args)
