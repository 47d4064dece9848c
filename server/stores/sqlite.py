"""The durable store: one SQLite file.

The file is in WAL mode with `synchronous=FULL`: a transaction is on the disk
when its commit returns. While one is being committed, all new changes, of any
client, are collected for the next one (group commit). A method returns when
its transaction has ended. The event loop never waits for the disk: a thread
does (disk_thread.py).

All messages of the clients in use are in RAM as well, in the Records of
`memory.py`. These are ahead of the file by what has not been committed. No
message can be read before it is safe. When a commit fails, everything that waits
for it or was to follow it fails. `claim` then begins again with the contents
of the file.

A store has one writer, which holds locks of the file for as long as it lives.
Others may read the file, for example for a back-up. Before and after each
transaction, and once a second in `watch`, the store checks that the files are
still the same (sqlite_paths.py). Data written into a deleted file is not safe.
"""

import asyncio
import json
import time
from asyncio import _get_running_loop  # None if there is none

from protocol.errors import StoreError
from server.core.store import CHANNEL_BYTES, INBOX_BYTES, LINE_COST, OUTBOX_BYTES, Store, StoreGone
from server.stores.disk_thread import DiskThread
from server.stores.histogram import Histogram
from server.stores.memory import unclaimed
from server.stores.sqlite_file import Rows, SQLiteFile
from server.stores.sqlite_record import SQLiteRecord

