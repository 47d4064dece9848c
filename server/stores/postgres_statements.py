"""The statements of the store in PostgreSQL, and the changes to messages that one of them has."""

from server.stores.postgres_reading_statements import MOVED, move_statement

# Columns of the tables (postgres_schema.py), as parameters: an array for each.
CLIENT = {
    "key": "bigint", "version": "bigint", "batch": "bytea", "owner": "bigint", "epoch": "bytea",
    "peer_epoch": "bytea", "next_number": "bigint", "inbox_next": "bigint", "base": "bigint", "outbox_next": "bigint",
    "messages": "bigint", "cost": "bigint", "note": "text", "away_s": "bigint", "runs": "text", "channels": "text",
    "node": "bigint", "connected": "boolean", "connections": "bigint",
}  # fmt: skip
MESSAGE = {
    "client": "bigint", "number": "bigint", "channel": "smallint", "kind": "smallint", "time": "bigint", "data": "bytea"
}
# The key of a message in the mail, and what is written of it.
MAIL = {"client": "bigint", "channel": "smallint", "writer": "bigint", "number": "bigint"}
_OF_MAIL = {"move": {"serial": "bigint"}, "settle": {"result": "smallint"}, "drop": {}}
# Version and batch are those that the row must have. The statement writes new ones.
_WRITTEN = [name for name in CLIENT if name not in ("key", "version", "batch")]
BOXES = ("inbox", "outbox")
# It writes to the WAL, so its commit is confirmed by the standby. One that has written nothing waits for nobody.
PROOF = "SELECT pg_logical_emit_message(true, 'pb_link', '')"


def _arrays(first, types):
    """Returns "$1::bigint[], .." for these parameters."""
    return ", ".join(f"${first + at}::{type}[]" for at, type in enumerate(types))


def commit_statement(schema, tables, moves=False, timeline=None):
    """Returns the statement of a batch. Its parameters: $1 its name, then columns of CLIENT, then of each of the tables
    those of MESSAGE, or (client, number); of the mail those of MAIL and _OF_MAIL; then those of MOVE, and of
    postgres_timeline.py. tables: list of ("put" or "delete", one of BOXES) or (one of _OF_MAIL, "mail") of which it has
    rows; moves: whether readers have moved on; timeline: PostgresTaken, which goes along, or None.

    It returns (key, None) of each client whose changes were done, and (key, channel) of each reader."""
    first = 2 + len(CLIENT)
    parts = [
        f"""
WITH want AS (SELECT * FROM unnest({_arrays(2, CLIENT.values())}) AS w ({", ".join(CLIENT)})),
locked AS (
    SELECT c.key, c.version, c.batch FROM {schema}.client c JOIN want w ON c.key = w.key
    ORDER BY c.key FOR UPDATE OF c),
ok AS (
    UPDATE {schema}.client c SET version = c.version + 1, batch = $1, {", ".join(f"{x} = w.{x}" for x in _WRITTEN)}
    FROM want w JOIN locked ON locked.key = w.key AND locked.version = w.version
        AND locked.batch IS NOT DISTINCT FROM w.batch
    WHERE c.key = w.key RETURNING c.key)"""
    ]
    for what, table in tables:
        if what == "put":
            names, first_here = ", ".join(MESSAGE), first
            first += len(MESSAGE)
            parts.append(f"""
put_{table} AS (
    INSERT INTO {schema}.{table} ({names})
    SELECT {", ".join(f"r.{name}" for name in MESSAGE)}
    FROM unnest({_arrays(first_here, MESSAGE.values())}) AS r ({names}) JOIN ok ON ok.key = r.client
    ON CONFLICT (client, number) DO UPDATE SET channel = excluded.channel, kind = excluded.kind, time = excluded.time,
        data = excluded.data)""")
        elif table == "mail":
            parts.append(_mail_part(schema, what, first))
            first += len(MAIL) + len(_OF_MAIL[what])
        else:
            parts.append(f"""
delete_{table} AS (
    DELETE FROM {schema}.{table} b
    USING unnest({_arrays(first, ["bigint", "bigint"])}) AS d (client, number) JOIN ok ON ok.key = d.client
    WHERE b.client = d.client AND b.number = d.number)""")
            first += 2
    last = "\nSELECT key, NULL::smallint AS channel FROM ok"
    if moves:
        parts.append(f"\nmoved AS ({move_statement(schema, first)})")
        last = "\nSELECT key, NULL AS channel FROM ok UNION ALL SELECT client, channel FROM moved"
        first += len(MOVED)
    return ",".join(parts) + (timeline.parts(schema, first) if timeline else "") + last


