"""The rows of a transaction: what was done last, in statements for many rows."""

import sqlite3

import pytest

from server.core.message import Message
from server.stores.sqlite_file import SQLiteFile
from server.stores.sqlite_record import SQLiteRecord
from server.stores.sqlite_rows import CHANNEL_COLUMNS, CLIENT_COLUMNS, SIZES, Rows, Statement, write
from tests.server.store_contract import a_line

COUNTS = [1, 2, 3, 30, 63, 64, 65, 200]


def test_rows_of_one_transaction_are_what_was_done_last():
    rows = Rows()
    rows.delete("inbox", 1, [5, 6])
    rows.insert("inbox", 1, 5, a_line(b"again"))
    rows.append("outbox", 1, 5, [a_line(b"x"), Message(9, 2, 77, b"yz")])
    rows.delete("outbox", 1, [5])
    assert list(rows.deletes["inbox"]) == [(1, 6)] and list(rows.deletes["outbox"]) == [(1, 5)]
    assert rows.others["inbox"] == [1, 5, b"again", 0, 0, 0]
    assert rows.lines["outbox"] == [1, 5, b"x"] and rows.others["outbox"] == [1, 6, b"yz", 9, 2, 77]


def test_pages_are_those_of_rows_and_bytes():
    rows = Rows()
    assert rows.pages == 2
    rows.append("inbox", 1, 0, [bytes(1000)] * 8)
    assert rows.pages == 2 + 8 + 1
    rows.append("outbox", 1, 0, [Message(9, 2, 77, bytes(500))] * 8)
    rows.delete("inbox", 1, range(8))
    assert rows.pages == 2 + 12 + 3


@pytest.mark.parametrize("count", COUNTS)
def test_statement_runs_once_for_each_row(count):
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (a, b)")
    ran = []
    database.set_trace_callback(ran.append)
    expected = [(number, b"x%d" % number) for number in range(count)]
    Statement("INSERT INTO t VALUES %s", "(?, ?)", ", ").run(database, [one for row in expected for one in row])
    database.set_trace_callback(None)
    assert database.execute("SELECT a, b FROM t ORDER BY a").fetchall() == expected
    assert len([one for one in ran if one.startswith("INSERT")]) == count // SIZES[0] + (count % SIZES[0]).bit_count()


def test_largest_statement_is_below_the_least_limit_of_parameters():
    assert SIZES[0] * max(len(CLIENT_COLUMNS), len(CHANNEL_COLUMNS)) <= 999


@pytest.mark.parametrize("count", COUNTS)
def test_transaction_of_any_number_of_clients_is_loaded_as_it_was(tmp_path, count):
    file = SQLiteFile(str(tmp_path / "store.db"))
    records = [SQLiteRecord(f"c{number}\u00e9\0", {"key": number + 1, "note": 'a "note"\n'}) for number in range(count)]
    rows = Rows()
    for record in records:
        rows.append("inbox", record.key, 0, [b"kept", b"\0gone", b""])
        record.receive(b"12345678", {0: 2}, [b"kept", b"\0gone", b""])
    file.commit((rows, [record.row() for record in records], []))
    rows = Rows()
    for record in records:
        rows.delete("inbox", record.key, record.remove([1]))
    file.commit((rows, [record.row() for record in records], []))
    for record in records:
        loaded = SQLiteRecord(record.client_id, file.load(record.client_id))
        assert loaded.row() == record.row() and loaded.unread(0) == (2, 0)
        assert [loaded.look(number, 0)[1].data for number in (0, 2)] == [b"kept", b""]
    file.close()


def test_deletion_looks_at_no_row_but_its_own():
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute("CREATE TABLE client (key INTEGER PRIMARY KEY)")
    box = "client INTEGER, number INTEGER, line BLOB, channel DEFAULT 0, kind DEFAULT 0, time DEFAULT 0"
    for table in ("inbox", "outbox"):
        database.execute(f"CREATE TABLE {table} ({box}, PRIMARY KEY (client, number)) WITHOUT ROWID")
    rows = Rows()
    for key in range(100):
        rows.delete("inbox", key, range(3))
    plans = []

    class Explained:
        def execute(self, sql, parameters):
            plans.extend(database.execute("EXPLAIN QUERY PLAN " + sql, parameters).fetchall())

    write(Explained(), rows, [], [])
    assert plans and not [plan for plan in plans if plan[3].startswith(("SCAN inbox", "SCAN TABLE inbox"))]
