"""The durable store: what a file is for, what it does when the disk fails, and who may have it."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.errors import StoreError
from server.stores.sqlite import SQLiteStore
from tests.server.peer import until, within

ROOT = Path(__file__).resolve().parents[3]
EPOCH = b"e" * 8


def opened(path="store.db", **limits):
    return SQLiteStore(path, **limits)


def test_what_was_written_is_there_after_the_process():
    async def first(store):
        owner = (await store.claim("a")).owner
        await store.receive("a", owner, EPOCH, 3, [b"x", b"", b"\xff\0"])
        for line in (b"one", b"two"):
            await store.put("a", owner, line)
        await store.acknowledge("a", owner, 1)
        assert await store.take("a", owner) == b"x"
        return await store.peek("a")

    async def second(store, known):
        assert await store.peek("a") == known
        state = await store.claim("a")
        assert (state.peer_epoch, state.next_number, state.base, state.outbox) == (EPOCH, 3, 1, [b"two"])
        assert [await store.take("a", state.owner) for _ in range(3)] == [b"", b"\xff\0", None]

    store = opened()
    known = asyncio.run(first(store))
    store.close()
    store = opened()
    asyncio.run(second(store, known))
    store.close()


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


DISK_FULL = """
import asyncio, resource, sys
from protocol.errors import StoreError
from server.stores.sqlite import SQLiteStore

async def main():
    store = SQLiteStore("store.db", inbox_bytes=1 << 30)
    owner = (await store.claim("a")).owner
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    safe = 0
    try:
        while True:
            await store.receive("a", owner, b"e" * 8, safe + 1, [b"%d" % safe + b"x" * 1000])
            safe += 1
    except StoreError as error:
        print(error)
    for write in (store.receive("a", owner, b"e" * 8, 0, [b"x"]), store.take("a", owner)):
        try:
            await write
        except StoreError as error:
            assert "claim it again" in str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    state = await store.claim("a")
    assert state.next_number == safe
    for i in range(safe):
        assert (await store.take("a", state.owner)).startswith(b"%d" % i + b"x"), i
    assert await store.take("a", state.owner) is None
    print("safe", safe)

asyncio.run(main())
"""


def test_full_disk_is_a_clear_error_and_loses_nothing_that_was_safe():
    """A bound on the size of files is what a full disk is to SQLite: a write that fails."""
    done = subprocess.run(
        [sys.executable, "-c", DISK_FULL], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert first.startswith("store.db: ") and ("full" in first or "I/O" in first)
    assert int(last.split()[1]) > 5


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


def test_many_lines_of_many_clients_share_a_transaction():
    async def main():
        owners = {name: (await store.claim(name)).owner for name in map(str, range(50))}
        before = store.commits
        await asyncio.gather(*(store.receive(name, owners[name], EPOCH, 1, [b"x"]) for name in owners))
        return store.commits - before

    store = opened()
    assert asyncio.run(main()) <= 2
    store.close()


def test_line_is_not_seen_before_it_is_safe():
    async def main():
        owner = (await store.claim("a")).owner
        receiving = asyncio.create_task(store.receive("a", owner, EPOCH, 1, [b"x"]))
        await asyncio.sleep(0)
        assert await store.look("a", owner, 0) is None and await store.take("a", owner) is None
        await receiving
        assert await store.look("a", owner, 0) == (0, b"x")

    store = opened()
    asyncio.run(main())
    store.close()


@pytest.mark.parametrize("settled", [True, False])
def test_take_whose_caller_was_cancelled_is_undone(settled):
    async def main():
        owner = (await store.claim("a")).owner
        await store.receive("a", owner, EPOCH, 2, [b"x", b"y"])
        taking = asyncio.create_task(store.take("a", owner))
        await asyncio.sleep(0)
        taking.cancel()
        if settled:
            await until(lambda: store._clients["a"].inbox_first == 0, "the undoing")
            assert await store.take("a", owner) == b"x"
            await store.give_back("a", owner, b"x")

    store = opened()
    asyncio.run(main())
    store.close()
    store = opened()
    assert asyncio.run(taken(store)) == [b"x", b"y"]
    store.close()


async def taken(store):
    owner = (await store.claim("a")).owner
    lines = []
    while (line := await store.take("a", owner)) is not None:
        lines.append(line)
    return lines


def test_commit_that_fails_fails_all_that_follows_and_claim_begins_again():
    async def main():
        owner = (await store.claim("a")).owner
        await store.receive("a", owner, EPOCH, 1, [b"safe"])
        commit, store._file.commit = store._file.commit, broken
        writes = [asyncio.create_task(store.put("a", owner, line)) for line in (b"1", b"2")]
        for result in await asyncio.gather(*writes, return_exceptions=True):
            assert isinstance(result, StoreError) and "store.db: no more" in str(result)
        store._file.commit = commit
        with pytest.raises(StoreError, match="claim it again"):
            await store.put("a", owner, b"3")
        state = await within(store.claim("a"))
        assert state.outbox == [] and await store.take("a", state.owner) == b"safe"

    def broken(rows, clients):
        raise sqlite3.OperationalError("no more")

    store = opened()
    asyncio.run(main())
    store.close()


def test_limit_of_all_clients_together_stops_them_and_lets_them_go_on():
    async def main():
        owners = {name: (await store.claim(name)).owner for name in "ab"}
        assert store.inbox_room("b") and store.outbox_room("b", 10)
        await store.receive("a", owners["a"], EPOCH, 1, [b"x" * 1000])
        assert not store.inbox_room("b")
        assert store.outbox_room("b", 10)  # one line always
        await store.put("b", owners["b"], b"y")
        assert not store.outbox_room("b", 1)
        await store.take("a", owners["a"])
        assert roomy == [True] and store.inbox_room("b") and store.outbox_room("b", 10)

    roomy = []
    store = opened(total_bytes=1000)
    store.on_room = lambda: roomy.append(True)
    asyncio.run(main())
    store.close()
