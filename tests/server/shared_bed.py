"""Servers and processes without a listener on one database of PostgreSQL, all in the test's process.

Each has a store of its own, as a process of its own would. What only separate processes show is in
tests/peers/test_shared_store.py.
"""

import asyncio

import asyncpg

from server import Server
from server.core.message import Message
from server.core.printed_log import PrintedLog
from server.stores import postgres_schema
from server.stores.default import default_store
from server.stores.postgres import PostgresStore
from tests.patience import PATIENCE_S
from tests.server import postgres
from tests.server.peer import HOST, KEYS, TIMEOUT_MS, free_port


class Tables:
    """A schema of its own, and the stores on it."""

    def __init__(self, server=None):
        self.server = server or postgres.server()
        self.schema = postgres.new_schema()
        self.stores = []
        asyncio.run(self._made())

    async def _made(self):
        connection = await asyncpg.connect(self.server.url)
        await postgres_schema.make(connection, self.schema)
        await connection.close()

    def open(self, **more):
        store = PostgresStore(self.server.url, schema=self.schema, **more)
        self.stores.append(store)
        return store

    async def fetch(self, statement, *args):
        """Returns the rows, as tuples."""
        connection = await asyncpg.connect(self.server.url)
        try:
            return [tuple(row) for row in await connection.fetch(statement.format(schema=self.schema), *args)]
        finally:
            await connection.close()

    def close(self):
        for store in self.stores:
            store.close()


class Node:
    """A server with a listener. Use: `async with Node(store) as node`."""

    def __init__(self, store):
        self.store = store
        self.port = free_port()
        self.server = Server(default_store)
        self.registry = self.server.registry
        self.told = []  # (event, details)
        self.server.events.subscribe(lambda event, client_id, details: self.told.append((event, details)))
        self.server.events.subscribe(PrintedLog().note)
        self.server.prepare({"a", "b"}, KEYS, store, TIMEOUT_MS)
        self.conn = self.registry.get("a")

    async def __aenter__(self):
        self._task = asyncio.create_task(self.server.listener.serve(HOST, self.port))
        return self

    async def __aexit__(self, *error):
        self._task.cancel()
        await asyncio.wait([self._task])


async def attached(store):
    """Returns the Attached of a process without a listener."""
    return await Server(default_store).attach(store)


def a_line(text):
    return Message(0, 0, 0, text)


def run(coroutine):
    async def main():
        async with asyncio.timeout(PATIENCE_S):
            return await coroutine

    return asyncio.run(main())
