"""The durable store in PostgreSQL, which several servers may share. What it has in common with SQLite is in batched.py.

A transaction is one statement, whatever number of clients and messages it has. When it returns, it is as safe as the
server's `synchronous_commit` makes it: `on`, the default, is on the disk, and on that of the standby if there is a
synchronous one; with `off` a crash of PostgreSQL loses lines that were acknowledged.

Of several servers on one database, the one that has claimed a client last has it; what the others write of it after
that is nothing (postgres_database.py, "The fence"). No clock and no lease is part of that.

While PostgreSQL is away, calls wait, for up to OUTAGE_S; then they fail.
"""

import os
from contextlib import suppress

from protocol.errors import StoreError
from protocol.limits import EPOCH_BYTES
from server.core.others import SILENT_S
from server.core.store import CHANNEL_BYTES, INBOX_BYTES, OUTBOX_BYTES, Fenced, StoreGone, TakenOver
from server.stores import postgres_nodes, postgres_shards
from server.stores.batched import CLAIMED, BatchedStore
from server.stores.disk_thread import DiskThread
from server.stores.gathered import Gathered
from server.stores.limit import Limit
from server.stores.opened import own_name
from server.stores.postgres_database import BATCH_BYTES, PostgresDatabase
from server.stores.postgres_joining import Joining
from server.stores.postgres_keys import PostgresKeys
from server.stores.postgres_mail import FORGOTTEN
from server.stores.postgres_others import PostgresOthers
from server.stores.postgres_reading_statements import READ, rows_of
from server.stores.postgres_readings import Readings
from server.stores.postgres_record import claimer, client_rows
from server.stores.postgres_schema import SCHEMA, quoted
from server.stores.postgres_statements import Changes
from server.stores.postgres_transactions import Transactions

TOTAL_BYTES = 1 << 30  # of all inboxes and outboxes together


