"""The durable store's file: who may read it, who has it, and what is said of one that is no good."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.errors import StoreError
from server.core.message import Message
from server.stores import sqlite_file
from server.stores.sqlite import SQLiteStore
from server.stores.sqlite_file import SCHEMA_VERSION, WAL_BYTES
from tests.server.store_calls import a_line, a_lines, inbox_of
from tests.server.stores.old_formats import write_store

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
        await store.put("a", owner, a_line(b"x"))

    store = opened()
    asyncio.run(main())
    with sqlite3.connect("store.db") as used, sqlite3.connect("copy.db") as copy:
        used.backup(copy)
    copy.close()
    store.close()
    copy = opened("copy.db")
    assert asyncio.run(copy.claim("a")).lines == [b"x"]
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


def test_missing_message_is_found_by_the_claim():
    async def fill(store):
        owner = (await store.claim("a")).owner
        await store.receive("a", owner, EPOCH, {0: 3}, a_lines([b"x", b"y", b"z"]))

    store = opened()
    asyncio.run(fill(store))
    store.close()
    database = sqlite3.connect("store.db")
    database.execute("DELETE FROM inbox WHERE number = 1")
    database.commit()
    database.close()
    store = opened()
    with pytest.raises(StoreError, match="client 1 has 2 messages, and 3 is what was written"):
        asyncio.run(store.claim("a"))
    store.close()


@pytest.mark.parametrize("version", [1, 2, 3])
def test_file_of_an_older_format_is_taken_over_with_its_lines(version):
    async def main():
        assert [(one["id"], one["lines"], one["bytes"]) for one in await store.backlogs()] == [("pump", 4, 21)]
        state = await store.claim("pump")
        found = (state.owner, state.epoch, state.peer_epoch, state.cursors, state.bases)
        assert found == (4, b"random03", b"client's", {0: 7}, {0: 2})
        assert state.outbox == [
            (2 + at, a_line(line)) for at, line in enumerate((b"down 1", b"down 2", b"down 3", "\u20ac".encode()))
        ]
        assert state.note == ("" if version == 1 else "a note")
        runs = [(b"random04", 1), (b"random05", 5)] if version == 3 else []
        assert state.runs == [*runs, (state.run, 6)] and state.pasts == {0: 2}
        assert await inbox_of(store, state.owner, "pump") == [(1, b"up 1"), (2, b"\xff\0"), (3, b"")]
        await store.receive("pump", state.owner, b"client's", {0: 8}, a_lines([b"up 4"]))
        await store.put("pump", state.owner, Message(7, 0, 0, b"new"))
        await store.acknowledge("pump", state.owner, {0: 5})
        state = await store.claim("pump")
        assert [serial for serial, _ in state.outbox] == [5, 6] and state.serial == 7
        assert (await inbox_of(store, state.owner, "pump"))[-1] == (4, b"up 4")
        valve = await store.claim("valve")
        assert (valve.cursors, valve.bases, valve.outbox, valve.serial) == ({0: 2}, {0: 1}, [], 1)
        assert store.unread("valve") == (0, 2)

    write_store("store.db", version)
    store = opened()
    asyncio.run(main())
    store.close()
    with sqlite3.connect("store.db") as database:
        assert database.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    database.close()
    assert tables == {"client", "channel", "inbox", "outbox"}


def test_line_that_an_older_format_has_lost_is_found_after_the_migration():
    write_store("store.db")
    with sqlite3.connect("store.db") as database:
        database.execute("DELETE FROM inbox WHERE number = 2")
    database.close()
    store = opened()
    with pytest.raises(StoreError, match="has 6 messages, and 7 is what was written"):
        asyncio.run(store.claim("pump"))
    store.close()


def test_migration_is_done_or_not(monkeypatch):
    """Whichever of its statements fails, the file is as it was, and the next process brings it to the new format."""
    script = sqlite_file._UPGRADES[3]
    statements = script.split(";")
    for at in range(2, len(statements) - 1):
        broken = ";".join([*statements[:at], "INSERT INTO no_table VALUES (1)", *statements[at:]])
        write_store(f"store{at}.db")
        with sqlite3.connect(f"store{at}.db") as database:
            before = list(database.iterdump())
        database.close()
        monkeypatch.setitem(sqlite_file._UPGRADES, 3, broken)
        with pytest.raises(StoreError, match="no_table"):
            opened(f"store{at}.db")
        with sqlite3.connect(f"store{at}.db") as database:
            assert list(database.iterdump()) == before
            assert database.execute("PRAGMA user_version").fetchone()[0] == 3
        database.close()
        monkeypatch.setitem(sqlite_file._UPGRADES, 3, script)
        store = opened(f"store{at}.db")
        assert asyncio.run(store.claim("pump")).serial == 6
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


def test_wal_that_grew_while_another_program_read_is_cut_again():
    async def rounds(store, owner, count, base):
        for number in range(base, base + count):
            await store.put("a", owner, a_line(bytes(60000)))
            await store.acknowledge("a", owner, {0: number + 1})

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
