"""What the application reads of one channel of a client: calls that take a message, and readers that commit after it.

This module does not use connections: `Use` is what it needs of a client.
"""

from protocol.errors import LocalProtocolError
from server.core.line_reader import LineReader

MOST = 100  # messages of one transaction, unless the application says another number


class Use:
    """The use of a client's store by calls of the application. The Connection makes it.

    changed: Changes, pulsed when something has changed; storing: TaskFlag of the storing task; loaded: coroutine
    function that returns when the client's state is loaded, and raises its fault; directly: coroutine function that
    performs an operation on an immediate store and raises its fault; registry: has the store, once a server runs;
    store, state: those that are loaded.
    """

    def __init__(self, client_id, changed, storing, loaded, directly, registry):
        self.client_id = client_id
        self.changed = changed
        self.storing = storing
        self.loaded = loaded
        self.directly = directly
        self.registry = registry
        self.store = None
        self.state = None

    def may_be_shared(self):
        """False: the store is this process's alone."""
        return self.registry.store is None or self.registry.reads is not None

    async def reading(self, channel):
        """Returns the Reading of this channel if several processes share the store, else None. Waits for a server."""
        while self.registry.store is None:
            await self.registry.changed.wait()
        reads = self.registry.reads
        return None if reads is None else reads.of(self.client_id, channel)

    async def perform(self, operation):
        """Do an operation, a coroutine function, on an immediate store in the caller's step. Have the storing task look
        in any case."""
        if self.store.immediate:
            await self.directly(operation())
        self.storing.set()


class Inbox:
    """Args: use: Use; channel: 0 for the lines."""

    def __init__(self, use, channel=0):
        self.reader = LineReader(use.client_id, channel)
        self._use = use
        self._channel = channel

    def begin(self):
        """The state of `use` is a newly claimed one."""
        self.reader.begin(self._use.store, self._use.state)

    async def take(self, limit, convert):
        """Returns convert(number, Message) of the next message. It has then left the store for good.

        limit: Timeout or None. Raises: asyncio.TimeoutError, StoreError; what convert raises: the message stays.
        """
        use, reader = self._use, self.reader
        if use.may_be_shared() and (shared := await use.reading(self._channel)):
            return await shared.take(limit, convert)
        await use.loaded()
        reader.readers += 1
        try:
            await use.perform(reader.step)
            while not reader.taken:
                await use.changed.wait(limit)
                await use.loaded()
                await use.perform(reader.step)
        finally:
            reader.readers -= 1
            use.storing.set()  # there is room for one more message, or one to give back
        found = convert(*reader.taken[0])
        reader.taken.pop(0)
        return found

    async def next_after(self, done, ahead, start=0):
        """Returns (store, number, Message) of the first message not yet processed, from number `start` on.

        done: (store, number) of the last one that was processed, or None; ahead: see `done_with`."""
        use = self._use
        if use.may_be_shared() and (shared := await use.reading(self._channel)):
            return await shared.next_after(done, ahead, start)
        await use.loaded()
        if done is not None:
            await self.done_with(done, ahead)
        while True:
            store = use.store
            at = max(self.reader.finished, start)
            found = await store.look(use.client_id, use.state.owner, at, self._channel)
            if found:
                self.reader.give(found[0])
                return store, found[0], found[1]
            await use.changed.wait()
            await use.loaded()

    async def done_with(self, done, ahead):
        """Note that the reader has processed the message (store, number) and those before it. Returns when all but
        `ahead` of them have left the store."""
        use, reader = self._use, self.reader
        if use.may_be_shared() and (shared := await use.reading(self._channel)):
            await shared.done_with(done, ahead)
        elif done[0] is use.store:
            reader.finish(done[1])
            if use.store.immediate:  # as `perform`, without a coroutine for each message
                await use.directly(reader.step())
            use.storing.set()
            while reader.unsafe > ahead:
                await use.changed.wait()
                await use.loaded()

    def transaction(self, *how):
        """Returns a Together. Args: see there."""
        return Together(self._use, self._channel, *how)

    def abandon(self, done):
        """A reader is gone that had the message (store, number), and has not processed it. Any thread may call it."""
        reads = self._use.registry.reads
        if reads is not None and reads.has_store(done[0]):
            reads.abandon(self._use.client_id, self._channel, done[1])


class Together:
    """`async with .. as (messages, db)`: messages are processed and what the application does in the database, in one
    transaction, of the store in PostgreSQL: see Transaction in stores/postgres_transactions.py.

    Args: use; channel; most: messages of it; wanted, convert: see Reading (stores/reading.py)."""

    def __init__(self, use, channel, most, wanted, convert):
        if not isinstance(most, int) or most < 1:
            raise ValueError("most must be a whole number from 1 on")
        self._use = use
        self._channel = channel
        self._most = most
        self._wanted = wanted
        self._convert = convert
        self._transaction = None

    async def __aenter__(self):
        reading = await self._use.reading(self._channel)
        if reading is None:
            raise LocalProtocolError("only the store in PostgreSQL has transactions: use lines(), and its `number`")
        self._transaction = reading.transaction(self._most, self._wanted, self._convert)
        return await self._transaction.__aenter__()

    async def __aexit__(self, kind, error, traceback):
        return await self._transaction.__aexit__(kind, error, traceback)