class PostgresStore(Joining, BatchedStore):
    """Args: url: "postgresql://USER@HOST/DATABASE", as asyncpg takes it; schema: of its tables; name: of this process,
    for people, HOST:PID if it has none; the others as those of SQLiteStore. tell: function (event, **details) or None:
    told when the server is away and back.

    limit: Limit in the place of total_bytes, of a store of several databases: then `shard` is for the caller to check,
    and if the database cannot be reached, `unreached` is the StoreError: the caller closes this, or calls `join_later`.

    node: the id of this process in table `node`; shard: Shard of the database (postgres_shards.py). Both are None until
    the database has been there.

    Raises: StoreError: the database cannot be reached, has no tables of this release (`pb-link store init`), or is one
    of several of a store."""

    look_s = 5.0

    def __init__(
        self, url, inbox_bytes=INBOX_BYTES, outbox_bytes=OUTBOX_BYTES, *, channel_bytes=CHANNEL_BYTES,
        total_bytes=TOTAL_BYTES, limit=None, schema=SCHEMA, name=None, tell=None, disk_thread=None,
    ):  # fmt: skip
        database = PostgresDatabase(url, schema, tell)
        super().__init__(
            database.where, database, disk_thread or DiskThread(), Changes, inbox_bytes=inbox_bytes,
            outbox_bytes=outbox_bytes, channel_bytes=channel_bytes, limit=limit or Limit(total_bytes),
        )  # fmt: skip
        self._epochs = {}  # client id -> epoch that was told of a client that the database does not know
        self._counting = False  # `_recount` is under way
        self._schema, self._timeline = schema, None  # before the first call of `timeline`
        self.name = name or own_name()
        self._peeks = Gathered(self._peek)
        self._claims = Gathered(self._claim)
        self._by_key = {}  # key of a client's row -> its record
        self.transactions = Transactions(url, schema, database.where)
        try:
            self.node, self._total, self.shard = self._wait(self._join)
            if limit is None:
                postgres_shards.check([self.shard])
        except StoreError as error:
            self.unreached = error
            if limit is None or isinstance(error, StoreGone):
                self.close()
                raise
        own = Own(self)
        self.keys = PostgresKeys(own.perform)
        self.others = PostgresOthers(own, url, schema)
        self.readings = Readings(own)

    @property
    def trouble(self):
        """Why PostgreSQL does not answer, or None: it did when it was asked last, which is not long ago."""
        if self._database is None:
            return "the store is closed"
        silent = self.others.silent_s() > SILENT_S
        return self._database.trouble or ("there is no answer to the heartbeat" if silent else None)

    async def peek(self, client_id):
        self._check_usable()
        found, _ = await self._peeks.call(client_id)
        return found

    def timeline(self):
        if self._timeline is None:
            from server.stores.postgres_timeline import PostgresTimeline

            known = self._clients
            key_of = lambda client_id: known[client_id].key if client_id in known else None
            self._timeline = PostgresTimeline(self.transactions, quoted(self._schema), key_of, self._database.say)
        return self._timeline

    def note(self, client_id, owner, text, at_once=False):
        _storable(text)
        super().note(client_id, owner, text, at_once)

    async def claim(self, client_id, seen=None):
        _storable(client_id)
        await self.joined()
        while True:
            self._check_usable()
            record = self._clients.get(client_id)
            if record is None or record.broken or seen not in (None, (record.owner, record.epoch)):
                # What this store knows is old, or what the caller has seen. The database decides.
                state, first = await self._claims.call((client_id, seen))
                if first and state is not None:
                    return state
                continue  # another call has claimed it, and this one comes after that
            try:
                return await self._commit(record, record.claim(seen))
            except StoreError:
                if not record.broken or self._gone is not None or self._database is None:
                    raise
                # Another server has claimed it since, or a commit has failed: what this store knows of it is old.

    # Work of the thread, for several clients at a time

    def _peek(self, ids, done):
        def peeked(found, error):
            if error is None:
                found = {client_id: found.get(client_id) or (0, self._epoch_of(client_id)) for client_id in ids}
            done(found, error and self._explained(error))

        self._disk.start(lambda: self._database.peek(ids), peeked)

    def _claim(self, keys, done):
        calls = {client_id: seen for client_id, seen in reversed(keys)}  # the first one of each client
        wanted = [
            (client_id, self._epoch_of(client_id), claimer(client_id, seen, self.node))
            for client_id, seen in calls.items()
        ]

        def claimed(found, error):
            found, read = found if error is None else ({}, ())
            states = dict.fromkeys(keys)
            for client_id, one in found.items():
                key = client_id, calls[client_id]
                states[key] = one
                if not isinstance(one, StoreError):
                    old = self._clients.get(client_id)
                    if old is not None:
                        self._lose(old)
                    self._clients[client_id], states[key] = one, one.first
                    self._by_key[one.key] = one
                    one.first = None
                    self._epochs.pop(client_id, None)
                    self._tidy(one)
            self.readings.claimed(read, [one for one in found.values() if not isinstance(one, StoreError)])
            done(states, error and self._explained(error))

        def work():
            found = self._database.claim(wanted, self.node)
            keys = [one.key for one in found.values() if not isinstance(one, StoreError)]
            return found, self._database.perform(rows_of, READ, keys)

        self._disk.start(work, claimed)

    def _epoch_of(self, client_id):
        """Returns the epoch of a client that is new: the same for `peek` and for `claim`."""
        return self._epochs.setdefault(client_id, os.urandom(EPOCH_BYTES))

    def _wait(self, function):
        """Returns what the function returns, which the thread calls. Raises: what it raises."""
        results = []

        def work():
            try:
                results.append((function(), None))
            except Exception as error:
                results.append((None, error))

        self._disk.start(work, lambda result, error: None)
        self._disk.join()
        result, error = results[0]
        if error is not None:
            raise self._explained(error)
        return result

    def _tidy(self, record):
        """Remove mail that was moved and has left the outbox: its writer waits no longer."""
        left_over = record.mail.left_over({serial for box in record.outbox.values() for serial in box.numbers})
        for key in left_over:
            self._next.rows.drop(key)
        if left_over:
            self._write(record)

    # For BatchedStore

    def _left_outbox(self, record, serials):
        super()._left_outbox(record, serials)
        self.others.arrived.left(record, serials)

    def _forgotten(self, record, serials):
        super()._left_outbox(record, serials)
        self.others.arrived.left(record, serials, FORGOTTEN)
        return len(serials) + self.others.arrived.forget(record)

    def _emptied(self, record, serial):
        self.others.arrived.expired(record, serial)

    def _due(self):
        return self._next.records or self._next.rows.moves

    def _finish(self, batch):
        following, known = self._next.rows.moves, [(record, record.safe) for record, _ in batch.safe]
        super()._finish(batch)
        # One that was sent more than once may be done again, later than what follows it: only a claim ends that.
        unknown = batch.error or batch.rows.repeated
        for place, (reading, *move) in batch.rows.moves.items():
            reading.moved(*move, None if unknown else place in batch.rows.moved)
        if batch.error:
            for reading, *move in following.values():
                reading.moved(*move, None)
            return
        for record, before in known:
            if record.safe > before and not record.broken:
                self.readings.arrived(record, before)

    async def _look(self):
        total = await self._call(lambda: self._database.check())
        if total is not None:
            self._recount(total, None)

    def _sealed(self, rows, records):
        batch = os.urandom(BATCH_BYTES)
        if self._timeline and records and not self._database.closing:  # `_end` writes what waits then
            rows.timeline = self._timeline.take()
        return rows, client_rows(records, batch), batch

    def _fence(self, batch):
        for record in batch.records:
            if record.key in batch.fenced:
                self.others.fenced += 1
                self._lose(record)
                self.others.doubt(record.client_id)  # nobody may wait for what is refused
                # It may have been done, and claimed with that, before it was sent again.
                kind = TakenOver if batch.rows.repeated else Fenced
                batch.tell(kind(CLAIMED % record.client_id), record)
        if not self._counting:
            self._counting = True
            self._disk.start(self._database.total_cost, self._recount)

    def _lose(self, record):
        """What this record has is old: another claim has been made. What it was to write is not written."""
        if not record.broken:
            record.broken = CLAIMED
            self._next.rows.forget(record.key)
            self._next.records.discard(record)
            self._next.tell(Fenced(CLAIMED % record.client_id), record)

    def _recount(self, total, error):
        """The cost of all messages is so much in the database: what others have stored is in it."""
        self._counting = False
        if error is None:
            self._total = total + self._next.change + (self._flying.change if self._flying else 0)
            self._tell_room()

    def _end(self):
        self.transactions.close()
        with suppress(StoreError):
            if self.node is not None and self._database.trouble is None:
                self._wait(lambda: self._database.perform(postgres_nodes.leave, self.node))
        if self._timeline:
            write = lambda rows: self._wait(lambda: self._database.perform(rows.write))
            self._timeline.close(write, self._database.trouble)
        with suppress(StoreError):
            self._wait(self._database.close)  # the connection belongs to the thread
        self._disk.close()


