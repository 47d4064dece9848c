"""examples/consumer.py as processes that are killed, beside a server and clients: each line is entered once."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from server.stores import postgres_schema
from server.stores.postgres import PostgresStore
from tests.patience import PATIENCE_S
from tests.server import postgres
from tests.server.peer import OTHER_KEY, Client, within
from tests.server.shared_bed import Node

ROOT = Path(__file__).resolve().parents[2]


class Consumers:
    """Processes of the example, in a database of their own. Args: url: of the server's database for administration."""

    def __init__(self, url):
        self._admin = url
        self.name = postgres.new_schema()
        self.url = url.replace("/postgres?", f"/{self.name}?")
        self.running = []

    async def __aenter__(self):
        admin = await asyncpg.connect(self._admin)
        await admin.execute(f"CREATE DATABASE {self.name}")
        await admin.close()
        connection = await asyncpg.connect(self.url)
        await postgres_schema.make(connection, postgres_schema.SCHEMA)
        await connection.close()
        return self

    async def __aexit__(self, *error):
        for process in self.running:
            process.kill()
            process.wait()

    def begin(self):
        command = [sys.executable, "examples/consumer.py", self.url]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": "."})
        self.running.append(process)
        return process

    async def fetch(self, statement):
        connection = await asyncpg.connect(self.url)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        except asyncpg.UndefinedTableError:
            return []
        finally:
            await connection.close()

    async def entered(self, *texts):
        """Return when the table has these lines of both clients, each once and in order."""
        while True:
            found = await self.fetch("SELECT client, text FROM line ORDER BY place")
            if len(found) >= 2 * len(texts):
                assert {one: [text for client, text in found if client == one] for one in "ab"} == {
                    one: [f"{text} of {one}" for text in texts] for one in "ab"
                }
                return
            await asyncio.sleep(0.1)

    async def serving(self, count):
        """Return when so many processes serve, and have all clients."""
        statement = "SELECT count(DISTINCT process), count(process) FROM pb_link.reading WHERE channel = -1"
        while (await self.fetch(statement)) != [(count, 2)]:
            await asyncio.sleep(0.1)


async def say(clients, text):
    for client in clients:
        await within(client.write(f"{text} of {client.client_id}"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ended"])
def test_programs_share_the_clients_and_take_over(how):
    async def main():
        async with Consumers(postgres.server().url) as consumers:
            store = PostgresStore(consumers.url)
            try:
                async with Node(store) as node:
                    clients = [Client(node.port, "a"), Client(node.port, "b", OTHER_KEY)]
                    for client in clients:
                        await within(client.connect())
                    one = consumers.begin()
                    await say(clients, "first")
                    await consumers.entered("first")
                    consumers.begin()
                    await consumers.serving(2)
                    await say(clients, "second")
                    await consumers.entered("first", "second")
                    one.send_signal(how)
                    await say(clients, "third")
                    await consumers.entered("first", "second", "third")
                    await consumers.serving(1)
                    for client in clients:
                        client.cut()
            finally:
                store.close()

    async def limited():
        async with asyncio.timeout(2 * PATIENCE_S):
            await main()

    asyncio.run(limited())
