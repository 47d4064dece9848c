"""Each comparison of the statements about mail, processes and keys is needed: where one is always true, something else
is done.

The other parts of the batch's statement are in test_conditions.py; CLAIM, MOVE and SHARES, and what goes with them, in
tests/server/stores/test_postgres_reading_statements.py and test_postgres_sharing.py. What a statement has for two at
the same time, its locks and their order, is in tests/server/stores/test_postgres_mail.py.
"""

import pytest

from server.stores import postgres_keys, postgres_mail, postgres_nodes, postgres_others, postgres_sharing
from server.stores import postgres_reading_statements as readings
from server.stores.postgres_mail import EXPIRED
from server.stores.postgres_record import PostgresRecord
from server.stores.postgres_statements import columns_of, commit_statement
from tests.cluster import statement_tables as tables
from tests.cluster.conditions import weakened
from tests.cluster.held_bed import run
from tests.cluster.statement_tables import KEY, LAST, MAIL, NEXT, NOW
from tests.server import postgres

SCHEMA = postgres.new_schema()
KEYS = columns_of([(1, 0, number) for number, *_ in MAIL] + [(1, 0, 99), (3, 20, 1)])
ROOM = "used + more <= CASE WHEN channel = 0 THEN $9::bigint ELSE $10::bigint END"


def put(limits, *rows):
    """The arguments of a put by process 1. rows: (client, channel, number, data)."""
    return 1, *columns_of([(*place, 0, NOW + 9, data, 0) for *place, data in rows]), *limits, NOW


def batch():
    """The arguments of a batch of two clients, the second one of which another server has claimed since."""
    clients = [
        PostgresRecord("", {"key": key, "version": version, "batch": None}).row() for key, version in ((1, 0), (2, 9))
    ]
    moved = [(client, 0, 1, number, 77) for client in (1, 2) for number in (1, 3)]
    settled = [(client, 0, 1, number, EXPIRED) for client in (1, 2) for number in (2, 5, 10, 11)]
    dropped = [(client, 0, 1, number) for client in (1, 2) for number in (7, 9)]
    return b"batch", *columns_of(clients), *columns_of(moved), *columns_of(settled), *columns_of(dropped)


