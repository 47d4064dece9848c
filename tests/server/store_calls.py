"""What the tests of all stores share: limits, calls that overlap, and the bed of the store in memory. Runs under both
interpreters."""

import asyncio

from protocol.errors import StoreError
from server.core.message import line as a_line
from server.core.store import LINE_COST
from server.stores.memory import MemoryStore

INBOX = 300  # limits of the stores under test
OUTBOX = 300
CHANNEL = 200
EPOCH = b"client's"


class MemoryBed:
    """Opens MemoryStores. The base class of all beds."""

    outlives = False  # what was written is there for the store that is opened next
    has_total = False  # takes total_bytes
    can_fail = False  # see break_disk
    seeds = 60  # of random tests

    def open(self, inbox_bytes=INBOX, outbox_bytes=OUTBOX, **more):
        """The store of a server, on what the bed's stores have written if they outlive their object."""
        return MemoryStore(inbox_bytes, outbox_bytes, CHANNEL, **more)

    def other(self, store):
        """The store as another server has it: of one that many servers can open, another object."""
        return store

    def run(self, coroutine):
        """The result of a coroutine, on a loop."""
        return asyncio.run(coroutine)

    def set_base(self, store, client_id, base):
        """Lines are numbered from there on: nobody writes a billion lines to see the numbers wrap."""
        record = store._clients[client_id]
        record.bases, record.serial = {0: base}, base

    def break_disk(self, store):
        """Let every write fail from now on. Returns a function that mends the disk."""
        raise NotImplementedError

    def remove(self):
        """The test is over, and its stores are closed."""


def begin(*coroutines):
    """Tasks that begin these in this order, at the caller's next pause."""
    return [asyncio.create_task(coroutine) for coroutine in coroutines]


async def ended(task):
    """Returns (result, None), or (None, exception) of the task, which may have been cancelled."""
    try:
        return await task, None
    except StoreError as error:
        return None, error
    except asyncio.CancelledError as error:
        return None, error


async def all_ended(tasks):
    found = []
    for task in tasks:
        found.append(await ended(task))
    return found


async def inbox_of(store, owner, client_id="a"):
    """[(number, bytes)] of the lines in the inbox."""
    return [(number, message.data) for number, message in await messages_of(store, owner, 0, client_id)]


async def messages_of(store, owner, channel, client_id="a"):
    """[(number, Message)] of the channel in the inbox."""
    found, number = [], 0
    while True:
        one = await store.look(client_id, owner, number, channel)
        if one is None:
            return found
        found.append(one)
        number = one[0] + 1


def numbered(first, lines):
    return [(first + i, lines[i]) for i in range(len(lines))]


def a_lines(data):
    """These bytes as a list of Messages."""
    return [a_line(one) for one in data]


def data_of(taken):
    """The bytes of what `take` has returned, or None."""
    return taken and taken[1].data


def cost(lines):
    """What lines (bytes) cost in a store."""
    return sum([len(line) + LINE_COST for line in lines])


def held(boxes):
    """The data of the lines in a Record's inbox or outbox."""
    return [boxes[0].row(at)[1].data for at in range(len(boxes[0].numbers))] if 0 in boxes else []
