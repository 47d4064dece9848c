"""The durable store's file: who may read it, who has it, and what is said of one that is no good."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.errors import StoreError
from server.stores.sqlite import SQLiteStore
from server.stores.sqlite_file import WAL_BYTES, Rows

ROOT = Path(__file__).resolve().parents[3]
EPOCH = b"e" * 8


def opened(path="store.db", **limits):
    return SQLiteStore(path, **limits)


def test_file_is_for_its_owner_alone():
    opened().close()
    assert os.stat("store.db").st_mode & 0o077 == 0


def test_one_server_at_a_time():
    store = opened()
    with pytest.raises(StoreError, match="store.db is in use by another server"):
        opened()
    store.close()
    opened().close()


def test_file_can_be_copied_while_it_is_used():
    async def main():
        owner = (await store.claim("a")).owner
        await store.put("a", owner, b"x")

    store = opened()
    asyncio.run(main())
    with sqlite3.connect("store.db") as used, sqlite3.connect("copy.db") as copy:
        used.backup(copy)
    copy.close()
    store.close()
    copy = opened("copy.db")
    assert asyncio.run(copy.claim("a")).outbox == [b"x"]
    copy.close()


def damage(how):
    if how == "no database":
        Path("store.db").write_text("something else, and long enough to be read as a header of one" * 3)
    elif how == "page":
        opened().close()
        content = bytearray(Path("store.db").read_bytes())
        content[4096:8192] = os.urandom(4096)
        Path("store.db").write_bytes(content)
    elif how == "other program":
        sqlite3.connect("store.db").execute("CREATE TABLE t (x)").connection.close()
    elif how == "newer":
        opened().close()
        sqlite3.connect("store.db").execute("PRAGMA user_version = 99").connection.close()


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("no database", "store.db is damaged or no store .*back-up"),
        ("page", "store.db is damaged or no store .*back-up"),
        ("other program", "store.db is a database of another program"),
        ("newer", "newer pb_link .*upgrade"),
    ],
)
def test_bad_file_is_a_clear_error_and_stays_as_it_is(how, error):
    damage(how)
    before = Path("store.db").read_bytes()
    for _ in range(2):  # the first one lets go of everything
        with pytest.raises(StoreError, match=error):
            opened()
    if how != "other program":
        assert Path("store.db").read_bytes() == before


def test_missing_line_is_found_by_the_claim():
    async def fill(store):
        owner = (await store.claim("a")).owner
        await store.receive("a", owner, EPOCH, 3, [b"x", b"y", b"z"])

    store = opened()
    asyncio.run(fill(store))
    store.close()
    database = sqlite3.connect("store.db")
    database.execute("DELETE FROM inbox WHERE number = 1")
    database.commit()
    database.close()
    store = opened()
    with pytest.raises(StoreError, match="line 1 .* is missing"):
        asyncio.run(store.claim("a"))
    store.close()


READ_ONLY = """
import os, sys
from protocol.errors import StoreError
from server.stores.sqlite import SQLiteStore
if os.getuid() == 0:
    os.setuid(65534)
try:
    SQLiteStore(sys.argv[1])
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_cannot_be_written_is_a_clear_error(what, tmp_path):
    opened().close()
    os.chmod("store.db", 0o444)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(folder, 0o777 if what == "file" else 0o555)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, tmp_path / "store.db"], cwd="/",
        env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    os.chmod(tmp_path, 0o777)
    assert "cannot be" in done.stdout and "store.db" in done.stdout, done.stdout + done.stderr


def test_rows_of_one_transaction_are_what_was_done_last():
    rows = Rows()
    rows.delete("inbox", 1, 5, 2)
    rows.insert("inbox", 1, 5, (b"again",))
    rows.insert("outbox", 1, 5, (b"x",))
    rows.delete("outbox", 1, 5, 1)
    assert list(rows.deletes["inbox"]) == [(1, 6)] and list(rows.deletes["outbox"]) == [(1, 5)]
    assert [row[:2] for row in rows.inserts["inbox"]] == [(1, 5)]


def test_wal_that_grew_while_another_program_read_is_cut_again():
    async def rounds(store, owner, count, base):
        for number in range(base, base + count):
            await store.put("a", owner, bytes(60000))
            await store.acknowledge("a", owner, number + 1)

    async def main():
        owner = (await store.claim("a")).owner
        with sqlite3.connect("store.db", isolation_level=None) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM client").fetchall()
            await rounds(store, owner, 400, 0)
            assert os.path.getsize("store.db-wal") > WAL_BYTES  # nothing may be overwritten that the reader sees
        reader.close()
        await rounds(store, owner, 400, 400)
        assert os.path.getsize("store.db-wal") <= WAL_BYTES

    store = opened(outbox_bytes=1 << 20)
    asyncio.run(main())
    store.close()