# name -> (statement, arguments of several calls of it, more that is weakened: (text, what stands there instead))
STATEMENTS = {
    "put": (
        postgres_mail._PUT,
        [
            put((330, 300), (1, 0, LAST, b"x"), (1, 0, LAST + 1, b"x"), (1, 0, LAST + 2, b"x"), (1, 0, LAST + 3, b"x"),
                (1, 20, LAST + 1, b"x"), (1, 20, LAST + 2, b"x"), (2, 0, LAST + 1, b"x")),
            put((0, 0), (3, 20, 1, b"long"), (3, 20, 2, b"x"), (1, 0, LAST + 1, b"x")),
            put((9999, 9999), (1, 0, LAST + 1, b"x"), (2, 20, LAST + 5, b"x"), (9, 0, 1, b"nobody's")),
        ],
        [(ROOM, f"({ROOM} OR true)"), ("row_number() OVER one AS place", "1 AS place")],
    ),
    "expire": (
        postgres_mail._EXPIRE,
        [(1, *columns_of([(1, 0, number) for number, *_ in MAIL]), NOW), (1, [1], [0], [2], NOW)], [],
    ),
    "results": (postgres_mail._RESULTS, [(1, *KEYS)], []),
    "unwatch": (postgres_mail._UNWATCH, [(1, *columns_of([(1, 0, number) for number in (2, 9, 10, 1)]))], []),
    "of clients": (postgres_mail._OF_CLIENTS, [([1],)], [("ORDER BY place", "ORDER BY place DESC")]),
    "waiting": (postgres_mail._WAITING, [([1],)], [("ORDER BY place", "ORDER BY place DESC")]),
    "new clients": (postgres_mail._NEW_CLIENTS, [(["a", "new", "new"], [b"", b"1", b"2"])],
                    [("ON CONFLICT (id) DO NOTHING", "")]),
    "new writers": (postgres_mail._NEW_WRITERS, [(1, ["a", "c"], [20, 0])], [("ON CONFLICT DO NOTHING", "")]),
    "keys": (postgres_mail._KEYS, [(["a", "c"],)], []),
    "join": (postgres_nodes._JOIN, [("name", "2")], []),
    "leave": (postgres_nodes._LEAVE, [(4,)], []),
    "all gone": (postgres_nodes._ALL_GONE, [()], []),
    "hold": (postgres_nodes._HOLD, [(1,), (99,)], []),
    "beat": (postgres_others._BEAT, [(1, "one:1", ["a", "b", "c", "d", "e"], 3), (99, "", ["a"], 0)],
             [("c.connected AND", "")]),
    "elsewhere": (postgres_others._ELSEWHERE, [("a", 2), ("a", 1), ("c", 1), ("d", 1), ("e", 1)],
                  [("c.connected AND ", "")]),
    "fence": (readings.FENCE, [([1],)], []),
    "serve": (readings.SERVE, [([1, 3],)], [("ON CONFLICT DO NOTHING", "")]),
    "join in serving": (postgres_sharing._JOIN, [(1,)], [("ON CONFLICT DO NOTHING", "")]),
    "leave serving": (postgres_sharing._LEAVE, [(1,)], []),
    "set a key": (postgres_keys._SET_KEY, [("b", NEXT, None)], []),
    "set what a key allows": (postgres_keys._SET_REPL, [("b", True)], []),
    "delete a key": (postgres_keys._DELETE, [("b",)], []),
    "delete the same key": (
        postgres_keys._DELETE_SAME,
        [("b", KEY, NEXT, False), ("b", NEXT, NEXT, False), ("b", KEY, None, False), ("b", KEY, NEXT, True)], [],
    ),
    "batch": (commit_statement("{schema}", [(what, "mail") for what in ("move", "settle", "drop")]), [batch()], []),
}  # fmt: skip
# Comparisons that change nothing: what else would be updated is deleted in the same statement, and PostgreSQL does that
# first, which it does not promise.
NO_CHANGE = {("unwatch", "f.result = 1"), ("join", "m.result = 1"), ("leave", "m.result = 1")}
# Parts of a statement that begin where another test has what is in front.
BEGINS = {"batch": "move_mail AS"}


def changed(name):
    """Returns [(what is weakened, statement)] of this one."""
    statement, _, more = STATEMENTS[name]
    begin = statement.index(BEGINS.get(name, ""))
    found = [
        (f"{text} at {at}", weak)
        for text, at, weak in weakened(statement)
        if at >= begin and (name, text) not in NO_CHANGE
    ]
    for text, instead in more:
        assert text in statement
        found.append((text, statement.replace(text, instead)))
    return found


async def outcomes(connection, statement, calls):
    async def work(connection, args):
        if not args:
            return await connection.execute(statement.format(schema=SCHEMA))
        return [tuple(row) for row in await connection.fetch(statement.format(schema=SCHEMA), *args)]

    return [await tables.outcome(connection, lambda one, args=args: work(one, args)) for args in calls]


@pytest.fixture(scope="module")
def database():
    """The address of a database with the tables. What a test does there is undone."""
    (url,) = postgres.databases(1)

    async def do(work):
        async with postgres.connect(url) as connection:
            await work(connection)

    run(do(lambda connection: tables.fill(connection, SCHEMA)))
    yield url
    run(do(lambda connection: connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")))


@pytest.mark.parametrize("name", STATEMENTS)
def test_each_comparison_is_needed(database, name):
    async def main():
        async with postgres.connect(database) as connection:
            await connection.execute(f"SET search_path = {SCHEMA}")
            statement, calls, _ = STATEMENTS[name]
            whole = await outcomes(connection, statement, calls)
            assert not any(isinstance(one, type) for one in whole), whole
            assert whole == await outcomes(connection, statement, calls)  # so a difference is the change's
            weaker = changed(name)
            assert len(weaker) == len({text for text, _ in weaker}) > 0
            return [text for text, weak in weaker if await outcomes(connection, weak, calls) == whole]

    assert run(main()) == []
