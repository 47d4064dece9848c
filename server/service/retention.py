"""Forgets the lines to clients that never come back, if the settings ask for it: the promise ends there.

What counts is the time for which the server has run and waited for the
client, with lines for it: neither a clock that is set nor the server's own
absence makes a client old. Each time it comes, the count begins again.
"""

import asyncio
import contextlib

from protocol.errors import StoreError

LOOK_S = 600.0  # between two counts: so much is lost of one when the server ends
_DAY_S = 86400


class Retention:
    """The count of how long each client has been away.

    Args: days: after which lines are forgotten; registry: Registry; store: Store."""

    def __init__(self, days, registry, store):
        self._limit_s = days * _DAY_S
        self._registry = registry
        self._store = store
        self._connections = {}  # id -> how many there had been when it was looked at last

    async def run(self):
        """Count until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            with contextlib.suppress(StoreError):  # the clients' own errors tell: it is not for this to end the server
                await self.look(int(LOOK_S))

    async def look(self, seconds):
        """Count that so many more have passed, for each client with a backlog."""
        for backlog in await self._store.backlogs():
            connection = self._registry.get(backlog["id"])
            before = self._connections.get(backlog["id"], 0)
            self._connections[backlog["id"]] = connection.nconns
            was_here = connection.status() or connection.nconns != before
            away_s = 0 if was_here else backlog["away_s"] + seconds
            if away_s >= self._limit_s:
                await connection.discard()
            elif away_s != backlog["away_s"]:
                await connection.away(away_s)
