"""What the durable stores have in common: records in RAM, and group commit.

All messages of the clients in use are in RAM, in the Records of `memory.py`. These are ahead of the database by what
has not been committed. While one transaction is being committed, all new changes, of any client, are collected for the
next one (group commit). A method returns when its transaction has ended. The event loop never waits for the database: a
thread does (disk_thread.py). No message can be read before it is safe. When a commit fails, everything that waits for
it or was to follow it fails. `claim` then begins again with what the database has.

A database has these methods, which the thread calls:

- `commit(changes)`: one transaction, which is safe when it returns; `changes` is what `BatchedStore._sealed` made.
  Returns None, or the keys of the clients of which nothing was done, because another server has claimed them;
- `backlogs()`: as in the contract; `check()`: raises StoreGone if it is not the store any longer; `total_cost()`;
- `close()`, which the loop's thread calls when the other one has ended.
"""

import asyncio
import time
from asyncio import _get_running_loop  # None if there is none

from protocol.errors import StoreError
from server.core.store import LINE_COST, Fenced, Store, StoreGone
from server.stores.begun import Begun
from server.stores.histogram import Histogram
from server.stores.memory import unclaimed

LOOK_S = 1.0  # between two checks of the database
# What is wrong with a record that differs from the database: its `broken`.
FAILED = "an earlier write of %s failed: claim it again"
CLAIMED = "another owner has claimed %s"
LATENCIES_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class BatchedStore(Store):
    """Args: path: what errors name; database: see above; disk: a disk thread; inbox_bytes, ..: limits, see
    SQLiteStore; limit: Limit of all messages, for which other stores may count too; rows: function () -> an object that
    collects the changes to messages in one transaction."""

    look_s = LOOK_S

    def __init__(self, path, database, disk, rows, *, inbox_bytes, outbox_bytes, channel_bytes, limit):
        self.path = path
        self.commits = 0
        self.latency = Histogram(LATENCIES_S)  # of the commits
        self._inbox_bytes = inbox_bytes
        self._outbox_bytes = outbox_bytes
        self._channel_bytes = channel_bytes
        self._limit = limit
        self._database = database  # None once it is closed
        self._disk = disk
        self._total = 0
        limit.stores.append(self)
        self._clients = {}
        self._rows = rows
        self._next = _Batch(rows())
        self._flying = None  # the batch that the disk thread writes
        self._held = 0  # calls of `together` whose steps are being begun, in the loop `_holder`
        self._holder = None
        self._gone = None  # StoreGone that a transaction has raised
        self._watching = set()  # Events of calls of `watch`

    # The contract: see core/store.py

    async def renew(self, client_id, owner):
        record = self._owned(client_id, owner)
        number = record.renew()
        return number if self.others is None else await self._commit(record, number)

    def inbox_room(self, client_id, channel=0):
        used = self._known(client_id).inbox_cost(channel)
        if channel:
            return used < self._channel_bytes and (not used or not self._limit.reached())
        return used < self._inbox_bytes and not self._limit.reached()

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
        return not used or used + size + LINE_COST <= limit and not self._limit.reached()

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
        self._left_outbox(record, gone)
        await self._commit(record)

    async def expire(self, client_id, owner, channel, number):
        record = self._owned(client_id, owner)
        before = record.cost
        row = record.expire(channel, number)
        self._count(record.cost - before)
        if row is None:
            return False
        self._next.rows.insert("outbox", record.key, *row)
        self._emptied(record, row[0])
        return await self._commit(record, True)

    async def discard(self, client_id, owner):
        record = self._owned(client_id, owner)
        before = record.cost
        state, gone = record.discard()
        self._count(record.cost - before)
        return await self._commit(record, (state, self._forgotten(record, gone)))

    async def named(self, client_id, owner, run):
        record = self._owned(client_id, owner)
        record.named(run)
        await self._commit(record)

    async def realign(self, client_id, owner, peer_epoch, cursors, bases):
        record = self._owned(client_id, owner)
        before = record.cost
        gone = record.realign(peer_epoch, cursors, bases)
        self._count(record.cost - before)
        self._left_outbox(record, gone)
        await self._commit(record)

    def note(self, client_id, owner, text, at_once=False):
        record = self._owned(client_id, owner)
        record.note = text  # written with the next change of this record
        if at_once:
            self._write(record)

    async def backlogs(self):
        return await self._call(lambda: self._database.backlogs())

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
                    async with asyncio.timeout(self.look_s):
                        await changed.wait()
                except TimeoutError:
                    await self._look()
        finally:
            self._watching.discard(changed)

    async def together(self, steps):
        """Run the steps in one transaction: none begins before each of them has made its call, which it has to do
        without waiting first."""
        if len(steps) == 1:
            return [await steps[0]()]
        self.hold()
        try:
            begun = Begun([step() for step in steps])
        finally:
            self.release()
        return await begun

    @property
    def total(self):
        return self._total

    def close(self):
        if self._database is None:
            return
        self._settle()  # a take without a waiting caller is undone afterwards
        self._end()
        self._database = None

    # Records

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
        if record is not None and record.owner - record.renewed == owner and owner and not record.broken:
            return record
        broken = self._known(client_id).broken
        if broken:
            raise (Fenced if broken is CLAIMED else StoreError)(broken % client_id)
        return record.owned(owner)

    def _undo_take(self, record, row):
        """Undo a take whose message was not delivered. If the store cannot undo it, the message has left."""
        if not record.broken and self._database is not None and self._gone is None:
            self._insert_again(record, *row)
            self._write(record)

    def _insert_again(self, record, number, message):
        before = record.cost
        record.give_back(number, message)
        self._next.rows.insert("inbox", record.key, number, message)
        self._count(record.cost - before)

    # The limit of all clients together

    def _count(self, change):
        """Add to the cost of all messages, once the next transaction is safe."""
        self._total += change
        self._next.change += change
        self._tell_room()

    def _tell_room(self):
        if self._limit.left() and self.on_room is not None:
            self.on_room()

    # Transactions

    async def _call(self, function):
        """Returns the function's result. The disk thread calls it between two transactions. Raises: StoreError."""
        self._check_usable()
        future = asyncio.get_running_loop().create_future()

        def done(result, error):
            if not future.done():
                future.set_exception(self._explained(error)) if error else future.set_result(result)

        self._disk.start(function, done)
        return await future

    async def _commit(self, record, result=None, undo=None):
        """Returns result once the change to the record is safe. undo() is called if the result is not delivered."""
        future = asyncio.get_running_loop().create_future()
        self._next.waiting.append((future, result, undo, record))
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
        if self._database is None:
            raise StoreError("the store %s is closed" % self.path)
        if self._gone is not None:
            raise StoreGone(str(self._gone))
        if self._flying is not None and self._disk.orphaned():
            self._settle()

    def hold(self):
        """Begin no transaction before `release` is called, in the same loop."""
        loop = asyncio.get_running_loop()
        if self._holder is not loop:  # the former one has ended
            self._holder, self._held = loop, 0
        self._held += 1

    def release(self):
        """See `hold`."""
        self._held = max(0, self._held - 1)
        self._fly()

    def _fly(self):
        if self._held and self._holder is _get_running_loop():
            return
        if self._flying is None and self._due():
            batch = self._flying = self._next
            self._next = _Batch(self._rows())
            if batch.changes is None:
                batch.safe = [(record, record.inbox_next) for record in batch.records]
                batch.changes = self._sealed(batch.rows, batch.records)
            self._disk.start(lambda: self._work(batch), lambda result, error: self._landed(batch, error))

    def _work(self, batch):
        """Commit a batch. It runs in the disk thread."""
        begin = time.perf_counter()
        try:
            batch.fenced = self._database.commit(batch.changes)
            self.latency.add(time.perf_counter() - begin)
        except Exception as error:  # after any error nothing of the batch is safe
            batch.error = error

    def _landed(self, batch, error=None):
        if self._flying is batch:
            self._flying, batch.error = None, batch.error or error
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
            if batch.fenced:
                self._fence(batch)
            batch.tell(None)
            for function in batch.after:
                function()
            return
        error = self._explained(batch.error)
        if isinstance(error, StoreGone):
            self._gone = error
            for changed in self._watching:
                changed.set()  # the server ends before a caller acts on this result
        following, self._next = self._next, _Batch(self._rows())
        for record in batch.records | following.records:
            record.broken = FAILED
        batch.tell(error)
        following.tell(error)
        self._total -= batch.change + following.change
        self._tell_room()

    # What a subclass has of its own

    def _left_outbox(self, record, serials):
        """These messages are not in the record's outbox any more."""
        self._next.rows.delete("outbox", record.key, serials)

    def _forgotten(self, record, serials):
        """These messages were in the outbox, and are deleted unread. Returns how many were deleted."""
        self._left_outbox(record, serials)
        return len(serials)

    def _emptied(self, record, serial):
        """The message with this serial has expired in the outbox."""

    def _due(self):  # whether there is something for the next transaction
        return bool(self._next.records)

    async def _look(self):
        """Check the database. Raises: StoreGone."""
        await self._call(lambda: self._database.check())

    def _sealed(self, rows, records):
        """Returns what `commit` of the database takes: the changes to the messages, and the records as they are now."""
        raise NotImplementedError("_sealed")

    def _fence(self, batch):
        """Others have claimed clients of this batch: nothing of theirs was done."""
        raise NotImplementedError("_fence")

    def _end(self):
        """End the thread and the database."""
        self._disk.close()
        self._database.close()

    def _explained(self, error):
        """Returns the StoreError for an exception of the database."""
        return error if isinstance(error, StoreGone) else StoreError(f"{self.path}: {error}")


class _Batch:
    """The changes of one transaction, and the calls that wait for it."""

    def __init__(self, rows):
        self.rows = rows
        self.records = set()
        self.changes = None  # for `commit`, once it is complete
        self.safe = None
        self.waiting = []  # (future, its result, undo, record)
        self.after = []  # functions (), called once it is safe
        self.change = 0  # of the cost of all messages
        self.error = None
        self.fenced = None  # keys of the clients that others have claimed

    def tell(self, error, of=None):
        """End the calls that wait: all, or those for this record."""
        for future, result, undo, record in self.waiting:
            if future.done() or of not in (None, record):
                continue  # it was cancelled: `_commit` undoes it
            if future.get_loop().is_closed():
                if undo is not None and error is None:
                    undo()
            elif error is None:
                future.set_result(result)
            else:
                future.set_exception(type(error)(str(error)))
