"""Several processes on one store in PostgreSQL, played in one: each has a registry, and a store object of its own."""

import asyncio
import itertools

import asyncpg

from server.core.message import Message
from server.core.registry import Registry
from server.stores import postgres_schema
from server.stores.postgres import PostgresStore
from tests.patience import PATIENCE_S
from tests.server import postgres
from tests.server.core.test_events import Told
from tests.server.store_calls import EPOCH, a_lines


class Process:
    """One process. told: its events."""

    def __init__(self, url, schema):
        self.store = PostgresStore(url, schema=schema)
        self.own = self.store.readings._own
        self.registry = Registry()
        self.told = Told()
        self.registry.events.subscribe(self.told)
        self.registry.use(self.store)

    def conn(self, client_id="a"):
        return self.registry.get(client_id)

    def lost(self):
        return [client_id for event, client_id, _ in self.told if event == "reading_lost"]


class Bed:
    """A schema of its own in a database, and processes on it. Use it as an asynchronous context manager."""

    def __init__(self, server=None):
        self.server = server or postgres.server()
        self.schema = postgres.new_schema()
        self.processes = []
        self._owners = {}  # client id -> (store, owner)
        self._cursors = itertools.count(1)

    async def __aenter__(self):
        await self.do("", postgres_schema.make)
        return self

    async def __aexit__(self, *error):
        for process in self.processes:
            if process.store is not None:
                process.store.close()

    def process(self):
        self.processes.append(Process(self.server.url, self.schema))
        return self.processes[-1]

    async def do(self, statement, function=None):
        """Have a statement done, or function(connection, schema). Returns its result."""
        connection = await asyncpg.connect(self.server.url)
        try:
            if function:
                return await function(connection, self.schema)
            return await connection.fetch(statement.format(schema=self.schema))
        finally:
            await connection.close()

    async def own(self, process, client_id="a"):
        """The client is connected to this process from now on, as its store sees it."""
        process.store.readings.begin()
        state = await process.store.claim(client_id)
        process.own.record(client_id).connected = True
        await process.store.away(client_id, state.owner, 0)  # which writes that
        self._owners[client_id] = process.store, state.owner

    async def say(self, *lines, client_id="a"):
        """The client has sent these, and they are acknowledged."""
        store, owner = self._owners[client_id]
        cursor = [next(self._cursors) for _ in lines][-1]
        await store.receive(client_id, owner, EPOCH, {0: cursor}, a_lines([line.encode() for line in lines]))

    async def send(self, channel, *messages, client_id="a"):
        """As `say`, on another channel. messages: bytes, or (kind, bytes)."""
        store, owner = self._owners[client_id]
        cursor = [next(self._cursors) for _ in messages][-1]
        pairs = [(0, one) if type(one) is bytes else one for one in messages]
        found = [Message(channel, kind, 0, data) for kind, data in pairs]
        await store.receive(client_id, owner, EPOCH, {channel: cursor}, found)

    async def waiting(self, client_id="a"):
        """The numbers in the table of the inbox."""
        rows = await self.do(
            "SELECT number FROM {schema}.inbox i JOIN {schema}.client c ON c.key = i.client "
            f"WHERE c.id = '{client_id}' ORDER BY number"
        )
        return [row["number"] for row in rows]

    async def waiting_is(self, numbers, client_id="a"):
        return await self.waiting(client_id) == numbers

    async def stop(self, process):
        """The process does nothing any more, as after SIGSTOP, and after a while it counts as dead."""
        process.store.readings.stop()
        await self.do(f"UPDATE {{schema}}.node SET seen = seen - interval '1 hour' WHERE id = {process.store.node}")

    async def go_on(self, process):
        process.store.readings.begin()


async def until(condition):
    """Returns when the condition, a function or coroutine function, is true."""
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        await asyncio.sleep(0.02)


def run(coroutine):
    async def main():
        async with asyncio.timeout(PATIENCE_S):
            return await coroutine

    return asyncio.run(main())
