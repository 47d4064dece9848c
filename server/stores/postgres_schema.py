"""The tables of the store in PostgreSQL, made and migrated by `pb-link store`.

    client   id; owner; epoch; peer_epoch; next_number, base: of channel 0; inbox_next, outbox_next: numbers of the
             next messages below; messages, cost: of those that wait; note; away_s; runs: NAME:START,..;
             channels: JSON, {channel: [next_number, base, past, expired]} of all that were used, as in sqlite_file.py;
             version: counts the writes of the row; batch: of the transaction that wrote it last;
             node: of the process that has claimed it last; connected, connections: whether the client is connected
             to that one, and how often it has connected so far
    inbox    client (its key), number, channel, kind, time, data
    outbox   likewise; the number is the serial
    format   one row: the version of these tables
    node     a process that uses the store: name, address of its listener, version of its release; clients: how many are
             connected to it; started, seen: by the clock of the database. `seen` is a hint that the process lives, and
             no promise depends on it
    mail     messages for clients that other processes have (postgres_mail.py): client, channel, writer (its node) and
             number; place: the order in which they came; kind, time, data; serial: of the outbox, once the owner of the
             client has moved it there; result: of MAIL_RESULTS
    writer   number of the last message that a node has put into the mail for a channel of a client
    reading  who reads a channel of a client, and up to where it has been read (postgres_reading_statements.py)
    client_key, key_change   keys of clients, if the servers' settings say so (postgres_keys.py)
    serving  the processes that share the clients among their handlers (postgres_sharing.py)
    timeline  what was measured of clients (its key; 0: the server itself): see timeline.py
    shard    one row: which of the databases of a store this one is (postgres_shards.py)

They are in a schema of their own, so that an application can have its tables in the same database. There are no foreign
keys: `messages` shows whether a row is missing, when a client is claimed.

Who writes what: the owner of a client its row, its inbox and outbox, and what becomes of its mail. A process that is
not the owner adds to `mail`, and has rows in `node` and `writer`. A reader moves on in `reading`; the owner deletes
what has been read.
"""

from protocol.errors import StoreError
from server.core.store import StoreGone

VERSION = 6
SCHEMA = "pb_link"

_MESSAGES = """
CREATE TABLE {schema}.{name} (
    client bigint NOT NULL, number bigint NOT NULL, channel smallint NOT NULL, kind smallint NOT NULL,
    time bigint NOT NULL, data bytea NOT NULL, PRIMARY KEY (client, number));
"""
# A row of `client` is written with each transaction. With room in its page it stays there, and no index changes.
_MAKE = (
    """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE {schema}.format (version int NOT NULL);
INSERT INTO {schema}.format VALUES (1);
CREATE TABLE {schema}.client (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE COLLATE "C",
    owner bigint NOT NULL DEFAULT 0, version bigint NOT NULL DEFAULT 0, batch bytea, epoch bytea NOT NULL,
    peer_epoch bytea, next_number bigint NOT NULL DEFAULT 0, inbox_next bigint NOT NULL DEFAULT 0,
    base bigint NOT NULL DEFAULT 0, outbox_next bigint NOT NULL DEFAULT 0, messages bigint NOT NULL DEFAULT 0,
    cost bigint NOT NULL DEFAULT 0, note text NOT NULL DEFAULT '', away_s bigint NOT NULL DEFAULT 0,
    runs text NOT NULL DEFAULT '', channels text NOT NULL DEFAULT '') WITH (fillfactor = 50);
"""
    + _MESSAGES.replace("{name}", "inbox")
    + _MESSAGES.replace("{name}", "outbox")
)
# From version 1 to 2, and so on. What is new has all of them.
_UPGRADES = {
    1: """
ALTER TABLE {schema}.client ADD COLUMN node bigint NOT NULL DEFAULT 0,
    ADD COLUMN connected boolean NOT NULL DEFAULT false, ADD COLUMN connections bigint NOT NULL DEFAULT 0;
CREATE INDEX client_node ON {schema}.client (node);
CREATE TABLE {schema}.node (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, address text NOT NULL DEFAULT '',
    version text NOT NULL, started timestamptz NOT NULL DEFAULT now(), seen timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 50);
CREATE TABLE {schema}.mail (
    client bigint NOT NULL, channel smallint NOT NULL, writer bigint NOT NULL, number bigint NOT NULL,
    place bigint GENERATED ALWAYS AS IDENTITY, kind smallint NOT NULL, time bigint NOT NULL, data bytea NOT NULL,
    serial bigint, result smallint NOT NULL, PRIMARY KEY (client, channel, writer, number));
CREATE INDEX mail_waiting ON {schema}.mail (client) WHERE serial IS NULL AND result < 2;
CREATE TABLE {schema}.writer (
    client bigint NOT NULL, channel smallint NOT NULL, writer bigint NOT NULL, last bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (client, channel, writer)) WITH (fillfactor = 50);
CREATE INDEX writer_writer ON {schema}.writer (writer);
""",
    2: """
CREATE TABLE {schema}.reading (
    client bigint NOT NULL, channel smallint NOT NULL, reader bigint NOT NULL DEFAULT 0, process bigint,
    next bigint NOT NULL DEFAULT 0, PRIMARY KEY (client, channel)) WITH (fillfactor = 50);
CREATE TABLE {schema}.serving (process bigint PRIMARY KEY);
""",
    3: """
ALTER TABLE {schema}.node ADD COLUMN clients bigint NOT NULL DEFAULT 0;
CREATE TABLE {schema}.client_key (
    id text PRIMARY KEY COLLATE "C", key bytea NOT NULL, next bytea, repl boolean NOT NULL DEFAULT false);
CREATE TABLE {schema}.key_change (stamp uuid NOT NULL);
INSERT INTO {schema}.key_change VALUES (gen_random_uuid());
CREATE TABLE {schema}.shard (installation text NOT NULL, id text NOT NULL, members text NOT NULL, moving text);
INSERT INTO {schema}.shard SELECT gen_random_uuid(), id, json_build_object(id, '') FROM gen_random_uuid() AS id;
""",
    4: """
CREATE TABLE {schema}.timeline (
    level smallint NOT NULL, begin bigint NOT NULL, client bigint NOT NULL, run bigint NOT NULL, data bytea NOT NULL,
    PRIMARY KEY (level, begin, client, run));
""",
    5: """
ALTER TABLE {schema}.reading ADD COLUMN gone bigint NOT NULL DEFAULT 0;
UPDATE {schema}.reading SET gone = next;
""",
}
# What a server needs: no right to make or change tables, nor to give or take away a key. It completes rotations.
_GRANT = """
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT ON {schema}.format, {schema}.shard TO {role};
GRANT SELECT, UPDATE (key, next) ON {schema}.client_key TO {role};
GRANT SELECT, UPDATE ON {schema}.key_change TO {role};
GRANT SELECT, INSERT, UPDATE ON {schema}.client TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.inbox, {schema}.outbox, {schema}.node, {schema}.mail, {schema}.writer,
    {schema}.reading, {schema}.serving, {schema}.timeline TO {role};
"""
# The roles that have been given that, of this format or an older one.
_ROLES = """
SELECT DISTINCT r.rolname FROM pg_class c CROSS JOIN aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
WHERE c.oid = '{schema}.client'::regclass AND a.privilege_type = 'UPDATE' AND a.grantee <> c.relowner
"""