def _mail_part(schema, what, first):
    types = {**MAIL, **_OF_MAIL[what]}
    given = f"unnest({_arrays(first, types.values())}) AS d ({', '.join(types)}) JOIN ok ON ok.key = d.client"
    is_it = " AND ".join(f"b.{name} = d.{name}" for name in MAIL)
    if what == "move":
        return f"""
move_mail AS (
    UPDATE {schema}.mail b SET serial = d.serial, data = '' FROM {given}
    WHERE {is_it})"""
    if what == "drop":
        return f"""
drop_mail AS (
    DELETE FROM {schema}.mail b USING {given}
    WHERE {is_it})"""
    return f"""
ended_mail AS (
    SELECT {", ".join(f"b.{name}" for name in MAIL)}, b.result, d.result AS found
    FROM {schema}.mail b CROSS JOIN {given}
    WHERE {is_it} FOR UPDATE OF b),
settle_mail AS (
    UPDATE {schema}.mail b SET result = d.found, data = '' FROM ended_mail d
    WHERE {is_it} AND d.result = 1),
unwatched_mail AS (
    DELETE FROM {schema}.mail b USING ended_mail d
    WHERE {is_it} AND d.result = 0)"""


def columns_of(rows):
    """Returns the columns of these rows, as lists."""
    return [list(column) for column in zip(*rows)]


class Changes:
    """The changes of one transaction to the messages. Of one message only the last change counts. timeline: Taken
    (timeline.py), which goes along, or None."""

    timeline = None

    def __init__(self):
        self.puts = {name: {} for name in BOXES}  # (client, number) -> (channel, kind, time, data)
        self.deletes = {name: {} for name in BOXES}  # (client, number) -> None
        self._mail = {what: {} for what in _OF_MAIL}  # key in the mail -> what is written there, a tuple
        self.moves = {}  # (client, channel) -> (Reading, its fence, next, gone)
        self.moved = None  # those of them that were done, once the transaction has ended
        self.repeated = False  # it was sent more than once: the outcome of an earlier time is not known

    def append(self, table, key, number, messages):
        """Insert messages that are new, with numbers from this one on."""
        puts = self.puts[table]
        for message in messages:
            puts[key, number] = (0, 0, 0, message) if type(message) is bytes else message
            number += 1

    def insert(self, table, key, number, message):
        """Insert a message that was there before, or replace what is there."""
        self.deletes[table].pop((key, number), None)
        self.puts[table][key, number] = message

    def delete(self, table, key, numbers):
        """Delete the messages with these numbers."""
        puts, deletes = self.puts[table], self.deletes[table]
        for number in numbers:
            puts.pop((key, number), None)
            deletes[key, number] = None

    def move(self, key, serial):
        """A message of the mail, with this key, gets this serial of the outbox."""
        self._mail["move"][key] = (serial,)

    def settle(self, key, result):
        """What became of a message of the mail, if its writer waits to know; else it is removed."""
        self._mail["move"].pop(key, None)
        self._mail["settle"][key] = (result,)

    def drop(self, key):
        """Remove a message of the mail."""
        self._mail["move"].pop(key, None)
        self._mail["settle"].pop(key, None)
        self._mail["drop"][key] = ()

    def statement(self, schema, timeline=None):
        """Returns the statement, with this PostgresTaken, and the values of its parameters behind those of CLIENT."""
        tables, values = self.columns()
        beside = timeline.columns() if timeline else []
        return commit_statement(schema, tables, bool(self.moves), timeline), values + self.move_columns() + beside

    def columns(self):
        """Returns (tables, values) for `commit_statement`."""
        tables, values = [], []
        for table in BOXES:
            for what, found in (("put", self.puts[table]), ("delete", self.deletes[table])):
                if found:
                    tables.append((what, table))
                    rows = [(*key, *message) for key, message in found.items()] if what == "put" else found
                    values += columns_of(rows)
        for what, found in self._mail.items():
            if found:
                tables.append((what, "mail"))
                values += columns_of([(*key, *more) for key, more in found.items()])
        return tables, values

    def move_columns(self):
        """Returns the columns of the readers that have moved on."""
        return columns_of([(*place, *move) for place, (_, *move) in self.moves.items()])

    def forget(self, key):
        """Drop all changes to this client."""
        for changes in (*self.puts.values(), *self.deletes.values(), *self._mail.values()):
            for one in [one for one in changes if one[0] == key]:
                del changes[one]
