"""Deletes the lines for clients that do not return, if the settings enable it. The delivery guarantee ends there.

It counts the time for which the server has run and waited for the client, with
lines for it. A changed clock or the server's own downtime does not count. Each
time the client connects, the count begins again.
"""

import asyncio
import contextlib

from protocol.errors import StoreError

LOOK_S = 600.0  # between two counts: at most this much is not counted when the server ends
_DAY_S = 86400


class Retention:
    """The count of how long each client has been away.

    Args: days: after which lines are deleted; registry: Registry; store: Store."""

    def __init__(self, days, registry, store):
        self._limit_s = days * _DAY_S
        self._registry = registry
        self._store = store
        self._connections = {}  # id -> how many there had been at the last check

    async def run(self):
        """Count until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            with contextlib.suppress(StoreError):  # reported by the client's own errors; it must not end the server
                await self.look(int(LOOK_S))

    async def look(self, seconds):
        """Add these seconds to the count of each client with a backlog."""
        for backlog in await self._store.backlogs():
            connection = self._registry.get(backlog["id"])
            if connection.status() and not connection.connected_here():
                continue  # its own server counts
            before = self._connections.get(backlog["id"], 0)
            self._connections[backlog["id"]] = connection.nconns
            was_here = connection.status() or connection.nconns != before
            away_s = 0 if was_here else backlog["away_s"] + seconds
            if away_s >= self._limit_s:
                await connection.discard()
            elif away_s != backlog["away_s"]:
                await connection.away(away_s)
