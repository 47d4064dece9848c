"""The durable store where it is more than a store: what the file is for, and what happens when the disk fails."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.errors import StoreError
from server.stores.sqlite import SQLiteStore
from tests.server.peer import within
from tests.server.store_calls import a_line, a_lines, data_of

ROOT = Path(__file__).resolve().parents[3]
EPOCH = b"e" * 8


def opened(path="store.db", **limits):
    return SQLiteStore(path, **limits)


def test_what_was_written_is_there_after_the_process():
    async def first(store):
        owner = (await store.claim("a")).owner
        await store.receive("a", owner, EPOCH, {0: 3}, a_lines([b"x", b"", b"\xff\0"]))
        for line in (b"one", b"two"):
            await store.put("a", owner, a_line(line))
        await store.acknowledge("a", owner, {0: 1})
        assert data_of(await store.take("a", owner)) == b"x"
        return await store.peek("a")

    async def second(store, known):
        assert await store.peek("a") == known
        state = await store.claim("a")
        assert (state.peer_epoch, state.cursors[0], state.bases[0], state.lines) == (EPOCH, 3, 1, [b"two"])
        assert [data_of(await store.take("a", state.owner)) for _ in range(3)] == [b"", b"\xff\0", None]

    store = opened()
    known = asyncio.run(first(store))
    store.close()
    store = opened()
    asyncio.run(second(store, known))
    store.close()


DISK_FULL = """
import asyncio, resource, sys
from protocol.errors import StoreError
from server.core.message import Message
from server.stores.sqlite import SQLiteStore

async def main():
    store = SQLiteStore("store.db", inbox_bytes=1 << 30)
    owner = (await store.claim("a")).owner
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    safe = 0
    try:
        while True:
            await store.receive("a", owner, b"e" * 8, {0: safe + 1}, [Message(0, 0, 0, b"%d" % safe + b"x" * 1000)])
            safe += 1
    except StoreError as error:
        print(error)
    for write in (store.receive("a", owner, b"e" * 8, {0: 0}, []), store.take("a", owner)):
        try:
            await write
        except StoreError as error:
            assert "claim it again" in str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    state = await store.claim("a")
    assert state.cursors[0] == safe
    for i in range(safe):
        assert (await store.take("a", state.owner))[1].data.startswith(b"%d" % i + b"x"), i
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


def test_many_lines_of_many_clients_share_a_transaction():
    async def main():
        owners = {name: (await store.claim(name)).owner for name in map(str, range(50))}
        before = store.commits
        await asyncio.gather(*(store.receive(name, owners[name], EPOCH, {0: 1}, a_lines([b"x"])) for name in owners))
        return store.commits - before

    store = opened()
    assert asyncio.run(main()) <= 2
    store.close()


def test_line_is_not_seen_before_it_is_safe():
    async def main():
        owner = (await store.claim("a")).owner
        receiving = asyncio.create_task(store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"x"])))
        await asyncio.sleep(0)
        assert await store.look("a", owner, 0) is None and data_of(await store.take("a", owner)) is None
        await receiving
        assert data_of(await store.look("a", owner, 0)) == b"x"

    store = opened()
    asyncio.run(main())
    store.close()


def test_commit_that_fails_fails_all_that_follows_and_claim_begins_again():
    async def main():
        owner = (await store.claim("a")).owner
        await store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"safe"]))
        commit, store._file.commit = store._file.commit, broken
        writes = [asyncio.create_task(store.put("a", owner, a_line(line))) for line in (b"1", b"2")]
        for result in await asyncio.gather(*writes, return_exceptions=True):
            assert isinstance(result, StoreError) and "store.db: no more" in str(result)
        store._file.commit = commit
        with pytest.raises(StoreError, match="claim it again"):
            await store.put("a", owner, a_line(b"3"))
        state = await within(store.claim("a"))
        assert state.lines == [] and data_of(await store.take("a", state.owner)) == b"safe"

    def broken(rows, clients, channels):
        raise sqlite3.OperationalError("no more")

    store = opened()
    asyncio.run(main())
    store.close()
