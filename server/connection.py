"""A client as the application sees it: `Connection`, one for an id for ever.

Three tasks serve it. While a TCP connection is there: one reads frames into the session, one writes what the session
has to say. And for as long as the server lives, one alone uses the store: it moves received lines into it and only
then accepts them, takes lines out for readers, puts the lines of writers in, and clears acknowledged ones. Neither the
end of a connection nor the cancellation of a reader or writer interrupts it, so that no line is stored twice, and none
is lost on the way. (A store that is `immediate` cannot be interrupted: readers and writers use it themselves.)
"""

import asyncio

from primitives.broadcast import Broadcast
from primitives.platform import ticks_diff, ticks_ms, wait_for_ms
from primitives.supervisor import Supervisor
from primitives.task_flag import TaskFlag
from primitives.timeout import Timeout
from primitives.wait_limit import wait_limit
from protocol.errors import RemoteProtocolError, StoreError
from protocol.limits import HANDSHAKE_MS, SEND_BYTES
from protocol.lines import decode_line, encode_line
from protocol.receiver import Receiver
from protocol.sender import Sender
from protocol.session import OPEN, RESUMING, Session
from server.reading import Lines, Reading
from server.welcome import Welcome

_MAX_WAIT_MS = 60000  # bound on how long the writing task sleeps; an idle client wakes it for keepalives only


