"""`Sharing`: which of the processes that call `serve` runs the handler of which client.

Each process has a row in table `serving` while it serves, and looks about once a second: how many processes serve, how
many clients there are, and which of them nobody serves. It takes what it lacks for its part, first of those that are
connected to it, and gives back what it has more than its part when a handler is about to ask for its next message. The
clients of a process that has died are taken as those that nobody serves.

Who serves a client is a row of table `reading` with the channel SERVED. That is a lease: it says who should. What a
handler reads is fenced by the reading of the channel itself.
"""

import asyncio
import time
from contextlib import suppress
from datetime import timedelta

from primitives.broadcast import Broadcast
from protocol.errors import StoreError
from server.stores import postgres_reading_statements as statements
from server.stores.postgres_reading_statements import SERVED, rows_of

LOOK_S = 1.0  # between two looks at what others have changed
LEASE_S = 10.0  # a process that has not been seen for so long may lose what it has
LEASE = timedelta(seconds=LEASE_S)
MOST = 500  # clients that are taken at once
PARK_S = 5.0  # for a handler to ask for its next message, before it is cancelled all the same
SHARE = 20  # a look takes at most so small a part of the time, however many clients there are

_JOIN = """
WITH gone AS (DELETE FROM {schema}.serving s WHERE NOT EXISTS (SELECT FROM {schema}.node n WHERE n.id = s.process))
INSERT INTO {schema}.serving VALUES ($1) ON CONFLICT DO NOTHING"""
_LEAVE = """
WITH gone AS (DELETE FROM {schema}.serving WHERE process = $1)
UPDATE {schema}.reading SET process = NULL WHERE process = $1 AND channel = -1"""
# $1: this process; $2: how long one that is not seen lives; $3: ids at most. Returns a row (processes that serve;
# clients that they have; those that this one has; how many clients nobody serves; ids of some of these). A client is to
# be served if it is connected, if its messages wait, and from then on.
SHARES = """
WITH alive AS (
    SELECT s.process FROM {schema}.serving s JOIN {schema}.node n ON n.id = s.process
    WHERE n.seen > clock_timestamp() - $2::interval),
served AS (
    SELECT r.client, r.process, r.process IN (SELECT process FROM alive) AS held
    FROM {schema}.reading r WHERE r.channel = -1),
free AS (
    SELECT c.id, c.node FROM {schema}.client c LEFT JOIN served s ON s.client = c.key
    WHERE s.held IS NOT TRUE AND (
        c.connected OR s.client IS NOT NULL OR EXISTS (SELECT FROM {schema}.inbox i WHERE i.client = c.key)))
SELECT (SELECT count(*) FROM alive) AS processes, (SELECT count(*) FROM served WHERE held) AS held,
    (SELECT count(*) FROM served WHERE process = $1) AS mine, (SELECT count(*) FROM free) AS free,
    ARRAY(SELECT id FROM free ORDER BY (node = $1) DESC, hashint8(hashtext(id) + $1) LIMIT $3) AS ids"""
MINE = """
SELECT c.id, r.reader, r.client FROM {schema}.reading r JOIN {schema}.client c ON c.key = r.client
WHERE r.channel = -1 AND r.process = $1"""


class Sharing:
    """The part of one process. Args: own: Own (postgres.py); readings: Readings; start: function (client id): begin its
    handler; stop: coroutine function (client id): cancel it, and return when it has ended."""

    def __init__(self, own, readings, start, stop):
        self._own = own
        self._readings = readings
        self._start = start
        self._stop = stop
        self._mine = {}  # client id -> (key of the client's row, fence)
        self._leaving = {}  # client id -> task that hands it over
        self._changed = Broadcast()

    async def run(self):
        """Share until cancelled. Then call `leave`, when the handlers have ended."""
        self._readings.begin()
        joined = False
        while True:
            begun = time.monotonic()
            with suppress(StoreError):  # the database is away: the handlers wait as well
                if not joined:
                    await self._ask(_JOIN, self._own.node)
                    joined = True
                await self._look()
            await self._pause(max(LOOK_S, SHARE * (time.monotonic() - begun)))

    def look(self):
        """Look at once: a client has come."""
        self._changed.pulse()

    def leave(self):
        """Give all back. The handlers have ended."""
        for task in self._leaving.values():
            task.cancel()
        for client_id in [*self._mine]:
            self._readings.give_back_all(client_id)
        self._mine = {}
        with suppress(StoreError):
            self._own.start(lambda result, error: None, rows_of, _LEAVE, self._own.node)

    async def _pause(self, seconds):
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _ask(self, statement, *args):
        return self._own.perform(rows_of, statement, *args)

    async def _look(self):
        (row,) = await self._ask(SHARES, self._own.node, LEASE, MOST)
        if row["mine"] != len(self._mine):
            await self._learn()
        part = -(-(row["held"] + row["free"]) // max(1, row["processes"]))
        have = len(self._mine) - len(self._leaving)
        if have < part and row["ids"]:
            await self._take(row["ids"][: part - have])
        elif have > part:
            self._give(have - part)

    async def _learn(self):
        """Others have taken some of this process's clients: it was given up for dead. Or it has some of which it does
        not know, since the answer to a claim was lost: they are given back, and taken as those that nobody serves."""
        rows = await self._ask(MINE, self._own.node)
        for row in rows:
            if row["id"] not in self._mine:
                self._readings.give_back_place(SERVED, row["client"], row["reader"])
        known = {row["id"]: row["reader"] for row in rows}
        lost = [one for one, (_, fence) in self._mine.items() if known.get(one) != fence and one not in self._leaving]
        for client_id in lost:
            del self._mine[client_id]
        await asyncio.gather(*(self._stop(client_id) for client_id in lost))

    async def _take(self, ids):
        rows = await self._ask(statements.CLAIM, self._own.node, LEASE, ids, [SERVED] * len(ids))
        for row in rows:
            client_id = row["id"]
            new = client_id not in self._mine
            self._mine[client_id] = row["client"], row["reader"]
            if new:
                self._start(client_id)

    def _give(self, count):
        """Hand so many over, first of those that are not connected here."""
        mine = [client_id for client_id in self._mine if client_id not in self._leaving]
        mine.sort(key=self._readings.has)
        for client_id in mine[:count]:
            task = self._leaving[client_id] = asyncio.create_task(self._hand_over(client_id))
            task.add_done_callback(lambda task, client_id=client_id: self._leaving.pop(client_id, None))

    async def _hand_over(self, client_id):
        readings = self._readings
        readings.park(client_id, True)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(PARK_S):
                    await readings.parked(client_id)
            await self._stop(client_id)
            readings.give_back_all(client_id)
            readings.give_back_place(SERVED, *self._mine.pop(client_id))
        finally:
            readings.park(client_id, False)
