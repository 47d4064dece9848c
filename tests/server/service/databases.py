"""Databases of PostgreSQL for tests of the service, whose commands use the schema `pb_link`: one for each test."""

import asyncio

import asyncpg

from server.stores import postgres_admin
from tests.server import postgres


def made(tables=True):
    """Returns the address of a new database. tables: with those of pb_link."""
    server, name = postgres.server(), postgres.new_schema()
    done(server.url, f"CREATE DATABASE {name}")
    url = server.url.replace("/postgres?", f"/{name}?")
    if tables:
        postgres_admin.init(url)
    return url


def done(url, *statements):
    """Have statements done. Returns the rows of the last one, as tuples."""

    async def do():
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                rows = await connection.fetch(statement)
            return [tuple(row) for row in rows]
        finally:
            await connection.close()

    return asyncio.run(do())
