"""A client as the application sees it: `Connection`, one for an id for ever.

While a TCP connection is there, the `Carrier` moves frames between it and the
session. For as long as the server lives one task alone uses the store: it
moves received lines into it and only then accepts them, takes lines out for
readers, puts the lines of writers in, and clears acknowledged ones. Neither the end of a connection nor the
cancellation of a reader or writer interrupts it, so that no line is stored
twice, and none is lost on the way. (A store that is `immediate` cannot be
interrupted: readers and writers use it themselves.)
"""

import asyncio
from collections import namedtuple

from primitives.broadcast import Broadcast
from primitives.platform import ticks_diff, ticks_ms
from primitives.task_flag import TaskFlag
from primitives.timeout import wait_limit
from protocol.errors import RemoteProtocolError, StoreError
from protocol.limits import MAX_LINE
from protocol.lines import NUMBERS, encode_line
from protocol.server_session import ServerSession
from server.core.carrier import Carrier
from server.core.line_reader import LineReader, Lines, readable
from server.core.resuming import Resuming

# What the server knew when it gave a WELCOME: the number of it, of this client; the owner in the store; the epoch told.
_Welcome = namedtuple("_Welcome", ("serial", "owner", "epoch"))


class Connection:
    def __init__(self, client_id, registry):
        self.client_id = client_id
        self.nconns = 0  # connections so far
        self.max_line = MAX_LINE  # bytes of the longest line that the client takes: what it said last to this process
        self._registry = registry
        self.close_all = registry.close_all  # of its own Server; Connection.close_all is that of the process
        self._store = None
        self._state = None  # ClientState: what the store gave us
        self._session = None
        self._welcomes = 0  # WELCOMEs given, proven or not
        self._attached = 0  # serial number of the one of the connection attached last
        self._written = 0  # numbered lines ever put into the store here
        self._old = 0  # lines that were in the outbox when the state was claimed
        self._base = 0  # what the store was told last
        self._unstored = None  # line (bytes) of a writer, to be put into the store
        self._writers = []  # calls of write that wait for a place, in order
        self._reading = LineReader(client_id)
        self._changed = Broadcast()
        self._storing = TaskFlag()
        self._resuming = Resuming(client_id, registry.events, self._storing)
        self.pace = self._resuming.pace
        self._carrier = Carrier(self._changed, self._storing, self._answer)
        self._loading = asyncio.Lock()
        self._task = None
        self.fault = None  # exception that ended the storing task

    # For the application

    def status(self):
        """True while the client is connected."""
        return self._carrier.up

    def __call__(self):
        return self.status()

    async def wait_connected(self):
        """Return when the client is connected."""
        while not self.status():
            await self._changed.wait()

    def __await__(self):
        return self.wait_connected().__await__()

    def __iter__(self):  # MicroPython awaits through __iter__
        return self.wait_connected()

    def __getitem__(self, client_id):
        """The Connection of another client. Raises KeyError if there is none."""
        return self._registry[client_id]

    async def readline(self, timeout_ms=None):
        """The client's next line, str with its newline. Waits through outages.

        It has left the store for good then; `lines` is for those who want it again if they die with it.

        timeout_ms: as AppBase.readline: under MicroPython asyncio.wait_for may lose a line.
        Like `write` with qos it claims the state of a client that has not yet connected in the store.
        Raises: StoreError; asyncio.TimeoutError; ValueError; LocalProtocolError if the lines are another reader's.
        """
        limit = wait_limit(timeout_ms)
        reading = self._reading
        self._registry.admit_reader(self.client_id)
        await self._loaded()
        reading.readers += 1
        try:
            await self._read_directly()
            while not reading.taken:
                await self._changed.wait(limit)
                await self._loaded()
                await self._read_directly()
        finally:
            reading.readers -= 1
            self._storing.set()  # there is room for a line more, or one to give back
        line = self.text_of(reading.taken[0])  # what cannot be made now stays, and goes back into the store
        reading.taken.pop(0)
        return line

    def text_of(self, data):
        """Returns the line (str with its newline) of bytes from the store. Raises: nothing but MemoryError."""
        text, fault = readable(data)
        if fault:
            self._registry.events.tell("line_mended", self.client_id, fault=fault)
        return text

    def lines(self, commit="after", ahead=0):
        """An async iterator over the client's lines: see `Lines` in line_reader.py."""
        return Lines(self, commit, ahead)

    async def next_after(self, done, ahead, start=0, reader=None):
        """For Lines, and readers like it. done: (store, number) of the line that the application is done with, or None.
        Returns (store, number, bytes) of the first that it is not done with and that is not before `start`."""
        self._registry.admit_reader(self.client_id, reader)
        reading = self._reading
        await self._loaded()
        if done is not None:
            await self.done_with(done, ahead)
        while True:
            store = self._store
            found = await store.look(self.client_id, self._state.owner, max(reading.finished, start))
            if found:
                return store, found[0], found[1]
            await self._changed.wait()
            await self._loaded()

    async def done_with(self, done, ahead):
        """Note that the reader is done with the line (store, number), and those before. Returns when all but `ahead` of
        them have left the store."""
        if done[0] is self._store:
            self._reading.finish(done[1])
            await self._read_directly()
            while self._reading.unsafe > ahead:
                await self._changed.wait()
                await self._loaded()

    async def _read_directly(self):
        """An immediate store does in the reader's own step what it wants done; another one is asked to."""
        if self._store.immediate:
            await self._directly(self._reading.step())
        self._storing.set()

    async def write(self, line, qos=True, wait=True):
        """Send a line to the client; a newline is added if there is none.

        Args: as AppBase.write. With qos, a line for an absent client waits in the store; without,
            it is lost unless the client is connected, and the call returns as soon as it is not.

        Lines have the order of the calls. Cancelling a call once its line has its place does not take the line back.
        Raises: TypeError, ValueError for a bad line, or one that is longer than the client takes, as far as that is
        known; StoreError: the store has failed, and may or may not have it.
        """
        data = encode_line(line, self.max_line)
        ticket = object()  # the locks and events of MicroPython do not keep the order of those who wait
        self._writers.append(ticket)
        try:
            if not qos:
                await self._write_unnumbered(ticket, data)
                return
            session, count = await self._write_numbered(ticket, data)
        finally:
            self._writers.remove(ticket)
            if self._writers:
                self._changed.pulse()
        while wait and session.acknowledged < count:
            await self._changed.wait()
            self._raise_fault(session)

    def _is_next(self, ticket):
        """True if every call of `write` before this one has its place, that of a cancelled one included."""
        return self._writers[0] is ticket and self._unstored is None

    async def _write_numbered(self, ticket, data):
        """Have the store take a line. Returns the session, and how many of its lines are acknowledged with this one."""
        await self._loaded()
        while not (self._is_next(ticket) and self._store.outbox_room(self.client_id, len(data))):
            await self._changed.wait()
            await self._loaded()
        session = self._session
        count = self._old + self._written + 1
        self._unstored = data
        if self._store.immediate:
            await self._directly(self._store_written())
        self._storing.set()
        while self._old + self._written < count:
            await self._changed.wait()
            self._raise_fault(session)
        return session, count

    async def _write_unnumbered(self, ticket, data):
        """Queue a line, unless the client is or becomes absent."""
        while self.status() and not (self._is_next(ticket) and self._carrier.takes(len(data))):
            await self._changed.wait()
        if self.status():
            self._carrier.add(data, False)
            self._carrier.wake()

    def _raise_fault(self, session):
        if self.fault:
            raise self.fault
        if self._session is not session:
            raise StoreError("the server has begun anew, after another one or with another store")

    @property
    def traffic(self):
        """What the connections have carried: a Traffic."""
        return self._carrier.traffic

    @property
    def wire_bytes(self):
        """(received, sent) on all TCP connections so far."""
        traffic, now = self._carrier.traffic, self._carrier.transport
        return traffic.bytes_received + (now.received if now else 0), traffic.bytes_sent + (now.sent if now else 0)

    async def discard(self):
        """Forget the lines to the client that it has not acknowledged: it will never get them. Returns how many it was.

        Calls of write that wait for one of them raise StoreError. A connected client is disconnected, and resumes.
        """
        await self._loaded()
        async with self._loading:
            self._task.cancel()
            self.disconnect()
            try:
                state, count = await self._store.discard(self.client_id, self._state.owner)
            except Exception as error:  # a store's errors are its own
                self._fail(error)
                raise self.fault
            self._begin(self._store, state)
        self._registry.events.tell("discarded", self.client_id, lines=count)
        return count

    async def away(self, seconds):
        """Note for how long lines have waited for the client: see retention.py."""
        await self._loaded()
        await self._store.away(self.client_id, self._state.owner, seconds)

    @property
    def state(self):
        """What the store gave us, for adapters: None before `load`."""
        return self._state

    def note(self, text, at_once=False):
        """Have the store keep a note, as its method of this name does. For adapters."""
        self._store.note(self.client_id, self._state.owner, text, at_once)

    # State

    async def load(self, store, owner=0):
        """Take this client's state from the store, once; and again after a failure, or if `owner`,
        seen in the store, has come after us: another server. Raises: StoreError."""
        async with self._loading:
            if self._store is not store or self.fault or self._state.owner < owner:
                try:
                    state = await store.claim(self.client_id)
                except Exception as error:  # a store's errors are its own
                    raise StoreError("the store failed: %s" % error)
                self._begin(store, state)

    def _begin(self, store, state):
        session = ServerSession(ticks_diff)
        session.restore(state.peer_epoch, state.next_number, state.base, state.outbox)
        self._carrier.begin(session)
        self._old = len(state.outbox)
        self._written = 0
        self._unstored = None
        self._base = state.base
        self._reading.begin(store, state)
        self._resuming.begin(store)
        self._store = store
        self._state = state
        self._session = session
        self.fault = None
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.create_task(self._keep_storing())
        self._storing.set()
        self._changed.pulse()

    async def _loaded(self):
        """Return when the state is here: an application may use a client that has not connected yet."""
        while self._session is None:
            store = self._registry.store
            if store is None:
                await self._registry.changed.wait()
            else:
                await self.load(store)
        if self.fault:
            raise self.fault

    # The storing task

    async def _keep_storing(self):
        try:
            while True:
                await self._storing.wait()
                while await self._store_some():
                    self._changed.pulse()
        except Exception as error:  # a store's errors are its own
            self._fail(error)

    async def _directly(self, operation):
        """Have an immediate store do something for a reader or writer. Raises: StoreError."""
        try:
            await operation
        except Exception as error:  # as above
            self._fail(error)
            raise self.fault

    def _fail(self, error):
        """Note that the store has failed: no acknowledgement leaves any more, until `load` succeeds again."""
        self.fault = StoreError("the store failed: %s" % error)
        self._registry.events.tell("store_failed", self.client_id, error=str(error))
        self.disconnect()
        self._changed.pulse()

    async def _store_some(self):
        """Do once what there is to do. Returns True if there was something."""
        if self._session.asked and not self.pace.left_ms():
            return await self._realign()
        if self._resuming.wants:
            return await self._resuming.note_run(self._state)
        steps = []
        if self._session.lines and self._store.inbox_room(self.client_id):
            steps.append(self._store_received)
        if self._session.base != self._base:
            steps.append(self._store_acknowledged)
        if self._unstored is not None:
            steps.append(self._store_written)
        if not self._store.immediate and self._reading.wants:
            steps.append(self._reading.step)
        return bool(steps) and True in await self._store.together(steps)

    async def _realign(self):
        self._carrier.answered(await self._resuming.realign(self._state, self._session, self._acknowledged_until))
        return True

    async def _store_received(self):
        session = self._session
        lines, ack = session.lines[:], session.expected
        await self._store.receive(self.client_id, self._state.owner, session.peer_epoch, ack, lines)
        session.accept(len(lines), ticks_ms())
        self._carrier.wake()
        self._registry.events.tell("received", self.client_id, lines=lines)
        self._resuming.moved()
        return True

    async def _store_acknowledged(self):
        base = self._session.base
        await self._store.acknowledge(self.client_id, self._state.owner, base)
        self._acknowledged_until(base)
        self._resuming.moved()
        return True

    def _acknowledged_until(self, base):
        self._registry.events.tell("acknowledged", self.client_id, count=(base - self._base) & NUMBERS)
        self._base = base

    async def _store_written(self):
        await self._store.put(self.client_id, self._state.owner, self._unstored)
        self._carrier.add(self._unstored, True)
        self._carrier.wake()
        self._written += 1
        self._unstored = None
        return True

    def settled(self):
        """True if no line is on its way between the store and the application."""
        return self._session is None or self.fault or self._reading.settled

    def look_again(self):
        """Look again whether the store has room."""
        self._storing.set()
        self._changed.pulse()

    # TCP connections

    async def welcome(self, store):
        """Returns the Welcome for somebody who has not proved to be this client. Raises: StoreError."""
        try:
            owner, epoch = await store.peek(self.client_id)
        except Exception as error:  # a store's errors are its own
            raise StoreError("the store failed: %s" % error)
        self._welcomes += 1
        return _Welcome(self._welcomes, owner, epoch)

    def _answer(self):
        """The client has sent its RESUME. The store, which may be slow, is not asked if nothing is to be put right."""
        self._carrier.admit_all()
        return self._resuming.answer(self._state, self._session)

    def attach(self, transport, responder, welcome):
        """Have an authenticated connection take over from whatever there was. Call `load` first.

        A client has one handshake at a time, so of two proofs the later
        WELCOME has the later one: docs/protocol.md section 5.

        Raises: RemoteProtocolError for a proof that was overtaken; StoreError
        if the store has failed or was replaced since `welcome`.
        """
        if welcome.serial < self._attached:
            raise RemoteProtocolError("late proof of an earlier handshake")
        if self.fault:
            raise self.fault
        if self._state.epoch != welcome.epoch:
            raise StoreError("the store has another epoch than WELCOME told")
        self._attached = welcome.serial
        self.nconns += 1
        self._resuming.attach(transport, welcome.epoch, responder.peer_epoch)
        held = self._carrier.attach(transport, responder)
        self.max_line = responder.peer_max_line
        if held:  # the client took longer ones before its restart, or what it takes was not known
            self._registry.events.tell("line_held", self.client_id, bytes=held, longest=self.max_line)

    def disconnect(self):
        """End the present TCP connection, if there is one."""
        self._carrier.disconnect()

    def finish(self):
        """End the present TCP connection in order: the client gets what was for it, and knows of the end at once."""
        self._carrier.finish()

    async def serve(self, transport):
        """Serve the attached transport until it ends. Raises why, unless it was closed here."""
        try:
            await self._carrier.serve(transport)
        finally:
            self._resuming.ended(transport)
