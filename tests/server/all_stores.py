"""Stores that record or break: around a MemoryStore, whose state they share."""

import asyncio
import tempfile

from server import MemoryStore
from server.stores.sqlite import SQLiteStore


class TemporaryStore(SQLiteStore):
    """A durable one whose file goes with it."""

    def __init__(self, *args):
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        super().__init__(self._folder.name + "/store.db", *args)


class RecordingStore(MemoryStore):
    """Notes the data of every message that it is given to keep, in order."""

    def __init__(self, *args):
        super().__init__(*args)
        self.received = []

    async def receive(self, client_id, owner, peer_epoch, cursors, messages, *expired):
        await super().receive(client_id, owner, peer_epoch, cursors, messages, *expired)
        self.received += [message if isinstance(message, bytes) else message.data for message in messages]


class FailingStore(RecordingStore):
    """Its `failing` method, if any, raises what a store may raise: anything."""

    failing = None

    async def peek(self, client_id):
        self._may("peek")
        return await super().peek(client_id)

    async def claim(self, *args):
        self._may("claim")
        return await super().claim(*args)

    async def receive(self, *args):
        self._may("receive")
        await super().receive(*args)

    async def put(self, *args):
        self._may("put")
        await super().put(*args)

    async def take(self, *args):
        self._may("take")
        return await super().take(*args)

    async def acknowledge(self, *args):
        self._may("acknowledge")
        await super().acknowledge(*args)

    def _may(self, method):
        if method == self.failing:
            raise RuntimeError("disk full")


class SlowStore(FailingStore):
    """Suspends before and after each step, as one on a disk may; `gate` holds it there while it is clear.

    `peek` and `look` come beside the other steps, and do not wait at the gate.
    """

    immediate = False

    def __init__(self, *args):
        super().__init__(*args)
        self.gate = asyncio.Event()
        self.gate.set()
        self.inside = None  # name of the method that waits at the gate
        self.at_work = 0
        self.most_at_work = 0  # at the same time

    async def peek(self, client_id):
        await asyncio.sleep(0)
        return await super().peek(client_id)

    async def take(self, client_id, owner, channel=0):
        taken = []

        async def take():
            taken.append(await super(SlowStore, self).take(client_id, owner, channel))
            return taken[0]

        try:
            return await self._slowly("take", take())
        except asyncio.CancelledError:
            if taken and taken[0] is not None:
                self._clients[client_id].give_back(*taken[0])
            raise

    async def _slowly(self, name, step):
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        self.inside = name
        try:
            await asyncio.sleep(0)
            result = await step
            await self.gate.wait()
            await asyncio.sleep(0)
            return result
        finally:
            step.close()
            self.inside = None
            self.at_work -= 1


def _slow(name):
    async def method(self, *args):
        return await self._slowly(name, getattr(super(SlowStore, self), name)(*args))

    return method


for name in (
    "claim", "receive", "give_back", "drop", "remove", "mark", "put", "acknowledge", "expire", "discard", "realign",
    "named", "away",
):  # fmt: skip
    setattr(SlowStore, name, _slow(name))


STORES = [MemoryStore, SlowStore, TemporaryStore]