TOTAL_BYTES = 1 << 30  # of all inboxes and outboxes together
LOOK_S = 1.0  # between two checks of the files
LATENCIES_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class SQLiteStore(Store):
    """The durable store. Args:
    path: of the file; if there is none, it is created, readable by its owner
    alone. inbox_bytes, outbox_bytes: limits of one client's lines, as in
    MemoryStore; channel_bytes: of each other channel; total_bytes: limit of all
    together. A full box takes no more messages. The writers, also at the other
    end, wait until messages are read or acknowledged.
    disk_thread: runs the operations that wait for the disk: see disk_thread.py.

    Raises: StoreError if the file is damaged, cannot be written, is of a newer
    version of pb_link, or is in use by another server.
    """

    def __init__(
        self, path, inbox_bytes=INBOX_BYTES, outbox_bytes=OUTBOX_BYTES, *, channel_bytes=CHANNEL_BYTES,
        total_bytes=TOTAL_BYTES, disk_thread=None,
    ):  # fmt: skip
        self.path = str(path)
        self.commits = 0
        self.latency = Histogram(LATENCIES_S)  # of the commits
        self._inbox_bytes = inbox_bytes
        self._outbox_bytes = outbox_bytes
        self._channel_bytes = channel_bytes
        self._total_bytes = total_bytes
        self._file = SQLiteFile(self.path)
        self._total = self._file.total_cost()
        self._was_full = False
        self._disk = disk_thread or DiskThread()
        self._clients = {}
        self._next = _Batch()
        self._flying = None  # the batch that the disk thread writes
        self._held = 0  # calls of `together` whose steps are being begun, in the loop `_holder`
        self._holder = None
        self._gone = None  # StoreGone that a transaction has raised
        self._watching = set()  # Events of calls of `watch`

    # The contract: see core/store.py

    async def peek(self, client_id):
        record = await self._loaded(client_id)
        return record.owner, record.epoch

    async def claim(self, client_id):
        record = await self._loaded(client_id)
        return await self._commit(record, record.claim())

    def inbox_room(self, client_id, channel=0):
        used = self._known(client_id).inbox_cost(channel)
        if channel:
            return used < self._channel_bytes and (not used or not self._full())
        return used < self._inbox_bytes and not self._full()

    def unread(self, client_id, channel=0):
        return self._known(client_id).unread(channel)

    async def receive(self, client_id, owner, peer_epoch, cursors, messages, expired=None):
        record = self._owned(client_id, owner)
        self._next.rows.append("inbox", record.key, record.inbox_next, messages)
        before = record.cost
        record.receive(peer_epoch, cursors, messages, expired)
        self._count(record.cost - before)
        await self._commit(record)

    async def look(self, client_id, owner, number, channel=0):
        record = self._owned(client_id, owner)
        found = record.look(number, channel)
        return found if found and found[0] < record.safe else None

    async def take(self, client_id, owner, channel=0):
        record = self._owned(client_id, owner)
        if record.unread(channel)[1] >= record.safe:
            return None
        before = record.cost
        row = record.take(channel)
        self._count(record.cost - before)
        self._next.rows.delete("inbox", record.key, (row[0],))
        return await self._commit(record, row, lambda: self._undo_take(record, row))

    async def give_back(self, client_id, owner, number, message):
        record = self._owned(client_id, owner)
        self._insert_again(record, number, message)
        await self._commit(record)

    async def drop(self, client_id, owner, number, channel=0):
        record = self._owned(client_id, owner)
        before = record.cost
        gone = record.drop(min(number, record.safe), channel)
        self._count(record.cost - before)
        self._next.rows.delete("inbox", record.key, gone)
        await self._commit(record)

    async def remove(self, client_id, owner, numbers):
        record = self._owned(client_id, owner)
        before = record.cost
        gone = record.remove([number for number in numbers if number < record.safe])
        self._count(record.cost - before)
        self._next.rows.delete("inbox", record.key, gone)
        await self._commit(record)

    async def mark(self, client_id, owner, number, kind):
        record = self._owned(client_id, owner)
        self._next.rows.insert("inbox", record.key, number, record.mark(number, kind))
        await self._commit(record)

    def outbox_room(self, client_id, size, channel=0):
        used = self._known(client_id).outbox_cost(channel)
        limit = self._channel_bytes if channel else self._outbox_bytes
        return not used or used + size + LINE_COST <= limit and not self._full()

    async def put(self, client_id, owner, message):
        record = self._owned(client_id, owner)
        self._next.rows.append("outbox", record.key, record.serial, (message,))
        before = record.cost
        record.put(message)
        self._count(record.cost - before)
        await self._commit(record)

    async def acknowledge(self, client_id, owner, bases):
        record = self._owned(client_id, owner)
        before = record.cost
        gone = record.acknowledge(bases)
        self._count(record.cost - before)
        self._next.rows.delete("outbox", record.key, gone)
        await self._commit(record)

    async def expire(self, client_id, owner, channel, number):
        record = self._owned(client_id, owner)
        before = record.cost
        row = record.expire(channel, number)
        self._count(record.cost - before)
        if row is None:
            return False
        self._next.rows.insert("outbox", record.key, *row)
        return await self._commit(record, True)

    async def discard(self, client_id, owner):
        record = self._owned(client_id, owner)
        before = record.cost
        state, gone = record.discard()
        self._count(record.cost - before)
        self._next.rows.delete("outbox", record.key, gone)
        return await self._commit(record, (state, len(gone)))

    async def named(self, client_id, owner, run):
        record = self._owned(client_id, owner)
        record.named(run)
        await self._commit(record)

    async def realign(self, client_id, owner, peer_epoch, cursors, bases):
        record = self._owned(client_id, owner)
        before = record.cost
        gone = record.realign(peer_epoch, cursors, bases)
        self._count(record.cost - before)
        self._next.rows.delete("outbox", record.key, gone)
        await self._commit(record)

    def note(self, client_id, owner, text, at_once=False):
        record = self._owned(client_id, owner)
        record.note = text  # written with the next change of this record
        if at_once:
            self._write(record)

    async def backlogs(self):
        return await self._call(lambda: self._file.backlogs())

    async def away(self, client_id, owner, seconds):
        record = self._owned(client_id, owner)
        record.away_s = seconds
        await self._commit(record)

    async def watch(self):
        changed = asyncio.Event()
        self._watching.add(changed)
        try:
            while True:
                self._check_usable()
                try:
                    async with asyncio.timeout(LOOK_S):
                        await changed.wait()
                except TimeoutError:
                    await self._call(lambda: self._file.check())
        finally:
            self._watching.discard(changed)

    async def together(self, steps):
        """Run the steps in one transaction: none begins before each of them has made its call, which it has to do
        without waiting first."""
        if len(steps) == 1:
            return [await steps[0]()]
        loop = asyncio.get_running_loop()
        if self._holder is not loop:  # the former one has ended
            self._holder, self._held = loop, 0
        self._held += 1
        running = [loop.create_task(step()) for step in steps]
        loop.call_soon(self._release)  # it is called behind them
        results = await asyncio.gather(*running, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return results

    def wal_bytes(self):
        """Returns the size of SQLite's -wal file."""
        return 0 if self._file is None else self._file.wal_bytes()

    @property
    def total(self):
        return self._total

    def close(self):
        if self._file is None:
            return
        self._settle()  # a take without a waiting caller is undone afterwards
        self._disk.close()
        self._file.close()
        self._file = None

    # Records

    async def _loaded(self, client_id):
        """Returns the client's record, from the file unless there is a valid newer one in RAM."""
        while True:
            self._check_usable()
            record = self._clients.get(client_id)
            if record is not None and not record.broken:
                return record
            loaded = await self._call(lambda: self._file.load(client_id))
            if self._clients.get(client_id) is record:  # no other call was faster
                self._clients[client_id] = SQLiteRecord(client_id, loaded)

    def _known(self, client_id):
        """Returns the record of a claimed client. Raises: StoreError if the client was not claimed."""
        self._check_usable()
        record = self._clients.get(client_id)
        if record is None:
            raise unclaimed(client_id)
        return record.claimed()

    def _owned(self, client_id, owner):
        self._check_usable()
        record = self._clients.get(client_id)
        if record is not None and record.owner == owner and owner and not record.broken:
            return record
        if self._known(client_id).broken:
            raise StoreError("an earlier write of %s failed: claim it again" % client_id)
        return record.owned(owner)

    def _undo_take(self, record, row):
        """Undo a take whose message was not delivered. If the store cannot undo it, the message has left."""
        if not record.broken and self._file is not None and self._gone is None:
            self._insert_again(record, *row)
            self._write(record)

    def _insert_again(self, record, number, message):
        before = record.cost
        record.give_back(number, message)
        self._next.rows.insert("inbox", record.key, number, message)
        self._count(record.cost - before)

    # The limit of all clients together

    def _full(self):
        full = self._total >= self._total_bytes
        self._was_full = self._was_full or full
        return full

    def _count(self, change):
        """Add to the cost of all messages, once the next transaction is safe."""
        self._total += change
        self._next.change += change
        self._tell_room()

    def _tell_room(self):
        if self._was_full and self._total < self._total_bytes:
            self._was_full = False
            if self.on_room is not None:
                self.on_room()

    # Transactions

    async def _call(self, function):
        """Returns the function's result. The disk thread calls it between two transactions. Raises: StoreError."""
        self._check_usable()
        future = asyncio.get_running_loop().create_future()

        def done(result, error):
            if not future.done():
                future.set_exception(_explained(self.path, error)) if error else future.set_result(result)

        self._disk.start(function, done)
        return await future

    async def _commit(self, record, result=None, undo=None):
        """Returns result once the change to the record is safe. undo() is called if the result is not delivered."""
        future = asyncio.get_running_loop().create_future()
        self._next.waiting.append((future, result, undo))
        self._write(record)
        try:
            return await future
        except asyncio.CancelledError:  # perhaps after the result was there
            if undo is not None:
                undo()
            raise

    def _write(self, record):
        """Put the record's changes into the next transaction."""
        self._next.records.add(record)
        self._fly()

    def _check_usable(self):
        """Check that the store is usable. Raises: StoreError if it is not."""
        if self._file is None:
            raise StoreError("the store %s is closed" % self.path)
        if self._gone is not None:
            raise StoreGone(str(self._gone))
        if self._flying is not None and self._disk.orphaned():
            self._settle()

    def _release(self):
        self._held = max(0, self._held - 1)
        self._fly()

    def _fly(self):
        if self._held and self._holder is _get_running_loop():
            return
        if self._flying is None and self._next.records:
            batch = self._flying = self._next
            self._next = _Batch()
            batch.seal()
            self._disk.start(lambda: self._work(batch), lambda result, error: self._landed(batch))

    def _work(self, batch):
        """Commit a batch. It runs in the disk thread."""
        begin = time.perf_counter()
        try:
            self._file.commit(batch.rows, batch.clients, batch.channels)
            self.latency.add(time.perf_counter() - begin)
        except Exception as error:  # after any error nothing of the batch is safe
            batch.error = error

    def _landed(self, batch):
        if self._flying is batch:
            self._flying = None
            self._finish(batch)
            self._fly()

    def _settle(self):
        """Wait for the batch in progress, since its loop has ended or the store is being closed."""
        self._held = 0
        self._fly()
        while self._flying is not None:
            self._disk.join()
            self._landed(self._flying)

    def _finish(self, batch):
        if batch.error is None:
            self.commits += 1
            for record, safe in batch.safe:
                record.safe = safe
            batch.tell(None)
            return
        error = _explained(self.path, batch.error)
        if isinstance(error, StoreGone):
            self._gone = error
            for changed in self._watching:
                changed.set()  # the server ends before a caller acts on this result
        following, self._next = self._next, _Batch()
        for record in batch.records | following.records:
            record.broken = True
        batch.tell(error)
        following.tell(error)
        self._total -= batch.change + following.change
        self._tell_room()


class _Batch:
    """The changes of one transaction, and the calls that wait for it."""

    def __init__(self):
        self.rows = Rows()
        self.records = set()
        self.clients = None  # their rows
        self.channels = None  # those of their channels
        self.safe = None
        self.waiting = []  # (future, its result, undo)
        self.change = 0  # of the cost of all messages
        self.error = None

    def seal(self):
        """Take the rows to write from the records as they are now."""
        if self.clients is None:
            self.clients = json.dumps([record.row() for record in self.records])
            self.channels = [row for record in self.records for row in record.changed_channels()]
            self.safe = [(record, record.inbox_next) for record in self.records]

    def tell(self, error):
        for future, result, undo in self.waiting:
            if future.done():
                continue  # it was cancelled: `_commit` undoes it
            if future.get_loop().is_closed():
                if undo is not None and error is None:
                    undo()
            elif error is None:
                future.set_result(result)
            else:
                future.set_exception(type(error)(str(error)))


def _explained(path, error):
    if isinstance(error, StoreGone):
        return error
    return StoreError("%s: %s" % (path, error))