class Connection:
    def __init__(self, client_id, registry):
        self.client_id = client_id
        self.nconns = 0  # connections so far
        self._registry = registry
        self._store = None
        self._state = None  # ClientState: what the store gave us
        self._session = None
        self._transport = None
        self._welcomes = 0  # WELCOMEs given, proven or not
        self._attached = 0  # serial number of the one of the connection attached last
        self._queue = []  # (bytes, numbered): in the store or qos 0, not yet in the session
        self._queued = 0  # bytes of the qos 0 lines in it
        self._written = 0  # numbered lines ever put into the store here
        self._old = 0  # lines that were in the outbox when the state was claimed
        self._base = 0  # what the store was told last
        self._unstored = None  # line (bytes) of a writer, to be put into the store
        self._writers = []  # calls of write that wait for a place, in order
        self._reading = Reading(client_id)
        self._changed = Broadcast()
        self._storing = TaskFlag()
        self._loading = asyncio.Lock()
        self._task = None
        self.fault = None  # exception that ended the storing task

    # For the application

    def status(self):
        """True while the client is connected."""
        return self._transport is not None and self._session.state == OPEN

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
        return decode_line(reading.taken.pop(0))

    def lines(self, commit="after", ahead=0):
        """An async iterator over the client's lines: see `Lines` in reading.py."""
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
        """The reader is done with the line (store, number), and those before. Returns when all but `ahead` of them
        have left the store."""
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
        Raises: TypeError, ValueError for a bad line; StoreError: the store has failed, and may or may not have it.
        """
        data = encode_line(line)
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
        while wait and session.sender.acknowledged < count:
            await self._changed.wait()
            self._check(session)

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
            self._check(session)
        return session, count

    async def _write_unnumbered(self, ticket, data):
        """Queue a line, unless the client is or becomes absent."""
        while self.status() and not (self._is_next(ticket) and self._queue_takes(len(data))):
            await self._changed.wait()
        if self.status():
            self._queue.append((data, False))
            self._queued += len(data)
            self._transport.wake.set()

    def _queue_takes(self, size):
        return not self._queued or self._queued + size <= SEND_BYTES

    def _check(self, session):
        if self.fault:
            raise self.fault
        if self._session is not session:
            raise StoreError("the server has begun anew, after another one or with another store")

    @classmethod
    def close_all(cls):
        """Close the TCP connections of all clients. They may come back."""
        cls.registry.close_all()

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
        self.disconnect()
        session = Session(Sender(), Receiver(), ticks_diff)
        session.peer_epoch = state.peer_epoch
        session.receiver.start_at(state.next_number)
        session.sender.start_at(state.base)
        for line in state.outbox:  # all at once: RESUME may acknowledge any number of them
            session.sender.append(line, True)
        self._queue = []
        self._old = len(state.outbox)
        self._written = 0
        self._unstored = None
        self._base = state.base
        self._reading.begin(store, state)
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
            if await operation:
                self._wake_sender()
        except Exception as error:  # as above
            self._fail(error)
            raise self.fault

    def _fail(self, error):
        """The store has failed: no acknowledgement leaves any more, until `load` succeeds again."""
        self.fault = StoreError("the store failed: %s" % error)
        self._registry.say("%s: %s" % (self.client_id, self.fault))
        self._registry.tell("store_failed", self.client_id, error=str(error))
        self.disconnect()
        self._changed.pulse()

    async def _store_some(self):
        """Do once what there is to do. Returns True if there was something."""
        steps = []
        if self._session.receiver.lines and self._store.inbox_room(self.client_id):
            steps.append(self._store_received)
        if self._session.sender.base != self._base:
            steps.append(self._store_acknowledged)
        if self._unstored is not None:
            steps.append(self._store_written)
        if not self._store.immediate:
            steps.append(self._reading.step)
        done = True in await self._store.together(steps)
        if done:
            self._wake_sender()
        return done

    async def _store_received(self):
        session = self._session
        lines = session.receiver.lines[:]
        ack = session.receiver.ack_after(len(lines))
        await self._store.receive(self.client_id, self._state.owner, session.peer_epoch, ack, lines)
        session.accepted(len(lines), ticks_ms())
        self._registry.tell("received", self.client_id, lines=lines)
        return True

    async def _store_acknowledged(self):
        base = self._session.sender.base
        await self._store.acknowledge(self.client_id, self._state.owner, base)
        self._registry.tell("acknowledged", self.client_id, count=(base - self._base) & 0xFFFF)
        self._base = base
        return True

    async def _store_written(self):
        await self._store.put(self.client_id, self._state.owner, self._unstored)
        self._queue.append((self._unstored, True))
        self._written += 1
        self._unstored = None
        return True

    def settled(self):
        """True if no line is on its way between the store and the application."""
        return self._session is None or self.fault or self._reading.settled

    def look_again(self):
        """The store may have room that it did not have."""
        self._storing.set()
        self._changed.pulse()

    def _wake_sender(self):
        if self._transport is not None:
            self._transport.wake.set()

    # TCP connections

    async def welcome(self, store):
        """Returns the Welcome for somebody who has not proved to be this client. Raises: StoreError."""
        try:
            owner, epoch = await store.peek(self.client_id)
        except Exception as error:  # a store's errors are its own
            raise StoreError("the store failed: %s" % error)
        self._welcomes += 1
        return Welcome(self._welcomes, owner, epoch)

    def attach(self, transport, responder, welcome):
        """An authenticated connection takes over from whatever there was. Call `load` first.

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
        self.disconnect()
        self._attached = welcome.serial
        self._transport = transport
        self.nconns += 1
        self._session.attach(responder.channel, responder.peer_epoch, responder.peer_max_frame)

    def disconnect(self):
        """End the present TCP connection, if there is one."""
        if self._transport is None:
            return
        self._transport.close()
        self._transport = None
        self._session.detach()
        self._queue = [entry for entry in self._queue if entry[1]]
        self._queued = 0
        self._changed.pulse()

    async def serve(self, transport):
        """Serve the attached transport until it ends. Raises why, unless it was closed here."""
        tasks = Supervisor(transport.close)
        running = (tasks.start(self._receive(transport)), tasks.start(self._send(transport)))
        try:
            await transport.wait_ended()
        finally:
            for task in running:
                task.cancel()
            if self._transport is transport:
                self.disconnect()
        if tasks.fault:
            raise tasks.fault

    async def _receive(self, transport):
        while self._transport is transport:
            frames = await transport.receive()
            if self._transport is not transport:
                return
            heard = False
            for frame in frames:
                heard = True
                fault = self._session.receive(frame, ticks_ms())
                if fault:
                    raise RemoteProtocolError(fault)
            transport.check()
            if heard:  # a keepalive wakes nobody
                self._storing.set()
                transport.wake.set()
                self._changed.pulse()

    async def _send(self, transport):
        resuming = Timeout(HANDSHAKE_MS)
        while self._transport is transport:
            await self._send_frames(transport)
            await transport.keep_alive()
            wait = self._wait_ms(transport)
            if self._session.state == RESUMING:
                if resuming.expired():
                    raise RemoteProtocolError("no RESUME in %d ms" % resuming.ms)
                wait = min(wait, resuming.left())
            try:
                await wait_for_ms(transport.wake.wait(), wait)
            except asyncio.TimeoutError:
                pass

    async def _send_frames(self, transport):
        while self._transport is transport:
            self._fill_session()
            now = ticks_ms()
            fault = self._session.fault(now)
            if fault:
                raise RemoteProtocolError(fault)
            end = self._session.encode_into(transport.buffer, 0, now)
            if end == 0:
                return
            await transport.send(end)

    def _fill_session(self):
        sender = self._session.sender
        while self._queue and sender.room_for(len(self._queue[0][0])):
            data, numbered = self._queue.pop(0)
            sender.append(data, numbered)
            if not numbered:
                self._queued -= len(data)
                self._changed.pulse()

    def _wait_ms(self, transport):
        timeout = self._session.next_timeout(ticks_ms())
        wait = min(transport.wait_ms, _MAX_WAIT_MS)
        return wait if timeout is None else min(wait, timeout)
