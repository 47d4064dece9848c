"""Stores on one PostgreSQL, each behind a proxy that can hold one of its statements at a point (pg_messages.py)."""

import asyncio

import asyncpg

from server.stores import postgres_schema
from server.stores.postgres import PostgresStore
from tests.cluster.pg_messages import UNANSWERED
from tests.cluster.proxy import HOST, TO_CLIENT, Proxy
from tests.patience import PATIENCE_S
from tests.server import postgres

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'pb_link'"


class HeldBed:
    """Use: `async with HeldBed() as bed`."""

    def __init__(self, server=None):
        self.server = server or postgres.server()
        self.schema = postgres.new_schema()
        self.told = []  # events of the stores
        self._stores = []
        self._proxies = []

    async def __aenter__(self):
        await self.do(None, postgres_schema.make)
        return self

    async def store(self, trap=None):
        """Returns (store, proxy). Args: trap: Trap for its statements."""
        proxy = await Proxy(self.server.folder + "/.s.PGSQL.5432", trap and trap.watch).open()
        self._proxies.append(proxy)
        url = f"postgresql://postgres@{HOST}:{proxy.port}/postgres?sslmode=disable"
        store = await asyncio.to_thread(PostgresStore, url, schema=self.schema, tell=self._tell)
        self._stores.append(store)
        return store, proxy

    async def do(self, statement, function=None):
        """Have a statement done, or function(connection, schema). Returns its result."""
        connection = await asyncpg.connect(self.server.url)
        try:
            if function is not None:
                return await function(connection, self.schema)
            return await connection.fetch(statement.format(schema=self.schema))
        finally:
            await connection.close()

    async def row_lock(self):
        """Returns a connection with a transaction that has the rows of all clients."""
        connection = await asyncpg.connect(self.server.url)
        await connection.execute(f"BEGIN; SELECT * FROM {self.schema}.client FOR UPDATE")
        return connection

    async def waiting(self, count=1):
        """Return when so many statements of stores wait for a lock."""
        while (await self.do(WAITING))[0][0] < count:
            await asyncio.sleep(0.01)

    def _tell(self, event, **details):
        self.told.append(event)

    async def __aexit__(self, *error):
        for proxy in self._proxies:
            proxy.release()
            proxy.reset()
        for store in self._stores:
            await asyncio.to_thread(store.close)
        for proxy in self._proxies:
            proxy.close()


def run(coroutine):
    """The result of a coroutine, which has to end in time."""

    async def main():
        async with asyncio.timeout(PATIENCE_S):
            return await coroutine

    return asyncio.run(main())


async def caught(trap, awaitable):
    """Arm the trap, begin this, and return its task when the trap has caught its statement, at the point, or when the
    store has given the statement up before it was done."""
    trap.arm()
    task = asyncio.ensure_future(awaitable)
    await trap.caught.wait()
    answers = trap.link[TO_CLIENT]
    while trap.point == UNANSWERED and not (answers.waiting or answers.source.is_closing()):
        await asyncio.sleep(0.005)
    return task
