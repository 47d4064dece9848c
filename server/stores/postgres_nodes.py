"""The processes that use a store in PostgreSQL: each has a row in table `node` while it uses it.

A row says that a process is there, and what others may want to know of it. Whether it lives is guessed from `seen`, by
the clock of the database. No promise depends on that guess: a row that is removed takes the rows of `writer` with it,
and a process without these cannot put mail any more (postgres_mail.py). One that was silent for FORGET and goes on
finds that its row is gone, and ends.
"""

from protocol.version import RELEASE, release_text
from server.core.others import SILENT_S
from server.core.store import StoreGone
from server.stores.postgres_statements import PROOF

BEAT_S = 1.0  # between two signs of life; also between two looks at what a lost hint has not told
GIVEN_UP = "this process was given up, since it was silent for too long or by pb-link store move: start it again"
SILENT = f"{SILENT_S:g} seconds"
FORGET = "1 day"  # without a sign of life, the row is removed
MAX_NODES = 256  # servers that a beat tells of: those that have signed last

_GONE = """
    DELETE FROM {schema}.writer w USING gone WHERE w.writer = gone.id),
unwatched AS (
    UPDATE {schema}.mail m SET result = 0 FROM gone WHERE m.writer = gone.id AND m.result = 1),
unread AS (
    DELETE FROM {schema}.mail m USING gone WHERE m.writer = gone.id AND m.result > 1)
"""
_JOIN = (
    f"WITH gone AS (DELETE FROM {{schema}}.node WHERE seen < now() - interval '{FORGET}' RETURNING id), writers AS ("
    + _GONE
    + "INSERT INTO {schema}.node (name, version) VALUES ($1, $2) RETURNING id"
)
_LEAVE = (
    "WITH gone AS (DELETE FROM {schema}.node WHERE id = $1 RETURNING id), writers AS (" + _GONE + "SELECT FROM gone"
)
# Of these tables, all that belongs to processes: see `give_up_all`.
_ALL_GONE = """
LOCK TABLE {schema}.node IN ACCESS EXCLUSIVE MODE;
DELETE FROM {schema}.node; DELETE FROM {schema}.writer; DELETE FROM {schema}.serving;
UPDATE {schema}.mail SET result = 0 WHERE result = 1; DELETE FROM {schema}.mail WHERE result > 1;
"""
_HOLD = "SELECT id FROM {schema}.node WHERE id = $1 FOR KEY SHARE"


async def join(connection, schema, name):
    """Add this process, and remove those that have ended without a word. Returns its id, which no other one ever gets.

    Args: connection: of asyncpg; schema: quoted."""
    return await connection.fetchval(_JOIN.format(schema=schema), name, release_text(RELEASE))


async def is_joined(connection, schema, node):
    """Returns whether this process has its row, at a server that has a commit confirmed."""
    await connection.execute(PROOF)
    return await connection.fetchval(f"SELECT EXISTS (SELECT FROM {schema}.node WHERE id = $1)", node)


async def hold(connection, schema, node):
    """Have this process keep its row until the transaction ends: what makes a client, or claims one, needs it, so that
    a process without a row makes and claims none. node: None: of a command that has no row.

    Raises: StoreGone: the row is gone."""
    if node is not None and await connection.fetchval(_HOLD.format(schema=schema), node) is None:
        raise StoreGone(GIVEN_UP)


async def give_up_all(connection, schema):
    """Remove all processes, in the transaction of the caller: from its end on none of them makes or claims anything, or
    puts mail, and each ends with its next beat. One that joins meanwhile waits for that end."""
    await connection.execute(_ALL_GONE.format(schema=schema))


async def leave(connection, schema, node):
    """Remove this process. Its mail stays."""
    await connection.execute(_LEAVE.format(schema=schema), node)
