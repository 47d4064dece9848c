"""The beds of test_contract.py: how stores that need CPython are opened, and how their disks fail."""

import asyncio
import os
import selectors
import sqlite3
import tempfile
import types

import asyncpg

from protocol.errors import StoreError
from server.stores import postgres_schema
from server.stores.postgres import PostgresStore
from server.stores.sqlite import SQLiteStore
from sim.virtual.disk import Disk
from tests.server import postgres
from tests.server.all_stores import SlowStore
from tests.server.sharded_bed import Shards
from tests.server.store_calls import CHANNEL, INBOX, OUTBOX, MemoryBed

# What is written need not outlive the machine, and a file in memory is synced in no time.
_MEMORY = "/dev/shm"


class SlowBed(MemoryBed):
    """A store that suspends, around the one in memory."""

    def open(self, inbox_bytes=INBOX, outbox_bytes=OUTBOX):
        return SlowStore(inbox_bytes, outbox_bytes, CHANNEL)


class SQLiteBed(MemoryBed):
    """The durable store with its thread."""

    outlives = True
    has_total = True
    can_fail = True
    seeds = 15

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)

    def open(self, inbox_bytes=INBOX, outbox_bytes=OUTBOX, **more):
        return SQLiteStore(self._folder.name + "/store.db", inbox_bytes, outbox_bytes, channel_bytes=CHANNEL, **more)

    def break_disk(self, store):
        def commit(changes):
            raise sqlite3.OperationalError("the disk is broken")

        true, store._database.commit = store._database.commit, commit

        def mend():
            store._database.commit = true

        return mend

    def remove(self):
        self._folder.cleanup()


class PostgresBed(MemoryBed):
    """The store in PostgreSQL, in a schema of its own."""

    outlives = True
    has_total = True
    can_fail = True
    seeds = 6

    def __init__(self):
        self._others = []
        self._url, self._schema = postgres.server().url, postgres.new_schema()
        asyncio.run(self._do(postgres_schema.make))

    async def _do(self, function):
        connection = await asyncpg.connect(self._url)
        try:
            await function(connection, self._schema)
        finally:
            await connection.close()

    def open(self, inbox_bytes=INBOX, outbox_bytes=OUTBOX, **more):
        return PostgresStore(
            self._url, inbox_bytes, outbox_bytes, channel_bytes=CHANNEL, schema=self._schema, **more
        )

    def other(self, store):
        if not self._others:
            self._others.append(self.open())
        return self._others[0]

    def break_disk(self, store):
        def refuse(*args):
            raise StoreError("the disk is full")

        database = store._database
        true = database.commit, database.claim
        database.commit = database.claim = refuse

        def mend():
            database.commit, database.claim = true

        return mend

    def remove(self):
        for store in self._others:
            store.close()

        async def drop(connection, schema):
            await connection.execute(f"DROP SCHEMA {schema} CASCADE")

        asyncio.run(self._do(drop))


class ShardedBed(PostgresBed):
    """A store of two databases, with a schema in each."""

    seeds = 15

    def __init__(self):
        self._others = []
        self._shards = Shards()

    def open(self, inbox_bytes=INBOX, outbox_bytes=OUTBOX, **more):
        return self._shards.open(inbox_bytes, outbox_bytes, channel_bytes=CHANNEL, **more)

    def set_base(self, store, client_id, base):
        super().set_base(store.of(client_id), client_id, base)

    def break_disk(self, store):
        mends = [PostgresBed.break_disk(self, part) for part in store.parts]
        return lambda: [mend() for mend in mends]

    def remove(self):
        self._shards.close()


class VirtualDiskBed(SQLiteBed):
    """The durable store on the simulator's disk, in virtual time: each transaction takes 5 ms, and is written at some
    moment of these. So what overlaps is the same in every run."""

    seeds = 40

    def __init__(self):
        self._loop = JumpingLoop()
        self._disk = Disk(types.SimpleNamespace(loop=self._loop, at_death=lambda action: None), 1)

    def open(self, inbox_bytes=INBOX, outbox_bytes=OUTBOX, **more):
        return self._disk.open_store(inbox_bytes, outbox_bytes, channel_bytes=CHANNEL, **more)

    def run(self, coroutine):
        return self._loop.run_until_complete(_and_cancel_the_others(coroutine))

    def remove(self):
        self._loop.close()
        self._disk.remove()


async def _and_cancel_the_others(coroutine):
    """As asyncio.run does at its end."""
    try:
        return await coroutine
    finally:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next thing that is to be done."""

    def __init__(self):
        self._clock = _Clock()
        super().__init__(self._clock)

    def time(self):
        return self._clock.now


class _Clock(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout=None):
        self.now += timeout or 0
        return super().select(0)
