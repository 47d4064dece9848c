"""The durable store where it is more than a store: what the file is for, and what happens when the disk fails."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.errors import StoreError
from server.core.message import Message
from server.stores.sqlite import SQLiteStore
from server.stores.sqlite_file import SQLiteFile
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
from server.core.message import Message
from server.stores.sqlite import SQLiteStore
from server.stores.sqlite_file import SQLiteFile

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


async def prepared(store):
    """Returns steps that take one line out of the inbox and put three lines and a message into the outbox."""
    owner = (await store.claim("a")).owner
    await store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"x"]))
    steps = [lambda line=line: store.put("a", owner, a_line(line)) for line in (b"0", b"1", b"2")]
    steps.append(lambda: store.remove("a", owner, (0,)))
    steps.append(lambda: store.put("a", owner, Message(20, 0, 0, b"answer")))
    return owner, steps


@pytest.mark.parametrize("is_busy", [False, True])
def test_together_is_one_transaction(is_busy):
    async def main(store):
        owner, steps = await prepared(store)
        for _ in range(30):  # an earlier transaction may end between any two of the steps
            before, busy = store.commits, None
            if is_busy:
                busy = asyncio.create_task(store.named("a", owner, b"r" * 8))
                await asyncio.sleep(0)
            await store.together(steps[:3])
            assert store.commits == before + 1 + is_busy
            if busy:
                await busy
        await asyncio.gather(*(store.together(steps[:2]) for _ in range(3)))

    store = opened(outbox_bytes=1 << 20)
    asyncio.run(main(store))
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_crash_leaves_all_of_together_or_nothing(after):
    """SIGKILL in front of the first transaction of `together`, or behind it."""
    child = os.fork()
    if not child:
        try:
            _be_killed(after)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])

    async def main(store):
        state = await store.claim("a")
        found = [message.data for _, message in state.outbox]
        assert found == ([b"0", b"1", b"2", b"answer"] if after else [])
        assert store.unread("a")[0] == (0 if after else 1)

    store = opened()
    asyncio.run(main(store))
    store.close()


def _be_killed(after):
    async def main(store):
        _, steps = await prepared(store)
        commit = SQLiteFile.commit

        def killing(self, *args):
            if after:
                commit(self, *args)
            os.kill(os.getpid(), signal.SIGKILL)

        SQLiteFile.commit = killing
        await store.together(steps)

    asyncio.run(main(opened()))


@pytest.mark.parametrize("begun", [False, True])
def test_store_that_is_closed_about_the_steps_has_them_all_or_none(begun):
    async def main(store):
        _, steps = await prepared(store)
        together = asyncio.create_task(store.together(steps))
        if begun:
            await asyncio.sleep(0)
        store.close()
        if begun:
            await together
        else:
            with pytest.raises(StoreError, match="closed"):
                await together

    asyncio.run(main(opened()))
    store = opened()
    found = [message.data for _, message in asyncio.run(store.claim("a")).outbox]
    assert found == ([b"0", b"1", b"2", b"answer"] if begun else [])
    store.close()


def test_loop_that_ends_while_the_steps_begin_holds_no_later_one_up():
    async def ending(store):
        _, steps = await prepared(store)
        asyncio.create_task(store.together(steps))
        await asyncio.sleep(0)

    store = opened()
    asyncio.run(ending(store))
    asyncio.run(within(prepared(store)))
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
        commit, store._database.commit = store._database.commit, broken
        writes = [asyncio.create_task(store.put("a", owner, a_line(line))) for line in (b"1", b"2")]
        for result in await asyncio.gather(*writes, return_exceptions=True):
            assert isinstance(result, StoreError) and "store.db: no more" in str(result)
        store._database.commit = commit
        with pytest.raises(StoreError, match="claim it again"):
            await store.put("a", owner, a_line(b"3"))
        state = await within(store.claim("a"))
        assert state.lines == [] and data_of(await store.take("a", state.owner)) == b"safe"

    def broken(changes):
        raise sqlite3.OperationalError("no more")

    store = opened()
    asyncio.run(main())
    store.close()
