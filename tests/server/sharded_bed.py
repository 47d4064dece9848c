"""Stores of several databases for tests: in each database of the tests' PostgreSQL a schema of its own."""

import asyncio
import json

import asyncpg

from server.stores import postgres_schema
from server.stores.sharded import ShardedStore
from tests.server import postgres

STORE = "one store"


class Shards:
    """Databases of one store, with tables. ids: of them, A, B and so on, so that clients are always placed alike.

    Args: count; made: how many of them are of the store, the others are each one of its own; urls: of the databases."""

    def __init__(self, count=2, made=None, urls=None):
        self.urls = urls or postgres.databases(count)
        self.schema = postgres.new_schema()
        self.stores = []
        self.ids = [chr(ord("A") + at) for at in range(count)]
        made = count if made is None else made

        async def make():
            for at, url in enumerate(self.urls):
                connection = await asyncpg.connect(url)
                await postgres_schema.make(connection, self.schema)
                members = self.ids[:made] if at < made else [self.ids[at]]
                await connection.execute(
                    f"UPDATE {self.schema}.shard SET installation = $1, id = $2, members = $3",
                    STORE if at < made else f"store {at}", self.ids[at],
                    json.dumps(dict.fromkeys(members, "")),
                )  # fmt: skip
                await connection.close()

        asyncio.run(make())

    def open(self, *limits, urls=None, **more):
        store = ShardedStore(urls or self.urls, *limits, schema=self.schema, **more)
        self.stores.append(store)
        return store

    async def fetch(self, at, statement, *args):
        """Returns the rows in one of the databases, as tuples."""
        connection = await asyncpg.connect(self.urls[at])
        try:
            return [tuple(row) for row in await connection.fetch(statement.format(schema=self.schema), *args)]
        finally:
            await connection.close()

    def rows(self, at, statement, *args):
        return asyncio.run(self.fetch(at, statement, *args))

    def clients(self):
        """Returns a list of the ids of the clients in each database."""
        found = [self.rows(at, "SELECT id FROM {schema}.client ORDER BY id") for at in range(len(self.urls))]
        return [[row[0] for row in rows] for rows in found]

    def close(self):
        for store in self.stores:
            store.close()
        for at in range(len(self.urls)):
            self.rows(at, "DROP SCHEMA {schema} CASCADE")