def quoted(name):
    """Returns a name as PostgreSQL takes it in a statement."""
    return '"' + name.replace('"', '""') + '"'


async def version_of(connection, schema):
    """Returns the version of the tables, 0 if there are none."""
    found = await connection.fetchval("SELECT to_regclass($1)", f"{quoted(schema)}.format")
    return 0 if found is None else await connection.fetchval(f"SELECT version FROM {quoted(schema)}.format")


async def check(connection, schema, where):
    """Raises: StoreGone that says what to do: the tables are not those of this release."""
    version = await version_of(connection, schema)
    if version == 0:
        raise StoreGone(f"{where} has no tables of pb_link: make them with pb-link store init")
    if version > VERSION:
        raise StoreGone(f"{where} is of a newer pb_link (format {version}): upgrade this one")
    if version < VERSION:
        raise StoreGone(f"{where} is of an older pb_link (format {version}): pb-link store migrate")


async def refuse_made(connection, schema):
    """Raises: StoreError: there are tables already."""
    if await version_of(connection, schema):
        raise StoreError(f"schema {schema} has tables of pb_link already: pb-link store check looks at them")


async def make(connection, schema, role=None):
    """Make the tables. Args: role: str, of the servers, to which the rights that they need are given.

    Raises: StoreError: there are tables already."""
    async with connection.transaction():
        # Two at once: the second one waits here, and then finds the tables.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1)::bigint)", f"pb_link {schema}")
        await refuse_made(connection, schema)
        await connection.execute(_MAKE.format(schema=quoted(schema)))
        await _upgrade(connection, schema, 1)
        if role:
            await grant(connection, schema, role)


async def grant(connection, schema, role):
    """Give a role what a server needs."""
    await connection.execute(_GRANT.format(schema=quoted(schema), role=quoted(role)))


async def migrate(connection, schema):
    """Bring the tables to this release's version, and give the servers' roles the rights to what is new.

    Returns: the version that they had. Raises: StoreError."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1)::bigint)", f"pb_link {schema}")
        before = await version_of(connection, schema)
        if not before:
            raise StoreError(f"there are no tables of pb_link in schema {schema}: make them with pb-link store init")
        if before > VERSION:
            raise StoreError(f"the tables are of a newer pb_link (format {before}): upgrade this one")
        roles = await connection.fetch(_ROLES.format(schema=quoted(schema)))
        await _upgrade(connection, schema, before)
        for row in roles:  # to what is new
            await grant(connection, schema, row["rolname"])
        return before


async def _upgrade(connection, schema, version):
    for step in range(version, VERSION):
        await connection.execute(_UPGRADES[step].format(schema=quoted(schema)))
    await connection.execute(f"UPDATE {quoted(schema)}.format SET version = {VERSION}")
