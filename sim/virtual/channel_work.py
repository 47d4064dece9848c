"""What the applications of a run do on one channel beside the lines: both write numbered messages and note what they
read. Each channel has a ledger of its own, since order and exactly once hold for each."""

import asyncio

from sim.apps.counted_lines import make_line

# Pause before the client's application repeats a call that has met a MemoryError.
MEMORY_PAUSE_S = 0.01


class ChannelWork:
    """Args: job: Job; number: the channel; ledger: Ledger of it, which has the number of messages."""

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

    async def _channel(self, app):
        while True:
            try:
                return app.channel(self.number)
            except MemoryError:
                await asyncio.sleep(MEMORY_PAUSE_S)

    async def _client_writes(self, app, life):
        job, ledger = self._job, self.ledger
        channel = await self._channel(app)
        for number in range(ledger.client_next, ledger.lines):
            await job.pause("client")
            message = self._message("c", number)
            ledger.wrote(life.written, "client", message)
            wait = job.waits(number)
            while True:
                try:
                    await channel.send(message, wait=wait)
                    break
                except MemoryError:  # nothing has been sent
                    await asyncio.sleep(MEMORY_PAUSE_S)
            if wait:
                life.acknowledged = len(life.written)
        ledger.has_finished(life)

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

    def server_begins(self):
        """A new life of the server's process."""
        if self.writing is not None:  # in the life before
            self.ledger.unfinished.append(self.writing)
            self.writing = None  # it is not written again
        self.ledger.finished = False

    async def server_writes(self, conn):
        job, ledger, channel = self._job, self.ledger, conn.channel(self.number)
        for number in range(len(ledger.server_written), ledger.lines):
            await job.pause("server")
            message = self._message("s", number)
            ledger.wrote(ledger.server_written, "server", message)
            self.writing = message
            await channel.send(message, wait=job.waits(number))
            self.writing = None
        ledger.has_finished(ledger)

    async def server_reads(self, conn):
        messages = conn.channel(self.number).messages()
        while True:
            await self._job.before_read("server")
            message = await messages.__anext__()
            if message.number >= self._next_number:  # a process that was killed had not got this far
                self.ledger.has_read(self.ledger.server_read, "server", message.data)
                self._next_number = message.number + 1

    def _message(self, end, number):
        line = make_line(end, number, self._job.size, self._job.seed)
        return line.encode() + bytes((self.number, 10, 255))