def _storable(text):
    """Raises: StoreError: PostgreSQL has no such text."""
    if "\0" in text or any("\ud800" <= one <= "\udfff" for one in text):
        raise StoreError("PostgreSQL stores no text with a NUL or a surrogate in it")


class Own:
    """What PostgresOthers, Readings and their parts use of their store, a PostgresStore."""

    def __init__(self, store):
        self.store = self._store = store
        self.joined = store.joined
        self.name = store.name
        self.outbox_room = store.outbox_room
        self.epoch_of = store._epoch_of
        self.check_id = _storable

    @property
    def node(self):
        """The id of this process, None until it has joined: see `joined`."""
        return self._store.node

    def record(self, client_id):
        """Returns the record of a client that this process has claimed and not lost, or None."""
        record = self._store._clients.get(client_id)
        return None if record is None or record.broken else record

    def record_of(self, key):
        """As `record`, for the key of the client's row."""
        record = self._store._by_key.get(key)
        return None if record is None or record.broken else record

    def serves(self, client_id):
        """Whether the client is connected to this process, as far as it knows."""
        record = self.record(client_id)
        return record is not None and record.connected

    def key_of(self, client_id):
        """Returns the key of a client that this process has claimed, or None."""
        record = self.record(client_id)
        return record and record.key

    def clients(self):
        """Returns how many clients are connected to this process."""
        return sum(record.connected for record in self._store._by_key.values() if not record.broken)

    def keys(self):
        """Returns the keys of the clients that this process has."""
        return [key for key, record in self._store._by_key.items() if not record.broken]

    def start(self, done, function, *args):
        """Have the thread perform a function (PostgresDatabase.perform), and done(result, error) called in the loop
        before it hears of any later work of the thread."""
        database = self._store._database
        self._store._disk.start(
            lambda: database.perform(function, *args),
            lambda result, error: done(result, error and self._store._explained(error)),
        )

    async def perform(self, function, *args):
        """Returns what the thread has got from a function (PostgresDatabase.perform). Raises: StoreError."""
        database = self._store._database
        return await self._store._call(lambda: database.perform(function, *args))

    def mail_limits(self):
        """Returns what waits in the mail of a client may cost: lines, and each other channel. 0: one message."""
        return (0, 0) if self._store._limit.reached() else (self._store._outbox_bytes, self._store._channel_bytes)

    def keys_stamp(self, stamp):
        """The heartbeat has read the stamp of the keys."""
        self._store.keys.seen(stamp)

    def warn(self, text):
        """Have this told, as what PostgreSQL says."""
        self._store._database.say("store_warning", text=text)

    def gone(self, error):
        """This store will never work again. Args: error: StoreGone that says why."""
        self._store._gone = error
        for changed in self._store._watching:
            changed.set()

    async def move(self, client_id, owner, channel, most):
        """See core/others.py."""
        record = self._store._owned(client_id, owner)
        moved, changed = self._store.others.arrived.move(record, channel, most)
        return await self._store._commit(record, moved) if changed else moved

    def put_from_mail(self, record, key, message):
        """Put a message of the mail into the outbox, in the next transaction."""
        before = record.cost
        self._store._next.rows.append("outbox", record.key, record.serial, (message,))
        self._store._next.rows.move(key, record.serial)
        record.put(message)
        self._store._count(record.cost - before)

    def present(self, client_id, owner, connected, tell):
        """Write whether the client is connected. tell(key) is called when others can see it."""
        record = self._store._owned(client_id, owner)
        if record.connected or connected:
            record.connected = connected
            record.connections += connected
            self._store._next.after.append(lambda: tell(record.key))
            self._store._write(record)

    @property
    def rows(self):
        """The changes of the next transaction."""
        return self._store._next.rows

    def after_commit(self, function):
        """Call function() when the next transaction is safe."""
        self._store._next.after.append(function)

    # For Readings

    @property
    def others(self):
        return self._store.others

    def heard(self, word, keys):
        """A hint for Readings has come."""
        self._store.readings.heard(word, keys)

    def usable(self):
        """Raises: StoreError: the store is closed, or gone."""
        self._store._check_usable()

    def unread_records(self):
        """Returns the records of clients of this process with messages that wait for a reader."""
        records = self._store._clients.values()
        return [one for one in records if not one.broken and any(box.numbers for box in one.inbox.values())]

    def move_reader(self, reading, number):
        """Have a reader move on, with the next transaction. number: of `next`; None: it is told what `gone` is, and
        stays. `reading.moved` is called when it has ended."""
        self.usable()
        gone = reading.gone if number is None else reading.gone_before(number)
        moves, place = self._store._next.rows.moves, (reading.key, reading.channel)
        if number is not None or place not in moves:
            moves[place] = reading, reading.fence, number, gone
        self._store._fly()

    def drop_read(self, record, channel, number):
        """The messages of a channel before this number have been processed. They are deleted with a later
        transaction."""
        store, before = self._store, record.cost
        gone = record.drop(min(number, record.safe), channel)
        if gone:
            store._next.rows.delete("inbox", record.key, gone)
            store._next.records.add(record)
            store._count(record.cost - before)
            if store.on_read is not None:
                store.on_read(record.client_id)

    def flush(self):
        """Have written what waits for a later transaction."""
        self._store._fly()
