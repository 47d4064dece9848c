"""What the applications of a run do on one channel beside the lines: both write numbered messages and note what they
read. Some messages have a time limit. Each channel has a ledger of its own, since order and exactly once hold for each.

A run has any number of such works (`Job.works`). Each has `ledger`, and the methods `tasks`, `server_begins` and
`server_tasks`; the run knows nothing else of it.
"""

import asyncio
import random
from collections import namedtuple

from protocol.errors import Expired
from sim.apps.counted_lines import make_line, shortest
from sim.virtual.channel_ledger import ACCEPTED, EXPIRED

# Pause before the client's application repeats a call that has met a MemoryError.
MEMORY_PAUSE_S = 0.01
# One message in so many has a limit, one of these: from less than the way through a slow network takes.
LIMIT_EVERY = 4
LIMITS_MS = (150, 1000, 5000, 20000)

# A message to be sent. ttl_ms: None: it has no limit; waits: `send` returns when it was accepted.
Plan = namedtuple("Plan", "message ttl_ms waits")


class ChannelWork:
    """Args: job: Job; number: the channel; ledger: ChannelLedger of it, which has the number of messages."""

    def __init__(self, job, number, ledger):
        self.number = number
        self.ledger = ledger
        self.writing = None  # the server's message whose `send` has not returned
        self._job = job
        self._next_number = 0  # of the client's messages: the server's application keeps it with what it has read

    def tasks(self, app):
        """Returns coroutine functions for a new life of the client's application."""
        life = self.ledger.new_life()
        return [lambda: self._client_writes(app, life), lambda: self._client_reads(app, life)]

    def server_begins(self):
        """A new life of the server's process."""
        if self.writing is not None:  # in the life before
            self.ledger.unfinished.append(self.writing)
            self.writing = None  # it is not written again
        self.ledger.finished = False
        self.ledger.processes += 1

    def server_tasks(self, conn):
        """Returns coroutines of the server's application."""
        return [self._server_writes(conn), self._server_reads(conn)]

    def plan(self, end, number):
        """Returns the Plan of one end's message: end is "c" or "s". It follows from the run's seed."""
        job = self._job
        chance = random.Random(f"{job.seed} {self.number} {end}{number}")
        size = chance.choice((job.size, job.size, shortest(self.ledger.lines)))
        message = make_line(end, number, size, job.seed).encode() + bytes((self.number, 10, 255))
        if chance.randrange(LIMIT_EVERY):
            return Plan(message, None, job.waits(number))
        return Plan(message, chance.choice(LIMITS_MS), job.waits(number) or chance.random() < 0.5)

    async def _channel(self, app):
        while True:
            try:
                return app.channel(self.number)
            except MemoryError:
                await asyncio.sleep(MEMORY_PAUSE_S)

    async def _client_writes(self, app, life):
        ledger = self.ledger
        channel = await self._channel(app)
        for number in range(ledger.client_next, ledger.lines):
            await self._job.pause("client", number == ledger.lines - 1)
            plan = self.plan("c", number)
            ledger.wrote(life.written, "client", plan.message)
            while True:
                try:
                    said = await self._send(channel, plan)
                    break
                except MemoryError:  # nothing has been sent, or it has expired
                    await asyncio.sleep(MEMORY_PAUSE_S)
            if said == ACCEPTED:
                life.acknowledged = len(life.written)
        ledger.has_finished(life)

    async def _send(self, channel, plan):
        """Sends a message. Returns and notes what was said: ACCEPTED, EXPIRED, or None if it was not waited for."""
        message, ttl_ms, waits = plan
        if ttl_ms is not None:
            self.ledger.limited(message, ttl_ms)
        try:
            await channel.send(message, wait=waits, ttl_ms=ttl_ms)
        except Expired:
            self.ledger.reported(message, EXPIRED)
            return EXPIRED
        if not waits:
            return None
        self.ledger.reported(message, ACCEPTED)
        return ACCEPTED

    async def _client_reads(self, app, life):
        channel = await self._channel(app)
        while True:
            await self._job.before_read("client")
            try:
                message = await channel.receive()
            except MemoryError:  # the message is still there
                await asyncio.sleep(MEMORY_PAUSE_S)
                continue
            self.ledger.has_read(life.read, "client", message.data)

    async def _server_writes(self, conn):
        ledger, channel = self.ledger, conn.channel(self.number)
        for number in range(len(ledger.server_written), ledger.lines):
            await self._job.pause("server", number == ledger.lines - 1)
            plan = self.plan("s", number)
            ledger.wrote(ledger.server_written, "server", plan.message)
            self.writing = plan.message
            await self._send(channel, plan)
            self.writing = None
        ledger.has_finished(ledger)

    async def _server_reads(self, conn):
        messages = conn.channel(self.number).messages()
        while True:
            await self._job.before_read("server")
            message = await messages.__anext__()
            if message.number >= self._next_number:  # a process that was killed had not got this far
                self.ledger.has_read(self.ledger.server_read, "server", message.data)
                self._next_number = message.number + 1
