"""Rows of all kinds for the statements about mail, processes, readers and keys, and what a statement makes of them.

Clients 1 and 2 are alike but for where they are; so are channels 0 and 20, and writers 1 and 2. So a statement that
forgets which one it is about does something to another one.
"""

import itertools

import asyncpg

from server.stores import postgres_schema

NOW = 1_000_000  # UTC ms, of the statements; PostgreSQL's own clock is for signs of life
CLIENTS, CHANNELS, WRITERS = (1, 2), (0, 20), (1, 2)
# Of each client, channel and writer: (number, time, serial, result).
MAIL = [
    (1, 0, None, 0), (2, 0, None, 1), (3, NOW - 5, None, 0), (4, NOW - 5, None, 1), (5, NOW + 5, None, 0),
    (6, NOW + 5, None, 1), (7, NOW - 5, 40, 0), (8, NOW - 5, 41, 1), (9, 0, 42, 1), (10, 0, None, 2), (11, 0, None, 3),
]  # fmt: skip
LAST = MAIL[-1][0]
# Processes: 1 and 2 live and are servers, 3 lives and is none, 4 has said nothing for a minute, 5 for two days.
NODES = [("one:1", "0 s"), ("two:2", "0 s"), ("", "0 s"), ("four:4", "1 minute"), ("five:5", "2 days")]
# The clock of the signs of life, and what numbers are given next, are the same in each transaction.
_BEGIN = "".join(
    f"UPDATE node SET seen = now() - interval '{silent}' WHERE id = {at};" for at, (_, silent) in enumerate(NODES, 1)
) + "SELECT setval('node_id_seq', 100), setval('client_key_seq', 100)"
OF_CLIENT = ("mail", "writer", "outbox")
TABLES = ("client", "node", "serving", "key_change", "client_key", "reading", *OF_CLIENT)
KEY, NEXT = b"k" * 32, b"n" * 32


async def fill(connection, schema):
    """Make the tables and their rows. Args: connection: of asyncpg; schema: not quoted, and without need for that."""
    await postgres_schema.make(connection, schema)
    await connection.execute(f"SET search_path = {schema}")
    for address, _ in NODES:
        await connection.execute(
            "INSERT INTO node (name, version, address) VALUES ($1, '1', $1)", address
        )  # fmt: skip
    # Client 3 is at nobody, 4 with one that is silent, 5 away from one that lives.
    for client_id, node, connected in (
        ("a", 1, True), ("b", 2, True), ("c", 0, False), ("d", 4, True), ("e", 2, False), ("f", 1, True), ("g", 1, True)
    ):  # fmt: skip
        await connection.execute(
            "INSERT INTO client (id, epoch, node, connected, connections, owner) VALUES ($1, '', $2, $3, 7, 9)",
            client_id, node, connected,
        )  # fmt: skip
    for client, channel, writer in itertools.product(CLIENTS, CHANNELS, WRITERS):
        await connection.execute("INSERT INTO writer VALUES ($1, $2, $3, $4)", client, channel, writer, LAST)
        await connection.executemany(
            "INSERT INTO mail (client, channel, writer, number, kind, time, data, serial, result) "
            f"VALUES ({client}, {channel}, {writer}, $1, 0, $2, 'x', $3, $4)", MAIL
        )  # fmt: skip
    for writer in (4, 5):
        await connection.execute("INSERT INTO writer VALUES (2, 0, $1, 1)", writer)
        await connection.execute("INSERT INTO serving VALUES ($1)", writer)
        await connection.executemany(
            "INSERT INTO mail (client, channel, writer, number, kind, time, data, serial, result) "
            f"VALUES (2, 0, {writer}, $1, 0, $2, 'x', $3, $4)", MAIL
        )  # fmt: skip
    # Of client 6 all mail was moved, of client 7 it has expired, and that of client 5 waits for its owner.
    for client, serial, result in ((6, "5", 1), (7, "NULL", 2), (5, "NULL", 1)):
        await connection.execute(f"INSERT INTO mail VALUES ({client}, 0, 1, 1, DEFAULT, 0, 0, 'x', {serial}, {result})")
    await connection.execute("INSERT INTO writer VALUES (3, 20, 1, 0)")
    for process in (1, 99):  # which has no row
        await connection.execute("INSERT INTO serving VALUES ($1)", process)
    for client, channel in itertools.product(CLIENTS, (0, -1)):
        await connection.execute("INSERT INTO reading VALUES ($1, $2, 3, $1, 4, 4)", client, channel)
    for name, following, repl in (("a", None, False), ("b", NEXT, False), ("c", NEXT, True)):
        await connection.execute("INSERT INTO client_key VALUES ($1, $2, $3, $4)", name, KEY, following, repl)


async def outcome(connection, work):
    """Returns what work(connection), a coroutine function, returns, and what it has changed in the tables; or the class
    of the error, if a constraint of the tables forbids it. It is undone."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(_BEGIN)
        before = await _rows(connection)
        result = await work(connection)
        after = await _rows(connection)
        return result, [(table, sorted(before[table] ^ after[table])) for table in TABLES]
    except asyncpg.IntegrityConstraintViolationError as error:
        return type(error)
    finally:
        await transaction.rollback()


async def _rows(connection):
    """Returns {table: set of rows as text}. Times are told from now on, which is one time in a transaction."""
    found = {}
    for table in TABLES:
        times = ", now() - seen" if table == "node" else ""
        rows = await connection.fetch(
            f"SELECT concat_ws(' ', to_jsonb(t) - '{{stamp,place,seen,started}}'::text[]{times}) AS row FROM {table} t"
        )
        found[table] = {row["row"] for row in rows}
    return found
