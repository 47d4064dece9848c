"""The files of a store: one server at a time by whatever name, and nothing is acknowledged that went elsewhere."""

import asyncio
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import server
from protocol.errors import StoreError
from server import MemoryStore
from server.core.store import StoreGone
from server.stores import sqlite_paths as store_files
from server.stores.sqlite import SQLiteStore
from server.stores.sqlite_file import CHECKPOINT_PAGES
from tests.patience import PATIENCE_S
from tests.server.peer import HOST, KEYS, Client, Service, free_port, until, within
from tests.server.service.test_cli import Server
from tests.server.store_calls import a_line, a_lines
from tests.sessions import idle

ROOT = Path(__file__).resolve().parents[3]
EPOCH = b"e" * 8

on_inodes = pytest.mark.skipif(not store_files._HAS_LOCKS, reason="flock is not apart from SQLite's locks here")


def program(text, *arguments):
    """What another process, with this text, prints."""
    done = subprocess.run(
        [sys.executable, "-c", text, *arguments],
        env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.stdout + done.stderr


OPEN = """
import sys
from protocol.errors import StoreError
from server.stores.sqlite import SQLiteStore
try:
    SQLiteStore(sys.argv[1]).close()
    print("opened")
except StoreError as error:
    print(error)
"""


# One server at a time


def by_symbolic_link():
    os.symlink("store.db", "other.db")
    return "other.db"


def by_a_link_to_its_folder():
    os.mkdir("elsewhere")
    os.symlink("..", "elsewhere/folder")
    return "elsewhere/folder/store.db"


def without_the_lock_of_the_name():
    os.unlink("store.db-lock")
    return "store.db"


@pytest.mark.parametrize(
    "name",
    [by_symbolic_link, by_a_link_to_its_folder, pytest.param(without_the_lock_of_the_name, marks=on_inodes)],
)
@pytest.mark.parametrize("where", ["this process", "another process"])
def test_store_has_one_server_whatever_name_it_is_opened_by(name, where):
    store = SQLiteStore("store.db")
    other = name()
    if where == "this process":
        with pytest.raises(StoreError, match=f"the store {other} is in use by another server"):
            SQLiteStore(other)
    else:
        assert "in use by another server" in program(OPEN, other)
    store.close()
    assert program(OPEN, other) == "opened\n"


@pytest.mark.parametrize("running", [True, False])
def test_store_with_two_names_is_refused_under_each(running):
    store = SQLiteStore("store.db")
    if not running:
        store.close()
    os.link("store.db", "other.db")
    with pytest.raises(StoreError, match="other.db has 2 names .hard links.*remove all but one.*-samefile"):
        SQLiteStore("other.db")
    store.close()
    with pytest.raises(StoreError, match="store.db has 2 names"):
        SQLiteStore("store.db")
    os.unlink("other.db")
    SQLiteStore("store.db").close()


def test_link_to_a_store_that_is_not_there_yet_makes_it_where_the_link_leads():
    os.mkdir("disk")
    os.symlink("disk/real.db", "store.db")
    SQLiteStore("store.db").close()
    assert Path("disk/real.db").exists() and Path("disk/real.db-lock").exists() and os.path.islink("store.db")


def test_store_above_the_folder_that_a_link_leads_to_is_found():
    os.makedirs("disk/folder")
    os.symlink("disk/folder", "link")
    SQLiteStore("link/../store.db").close()
    assert Path("disk/store.db").exists()


TAKE_ALONE = """
import sqlite3, sys
try:
    print(sqlite3.connect(sys.argv[1], timeout=0).execute("PRAGMA journal_mode = DELETE").fetchone())
except sqlite3.OperationalError as error:
    print(error)
"""


def test_refused_server_takes_none_of_the_locks_that_sqlite_has():
    """A process that closes any descriptor of a file loses its POSIX locks of that file."""
    store = SQLiteStore("store.db")
    assert "locked" in program(TAKE_ALONE, "store.db")
    for name in (by_symbolic_link(), "store.db", without_the_lock_of_the_name()):
        with pytest.raises(StoreError):
            SQLiteStore(name)
    assert "locked" in program(TAKE_ALONE, "store.db")
    store.close()
    assert "delete" in program(TAKE_ALONE, "store.db")


FORK = """
import os, time
from server.stores.sqlite import SQLiteStore
store = SQLiteStore("store.db")
if os.fork() == 0:
    print("forked", flush=True)  # and it has left what it had to its parent
    time.sleep(60)
    os._exit(0)
time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_child_of_a_server_that_was_killed_does_not_hold_its_store():
    process = subprocess.Popen(
        [sys.executable, "-c", FORK], env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout.readline() == b"forked\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        SQLiteStore("store.db").close()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()


# A store that goes while it is used


def replaced(name):
    shutil.copy(name, "copy")
    os.rename("copy", name)


def overwritten():
    shutil.copy("before.db", "store.db")  # as `cp` does: into the same file


def folder_moved():
    here = os.getcwd()
    os.rename(here, here + ".moved")
    os.mkdir(here)
    os.chdir(here)


CHANGES = {
    "deleted": lambda: [os.unlink(f"store.db{suffix}") for suffix in ("", "-wal", "-shm")],
    "database deleted": lambda: os.unlink("store.db"),
    "-wal deleted": lambda: os.unlink("store.db-wal"),
    "-shm deleted": lambda: os.unlink("store.db-shm"),
    "database replaced": lambda: replaced("store.db"),
    "-wal replaced": lambda: replaced("store.db-wal"),
    "overwritten": overwritten,
    "second name": lambda: os.link("store.db", "other.db"),
    "folder moved": folder_moved,
}
WORDS = {
    "deleted": "store.db has been deleted or moved away",
    "database deleted": "store.db has been deleted or moved away",
    "-wal deleted": "store.db-wal has been deleted or moved away",
    "-shm deleted": "store.db-shm has been deleted or moved away",
    "database replaced": "store.db has been replaced",
    "-wal replaced": "store.db-wal has been replaced",
    "overwritten": "store.db has been written by another program",
    "second name": r"store.db has got a second name \(hard link\)",
    "folder moved": "store.db has been deleted or moved away",
}


@pytest.fixture
def store():
    SQLiteStore("store.db").close()
    shutil.copy("store.db", "before.db")
    store = SQLiteStore("store.db")
    yield store
    store.close()


async def filled(store):
    """Returns the owner. Enough has been written that SQLite has moved some of it into the database."""
    owner = (await store.claim("a")).owner
    for number in range(10):
        await store.put("a", owner, a_line(b"x" * 8000))
        await store.receive("a", owner, EPOCH, {0: number + 1}, a_lines([b"y" * 1000]))
    return owner


@pytest.mark.parametrize("how", CHANGES)
def test_nothing_is_safe_in_a_store_whose_files_have_changed(store, how, monkeypatch):
    async def main():
        owner = await filled(store)
        CHANGES[how]()
        text = f"{WORDS[how]} while the server used it.*-wal and -shm.*start the server again"
        with pytest.raises(StoreGone, match=text):
            await store.receive("a", owner, EPOCH, {0: 11}, a_lines([b"z"]))
        for client in ("a", "b"):
            with pytest.raises(StoreGone, match=WORDS[how]):
                await store.claim(client)
        with pytest.raises(StoreGone, match=WORDS[how]):
            await within(store.watch())  # it knows already

    monkeypatch.setattr(SQLiteStore, "look_s", 600)
    asyncio.run(main())


@pytest.mark.parametrize("how", CHANGES)
def test_store_that_nobody_writes_is_looked_at_once_a_second(store, how):
    async def main():
        await filled(store)
        watching = asyncio.create_task(store.watch())
        await asyncio.sleep(0.1)
        CHANGES[how]()
        with pytest.raises(StoreGone, match=WORDS[how]):
            await within(watching)

    asyncio.run(main())


def test_nothing_is_written_into_a_store_that_is_seen_to_have_changed(store):
    async def main():
        owner = await filled(store)
        CHANGES["second name"]()
        with pytest.raises(StoreGone):
            await store.receive("a", owner, EPOCH, {0: 11}, a_lines([b"z"]))

    asyncio.run(main())
    with sqlite3.connect("file:store.db?mode=ro", uri=True) as reader:
        assert reader.execute("SELECT count(*) FROM inbox WHERE line = ?", (b"z",)).fetchone() == (0,)
    reader.close()


def test_change_that_a_transaction_meets_ends_the_watch_at_once(store, monkeypatch):
    async def main():
        owner = await filled(store)
        watching = asyncio.create_task(store.watch())
        await asyncio.sleep(0)
        CHANGES["database deleted"]()
        with pytest.raises(StoreGone):
            await store.receive("a", owner, EPOCH, {0: 11}, a_lines([b"z"]))
        with pytest.raises(StoreGone):
            await within(watching)

    monkeypatch.setattr(SQLiteStore, "look_s", 600)
    asyncio.run(main())


@on_inodes
def test_database_that_is_replaced_while_it_is_opened_is_not_used():
    """Between the lock and SQLite: the lock is then on another file."""
    SQLiteStore("store.db").close()
    for suffix in ("-wal", "-shm"):
        Path("store.db" + suffix).touch()
    files = store_files.StoreFiles("store.db")
    files.lock()
    replaced("store.db")
    with pytest.raises(StoreGone, match="store.db has been replaced"):
        files.begin()
    files.unlock()


def test_where_the_lock_beside_the_store_is_the_only_one_it_must_stay(monkeypatch):
    async def main():
        await filled(store)
        os.unlink("store.db-lock")
        with pytest.raises(StoreGone, match="store.db-lock has been deleted"):
            await store.claim("b")

    monkeypatch.setattr(store_files, "_HAS_LOCKS", False)
    store = SQLiteStore("store.db")
    asyncio.run(main())
    store.close()


def test_link_that_leads_to_another_store_is_found(tmp_path):
    async def main():
        await filled(store)
        os.unlink("link.db")
        os.symlink("other.db", "link.db")
        with pytest.raises(StoreGone, match="link.db has been replaced"):
            await store.claim("b")

    for name in ("real.db", "other.db"):
        SQLiteStore(name).close()
    os.symlink("real.db", "link.db")
    store = SQLiteStore("link.db")
    asyncio.run(main())
    store.close()


@pytest.mark.parametrize("how", CHANGES)
def test_transaction_in_which_the_files_change_is_not_safe(store, how):
    """A busy server is in one nearly all the time."""

    async def main():
        owner = (await store.claim("a")).owner
        store._database._transact = transact
        with pytest.raises(StoreGone, match=WORDS[how]):
            await store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"x"]))

    def transact(*rows):
        original(*rows)
        CHANGES[how]()

    original = store._database._transact
    asyncio.run(main())


def test_file_that_is_put_back_makes_a_store_that_was_gone_no_store_again(store):
    async def main():
        owner = (await store.claim("a")).owner
        os.rename("store.db", "away.db")
        with pytest.raises(StoreGone):
            await store.put("a", owner, a_line(b"x"))
        os.rename("away.db", "store.db")
        with pytest.raises(StoreGone):
            await store.claim("a")

    asyncio.run(main())


BACK_UP = """
import sqlite3
used, copy = sqlite3.connect("store.db"), sqlite3.connect("copy.db")
used.backup(copy)
print(used.execute("SELECT count(*) FROM outbox").fetchone())
"""


def test_those_who_read_the_store_and_its_own_checkpoints_do_not_end_it(store):
    async def main():
        owner = await filled(store)
        before = os.stat("store.db").st_mtime_ns
        for _ in range(80):  # 1000 pages of 4 KiB make a checkpoint
            state, _ = await store.discard("a", owner)
            owner = state.owner
            for _ in range(8):
                await store.put("a", owner, a_line(b"x" * 8000))
        assert os.stat("store.db").st_mtime_ns != before
        assert os.path.getsize("store.db-wal") < 3 * CHECKPOINT_PAGES * 4200
        assert "(8,)" in program(BACK_UP)
        await store.put("a", owner, a_line(b"y"))
        watching = asyncio.create_task(store.watch())
        await asyncio.sleep(2.2)
        assert not watching.done()
        watching.cancel()

    asyncio.run(main())


def test_end_of_a_store_that_is_gone_leaves_the_next_one_alone(store):
    """SQLite deletes the `-wal` of the last who leaves, by its name."""

    async def write(store, line):
        await store.put("a", (await store.claim("a")).owner, a_line(line))

    asyncio.run(write(store, b"first"))
    for suffix in ("", "-wal", "-shm", "-lock"):
        os.unlink("store.db" + suffix)
    second = SQLiteStore("store.db")
    asyncio.run(write(second, b"second"))
    store.close()
    assert os.path.getsize("store.db-wal") > 0
    with sqlite3.connect("file:store.db?mode=ro", uri=True) as reader:
        assert reader.execute("SELECT line FROM outbox").fetchall() == [(b"second",)]
    reader.close()
    asyncio.run(write(second, b"third"))
    second.close()


# The server


def test_server_whose_store_is_deleted_ends_and_acknowledges_nothing_more():
    async def main(process):
        client = process.client()
        await within(client.connect())
        await client.write("before")
        await within(client.acknowledged())
        for suffix in ("", "-wal", "-shm"):
            os.unlink("pb_link.db" + suffix)
        await client.write("after")
        await within(client.ended())
        assert not idle(client.session)
        assert await asyncio.to_thread(process.process.wait, 20) == 1

    with Server() as process:
        asyncio.run(main(process))
    log = Path("log.txt").read_text()
    assert log.count(" store_gone ") == 1 and "pb_link.db has been deleted or moved away" in log
    assert " failed " not in log and log.rstrip().endswith("stopped")
    assert not Path("pb_link.db").exists()


def test_idle_server_whose_store_is_replaced_ends():
    with Server() as process:
        shutil.copy("pb_link.db", "copy")
        os.rename("copy", "pb_link.db")
        assert process.process.wait(PATIENCE_S) == 1
    assert "pb_link.db has been replaced while the server used it" in Path("log.txt").read_text()


def test_run_raises_when_its_store_is_gone(store, capsys):
    async def main():
        async with Service(store=store) as service:
            client = Client(service.port)
            await within(client.connect())
            os.unlink("store.db")
            await client.write("x")
            await until(service.task.done, "the end of the server")
            assert isinstance(service.task.exception(), StoreGone) and not idle(client.session)

    asyncio.run(main())
    assert "store.db has been deleted or moved away while the server used it" in capsys.readouterr().out


def test_store_that_is_closed_under_a_server_ends_it(store):
    async def main():
        async with Service(store=store) as service:
            await within(Client(service.port).connect())
            store.close()
            await until(service.task.done, "the end of the server")
            assert "is closed" in str(service.task.exception())

    asyncio.run(main())


def test_any_error_of_a_watch_ends_the_server():
    class Unwatchable(MemoryStore):
        async def watch(self):
            raise OSError("the disk is not there")

    async def main():
        async with Service(store=Unwatchable()) as service:
            await until(service.task.done, "the end of the server")
            assert "the disk is not there" in str(service.task.exception())

    asyncio.run(main())


def test_store_without_a_watch_is_an_error_before_the_port_is_open():
    class Old(MemoryStore):
        watch = property()

    async def main():
        async with Service(store=Old()) as service:
            await until(service.task.done, "the end of the server")
            assert isinstance(service.task.exception(), AttributeError)
            with socket.socket() as probe:
                probe.bind((HOST, service.port))

    asyncio.run(main())


def test_run_in_another_loop_watches_the_same_store(store):
    async def main():
        serving = asyncio.create_task(server.run({"a"}, port=free_port(), keys=KEYS, store=store, host=HOST))
        await asyncio.sleep(1.2)
        assert not serving.done()
        serving.cancel()
        await asyncio.wait([serving])

    for _ in range(2):
        asyncio.run(main())
