"""What one process reads of the clients of a store in PostgreSQL, and what it deletes of those that it owns.

All readings (reading.py) of a process share one statement of each kind: claims that are asked for together, messages
that are fetched, cursors that are moved (these ride in the batch that stores what the process's own clients have sent).
Of a client that is connected to this process the messages are in RAM, and no statement fetches them.

Once a second the process looks what has changed elsewhere: hints only have it look sooner.
"""

import asyncio
import time
from contextlib import suppress

from protocol.errors import StoreError
from server.core.message import Message
from server.core.store import StoreGone
from server.stores import postgres_reading_statements as statements
from server.stores.gathered import Gathered
from server.stores.postgres_reading_statements import rows_of
from server.stores.postgres_sharing import LEASE, LEASE_S, LOOK_S, Sharing
from server.stores.postgres_statements import columns_of
from server.stores.reading import Reading

PARKED_S = 0.05  # between two looks whether a handler waits
FETCH = 64  # messages of a channel that are fetched at once


class Readings:
    """Args: own: Own (postgres.py). store: the PostgresStore."""

    def __init__(self, own):
        self.store = own.store
        self._own = own
        self._by_place = {}  # (client id, channel) -> Reading
        self._claims = Gathered(self._claim)
        self._fetches = Gathered(self._fetch)
        self._given_back = []  # (client's key, channel, fence), for the next statement that gives back
        self._giving = []  # those of the statement that is under way
        self._read = set()  # keys of clients of which others have read something
        self._hurry = asyncio.Event()  # to look at these
        self._settling = set()  # tasks
        self._keeper = None
        self._loop = None

    def of(self, client_id, channel):
        """Returns the Reading, always the same."""
        reading = self._by_place.get((client_id, channel))
        if reading is None:
            reading = self._by_place[client_id, channel] = Reading(self, client_id, channel)
        return reading

    def has_store(self, store):
        """Whether messages that this store has handed out are of these Readings."""
        return store is self.store

    def sharing(self, start, stop):
        """Returns the Sharing of the handlers of `serve`: see there."""
        return Sharing(self._own, self, start, stop)

    def begin(self):
        """Have the keeper run in this loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop or self._keeper.done():
            if self._loop is not loop:
                for reading in self._by_place.values():
                    reading.stop()
                self._given_back, self._giving = self._giving + self._given_back, []  # its end came to no loop
            self._loop, self._keeper = loop, loop.create_task(self._run())

    def stop(self):
        """End the keeper."""
        if self._keeper is not None:
            self._keeper.cancel()
        for task in self._settling:
            task.cancel()

    def end(self):
        """The store does not work any longer: end the keeper, and have the calls that wait learn it. The loop need not
        run."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has been closed, and nobody waits
                self._loop.call_soon_threadsafe(self._end)

    def _end(self):
        self.stop()
        for reading in self._by_place.values():
            reading.stop()

    # For Reading

    def lives(self):
        """Whether this process was seen in time, so that others leave it what it reads."""
        return time.monotonic() - self._own.others.beaten < LEASE_S

    async def claim(self, reading):
        """Returns (client's key, fence, next, whether it was this process's before, node that has the client) if this
        process may read now, else None. Raises: StoreError."""
        self._own.usable()
        self.begin()
        if not self.lives():
            return None  # until it is seen again
        self._own.others.follow(reading.client_id)
        place = reading.client_id, reading.channel
        found, _ = await self._claims.call(place, lambda found: self._forsaken(reading, found))
        return found

    def _forsaken(self, reading, found):
        """The call was cancelled whose claim has got this. Give it back, unless another call is there, which claims."""
        if found is not None:
            key, fence, _, own, _ = found
            if reading.fence != fence:
                reading.forsook(fence, own)
                if not reading.waits and not reading.keeps():
                    self.give_back_place(reading.channel, key, fence)

    async def fetch(self, reading, number):
        """Returns [(number, Message)] of the first messages from this number on. Raises: StoreError."""
        self._own.usable()
        found, _ = await self._fetches.call((reading.key, reading.channel, number))
        return found

    def look(self, reading, limit=None):
        """Awaitable: there may be something new for it. Raises: asyncio.TimeoutError, StoreError."""
        self._own.usable()
        self.begin()
        return reading.changed.wait(limit)

    def has(self, client_id):
        """Whether the client is connected to this process, which then knows of each message first."""
        record = self._own.record(client_id)
        return record is not None and record.connected

    def at_hand(self, reading, number, most):
        """Returns [(number, Message)] of the first messages in RAM, from this number on."""
        record = self._own.record(reading.client_id)
        found = []
        while record is not None and len(found) < most:
            row = record.look(number, reading.channel)
            if row is None or row[0] >= record.safe:
                break
            found.append(row)
            number = row[0] + 1
        return found

    def move(self, reading, number):
        """Have `next` be this number. `reading.moved` is called when that is known."""
        self._own.move_reader(reading, number)

    def moved(self, reading):
        """More messages are processed: their owner may delete those before `gone`."""
        record = self._own.record(reading.client_id)
        if record is not None:
            self._own.drop_read(record, reading.channel, reading.gone)
        self._tell_owner(reading)

    def _tell_owner(self, reading):
        """Have the process to which the client is connected look at what was read, and who reads."""
        node = self._own.others.seen(reading.client_id).node or reading.node
        if node not in (0, self._own.node):
            self._own.others.tell(node, "read", reading.key)

    def give_back(self, reading):
        """Let other processes read."""
        if reading.fence:
            place = reading.key, reading.fence
            reading.stop()
            reading.unsettled = False
            self.give_back_place(reading.channel, *place)

    def lost(self, reading):
        """Another process has claimed what this one was reading."""
        if self.store.on_lost is not None:
            self.store.on_lost(reading.client_id, reading.channel)

    def abandon(self, client_id, channel, number):
        """A reader is gone that had this message. Any thread may call it: the collector may run in any."""
        reading = self._by_place.get((client_id, channel))
        if reading is not None and self._loop is not None:
            with suppress(RuntimeError):  # the loop has been closed
                self._loop.call_soon_threadsafe(reading.abandon, number)

    # For Sharing

    def park(self, client_id, leaving):
        """Have those who read from this client wait when they ask for the next message, or go on."""
        for reading in self._of(client_id):
            reading.leaving = leaving
            reading.changed.pulse()

    async def parked(self, client_id):
        """Return when one of them waits for that, and nothing that was processed is to be committed."""
        while not any(reading.parked for reading in self._of(client_id)):
            await asyncio.sleep(PARKED_S)

    def give_back_all(self, client_id):
        """Let other processes read from this client."""
        for reading in self._of(client_id):
            if reading.idle():
                self.give_back(reading)

    def give_back_place(self, channel, key, fence):
        """Let other processes have this row of table `reading`."""
        self._given_back.append((key, channel, fence))
        with suppress(StoreError):  # it is closed, and leaves
            self._release()

    def _of(self, client_id):
        return [reading for (one, _), reading in list(self._by_place.items()) if one == client_id]

    # For the store

    def arrived(self, record, before):
        """Messages of a client that this process owns are safe; before: the number from which on they are new."""
        for channel, box in record.inbox.items():
            if box.numbers and box.numbers[-1] >= before:
                reading = self._by_place.get((record.client_id, channel))
                if reading is not None:
                    reading.changed.pulse()
                process = record.readers.get(channel)
                if process not in (None, self._own.node):
                    self._own.others.tell(process, "inbox", record.key)

    def claimed(self, rows, records):
        """This process has claimed clients. rows: of READ, from after the claim."""
        by_key = {record.key: record for record in records}
        for row in rows:
            self._was_read(by_key[row["client"]], row)
        for record in records:
            for reading in self._of(record.client_id):
                reading.changed.pulse()

    def heard(self, word, keys):
        """A hint of another process: "inbox": messages have come for readers of this one; "read": messages of its
        clients have been read. keys: of clients, or None: all."""
        if word == "inbox":
            for reading in list(self._by_place.values()):
                if keys is None or reading.key in keys:
                    reading.changed.pulse()
        else:
            self._read.update(self._own.keys() if keys is None else keys)
            self._hurry.set()

    # The keeper

    async def _run(self):
        try:
            await self._keep()
        except Exception as error:  # a fault of ours: readers would wait for ever
            self._own.gone(StoreGone(f"what looks for readers has ended: {error!r}"))

    async def _keep(self):
        loop = asyncio.get_running_loop()
        self._hurry, at = asyncio.Event(), loop.time() + LOOK_S
        async with self._own.others.used():
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(at):
                        await self._hurry.wait()
                self._hurry.clear()
                keys, self._read = self._read, set()
                with suppress(StoreError):
                    if loop.time() >= at:
                        at = loop.time() + LOOK_S
                        await self._look()
                        keys = {record.key for record in self._own.unread_records() if not self._all_here(record)}
                    await self._drop_read(keys)
                    self._own.flush()

    async def _look(self):
        """Give back what nobody uses, have those look that wait for their turn, and look for messages for the others,
        which are woken only if there are some."""
        lives, wanting = self.lives(), []
        for reading in list(self._by_place.values()):
            if reading.untold():
                with suppress(StoreError):
                    self._own.move_reader(reading, None)
            elif reading.unsettled and not reading.waits and lives:
                self._settle(reading)
            elif reading.fence and reading.unused():
                self.give_back(reading)
            elif reading.waits and not (reading.fence and lives):
                reading.changed.pulse()
            elif reading.waits and not self.has(reading.client_id):
                wanting.append(reading)
        self._release()
        if wanting:
            columns = columns_of([(reading.key, reading.channel, reading.wanted) for reading in wanting])
            for (at,) in await self._own.perform(rows_of, statements.NEWS, *columns):
                wanting[at - 1].changed.pulse()

    def _settle(self, reading):
        reading.unsettled = False
        task = asyncio.get_running_loop().create_task(reading.settle())
        self._settling.add(task)
        task.add_done_callback(self._settled)

    def _settled(self, task):
        self._settling.discard(task)
        if not task.cancelled() and not isinstance(task.exception(), (StoreError, type(None))):
            self._own.gone(StoreGone(f"a reader has not found where it stands: {task.exception()!r}"))

    async def _drop_read(self, keys):
        """Delete what has been read of these clients of this process."""
        if keys:
            for row in await self._own.perform(rows_of, statements.READ, list(keys)):
                record = self._own.record_of(row["client"])
                if record is not None:
                    self._was_read(record, row)

    def _was_read(self, record, row):
        channel, process = row["channel"], row["process"]
        if process not in (None, self._own.node, record.readers.get(channel)):
            self._own.others.tell(process, "inbox", record.key)  # of what has come since it looked it was not told
        record.readers[channel] = process
        reading = self._by_place.get((record.client_id, row["channel"]))
        here = reading is not None and reading.fence
        self._own.drop_read(record, row["channel"], min(row["gone"], reading.gone) if here else row["gone"])

    def _all_here(self, record):
        """Whether this process alone reads what waits of a client."""
        places = [(record.client_id, channel) for channel, box in record.inbox.items() if box.numbers]
        return all(place in self._by_place and self._by_place[place].fence for place in places)

    # Work of the store's thread

    def _claim(self, places, done):
        ids, channels = [place[0] for place in places], [place[1] for place in places]

        def claimed(rows, error):
            found = {}
            if error is not None:  # it may have been done: then others wait for this process, which need not ask again
                for place in places:
                    self.of(*place).unsettled = True
            for client_id, key, channel, fence, number, own, node in rows or ():
                reading = self.of(client_id, channel)
                # One between, of which this process knows nothing, was its own, with an outcome that is unknown. Of two
                # the first may have been another's.
                own = own and fence - reading.last_fence <= 2
                reading.last_fence = fence
                found[client_id, channel] = key, fence, number, own, node
            done({place: found.get(place) for place in places}, error)

        self._own.start(claimed, rows_of, statements.CLAIM, self._own.node, LEASE, ids, channels)

    def _fetch(self, places, done):
        columns = columns_of(places)

        def fetched(rows, error):
            found = {place: [] for place in places}
            for at, number, kind, when, data in rows or ():
                place = places[at - 1]
                found[place].append((number, Message(place[1], kind, when, data)))
            done(found, error)

        self._own.start(fetched, rows_of, statements.MESSAGES, *columns, FETCH)

    def _release(self):
        if self._giving or not self._given_back:
            return
        self._own.usable()
        given, self._given_back = self._given_back, []
        columns = columns_of(given)

        def released(rows, error):
            self._giving = []
            if error is not None:  # the keeper has it done again
                self._given_back += given
            else:
                with suppress(StoreError):  # it is closed, and leaves
                    self._release()

        self._giving = given
        self._own.start(released, rows_of, statements.RELEASE, *columns)

