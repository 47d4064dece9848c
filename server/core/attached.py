"""A process without a listener that uses the clients of others: what `server.attach` returns."""

import asyncio

from protocol.credentials import parse_id


class Attached:
    """The clients of all servers that share a store. `async with await server.attach(..) as clients` ends it.

    clients[id] is the Connection of a client, which need not be connected. What is written to it is stored, and its
    server sends it; what it sends is read here if no other process reads it; `status()` says whether it is connected,
    to whichever server.

    fault: the exception that has ended the use of the store, or None: calls raise it too.
    """

    def __init__(self, server, store):
        self.fault = None
        self._server = server
        self._store = store
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self):
        try:
            await self._store.watch()
        except Exception as error:  # a store may raise any exception
            self.fault = error
            self._server.events.tell("store_gone", error=str(error))

    def __getitem__(self, client_id):
        """Returns the Connection of a client. Raises: ValueError for what is no id."""
        return self._server.registry.get(parse_id(client_id))

    async def close(self):
        """End it, and close the store. Calls that wait raise StoreError."""
        self._watching.cancel()
        try:
            await asyncio.wait([self._watching])
        finally:  # also if this is cancelled
            self._server.registry.leave()
            self._store.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        await self.close()
