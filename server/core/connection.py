"""`Connection`: a client as the application sees it. An id has one Connection for the life of the process.

While there is a TCP connection, the `Carrier` moves frames between it and the
session. One task alone uses the store, for as long as the server runs. It
stores received lines and only then accepts them. It takes lines out for
readers, stores the lines of writers, and removes acknowledged ones. Neither the
end of a connection nor the cancellation of a reader or writer interrupts it. So
no line is stored twice, and none is lost on the way. (A store that is
`immediate` cannot be interrupted: readers and writers use it directly.)
"""

import asyncio

from primitives.platform import ticks_diff, ticks_ms
from primitives.task_flag import TaskFlag
from primitives.timeout import wait_limit
from protocol.errors import StoreError
from protocol.limits import MAX_LINE
from protocol.lines import NUMBERS, encode_line
from protocol.server_session import ServerSession
from server.core.cancellation import cancellations
from server.core.carrier import Carrier
from server.core.channels import ClientChannels
from server.core.inbox import Inbox, Use
from server.core.line_reader import AHEAD, Messages, readable
from server.core.lives import Lives
from server.core.message import Message
from server.core.notes import Notes
from server.core.outgoing import Calls
from server.core.ownership import Ownership
from server.core.resuming import Resuming
from server.core.store import TakenOver
from server.core.turns import Changes, Counted, Turns


class Connection(Calls):
    def __init__(self, client_id, registry):
        self.client_id = client_id
        self.nconns = 0  # connections so far
        self.notes = None  # Notes of adapters. None before `load`
        self.max_line = MAX_LINE  # bytes of the longest line that the client takes, as it last told this process
        self._registry = registry
        self.close_all = registry.close_all  # for its own Server; Connection.close_all is for that of the process
        self._store = None
        self._state = None  # ClientState, as the store returned it
        self._session = None
        self._written = 0  # numbered lines ever put into the store here
        self._old = 0  # lines that were in the outbox when the state was claimed
        self._base = 0  # the base that the store was told last
        self._unstored = None  # line (bytes) of a writer, to be put into the store
        self.turns = self._writers = Turns()  # calls of `write` that wait for a place
        self._unacknowledged = Counted()  # calls of `write` that wait for the client's acknowledgement
        self._changed = Changes(self._wake_writers)
        self._storing = TaskFlag()
        self._use = Use(client_id, self._changed, self._storing, self._loaded, self._directly, registry)
        self.inbox = Inbox(self._use)  # of the lines, for Lines
        self.done_with = self.inbox.done_with
        self._lives = Lives(client_id, registry.events, self._changed, self._loaded)
        self._resuming = Resuming(client_id, registry.events, self._storing, self._lives.met)
        self.pace = self._resuming.pace
        self._carrier = Carrier(self._changed, self._storing, self._answer, lambda: self._channels.arrived())
        self.wake, self.finish = self._carrier.wake, self._carrier.finish
        self._channels = ClientChannels(self._use, self, registry)
        self._ownership = Ownership(client_id, self._fail)
        self.welcome = self._ownership.welcome
        self._shared = None  # Shared, if the store has `others`
        self._loading = asyncio.Lock()
        self._task = None
        self.fault = None  # exception that ended the storing task
        self.was_read = False  # an application or gateway has asked for lines

    # For the application

    def status(self):
        """True while the client is connected."""
        return self._carrier.up or self._shared is not None and self._shared.connected()

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

    @property
    def lives(self):
        """How many lives of the client the store has seen, each from one start of it to the next: see `Lives`."""
        return self._lives.count

    async def new_life(self, lives=None):
        """Returns `lives` when there has been another one than this (None: than now), as told before or stored."""
        return await self._lives.after(lives)

    def __getitem__(self, client_id):
        """Returns the Connection of another client. Raises KeyError if there is none."""
        return self._registry[client_id]

    async def readline(self, timeout_ms=None):
        """Returns the client's next line, a str with its newline. Waits through outages.

        The line has then left the store for good. Use `lines` if a line that is not yet processed must survive a crash.

        timeout_ms: as in AppBase.readline: under MicroPython asyncio.wait_for may lose a line.
        Unless several processes share the store, it claims the client's state in it, as `write` with qos does.
        Raises: StoreError; asyncio.TimeoutError; ValueError; LocalProtocolError if the lines are reserved for another.
        """
        limit = wait_limit(timeout_ms)
        self.admit_reader()
        return await self.inbox.take(limit, lambda _, message: self.text_of(message))

    def admit_reader(self, reader=None, channel=0):
        """Note that an application, or this reader, reads a channel. Raises: LocalProtocolError if it must not."""
        self._registry.readers.admit(self.client_id, reader, channel)
        self.was_read = self.was_read or not channel

    def text_of(self, message):
        """Returns the line, a str with its newline, for its Message from the store. Raises: only MemoryError."""
        text, fault = readable(message.data)
        if fault:
            self._registry.events.tell("line_mended", self.client_id, fault=fault)
        return text

    def lines(self, commit="after", ahead=AHEAD):
        """Returns an async iterator over the client's lines: see `Messages` in line_reader.py."""
        return Messages(self.readline, self._look, self.text_of, commit, ahead, self.inbox.abandon)

    def _look(self, done, ahead):
        """Coroutine: see Inbox.next_after. It is called for each line, so it makes none of its own."""
        self.admit_reader()
        return self.inbox.next_after(done, ahead)

    async def next_after(self, done, ahead, start=0, reader=None):
        """Returns (store, number, bytes) of the first line not yet processed, from number `start` on.

        Readers like Messages use it. done: (store, number) of the last line that was processed, or None."""
        self.admit_reader(reader)
        store, number, message = await self.inbox.next_after(done, ahead, start)
        return store, number, message.data

    async def write(self, line, qos=True, wait=True):
        """Send a line to the client; a newline is added if there is none.

        Args: as in AppBase.write. With qos, a line for an absent client waits in the store. Without qos, the line
            is lost unless the client is connected, and the call returns as soon as it is not connected.

        Lines keep the order of the calls. Cancelling a call does not withdraw a line that already has its place.
        Raises: TypeError, ValueError for a bad line, or for one that is known to be longer than the client takes;
        StoreError: the store has failed, and may or may not have the line.
        """
        message = Message(0, 0, 0, encode_line(line, self.max_line))
        ticket, letter = self._writers.enter(), None
        try:
            if not qos:
                await self._write_unnumbered(ticket, message.data)
                return
            if (shared := await self.shared()) is None:
                session, count = await self._write_numbered(ticket, message)
            else:
                stored, letter = await shared.put(ticket, message, wait, lambda: self._write_numbered(ticket, message))
                session, count = stored or (None, None)
        finally:
            self._writers.leave(ticket)
        if letter is not None and wait:
            await shared.accepted(letter)
        while wait and letter is None and session.acknowledged < count:
            await self._unacknowledged.wait(count)
            self._raise_fault(session)

    def _wake_writers(self):
        """Wake the writers that a change concerns. The first one waits for any change, as `_changed` tells it."""
        if self._session is not None:
            self._unacknowledged.reached(self._session.acknowledged)
        if not self.connected_here():
            self._writers.wake_short()
            self._channels.wake_writers()

    async def _write_numbered(self, ticket, message):
        """Put a line into the store. Returns the session, and its count of acknowledged lines once this one is."""
        await self._loaded()
        await self._writers.first(ticket)
        await self._loaded()
        while not self.has_room(message):
            await self._changed.wait()
            await self._loaded()
        session = self._session
        count = self._old + self._written + 1
        self._unstored = message.data
        if self._store.immediate:
            await self._directly(self._store_written())
        self._storing.set()
        while self._old + self._written < count:
            await self._changed.wait()
            self._raise_fault(session)
        return session, count

    async def _write_unnumbered(self, ticket, data):
        """Queue a line, unless the client is absent or disconnects."""
        await self._writers.first(ticket, self.connected_here)
        while self.connected_here() and not (self._unstored is None and self._carrier.takes(len(data))):
            await self._changed.wait()
        if self.connected_here():
            self.queue(data, False)
            self._carrier.wake()
        elif self._shared is not None:
            await self._shared.send(0, data)

    def _raise_fault(self, session):
        if self.fault:
            raise self.fault
        if self._session is not session:
            raise StoreError("the server has begun anew, after another one or with another store")

    async def _discard(self):
        async with self._loading:
            self._task.cancel()
            self.disconnect()
            try:
                state, count = await self._store.discard(self.client_id, self._state.owner)
            except (Exception, asyncio.CancelledError) as error:  # a store may raise any; cancelled, it may be done
                self._fail(error)
                raise error if isinstance(error, asyncio.CancelledError) else self.fault
            self._begin(self._store, state)
        self._registry.events.tell("discarded", self.client_id, lines=count)
        return count

    async def away(self, seconds):
        """Store for how long lines have waited for the client: see retention.py."""
        await self._loaded()
        await self._store.away(self.client_id, self._state.owner, seconds)

    # State

    async def load(self, store):
        """Claim this client's state in the store, once, and again after a failure. Raises: StoreError."""
        async with self._loading:
            if self._store is not store or self.fault:
                self._begin(store, await self._ownership.claim(store))

    async def admit(self, store, welcome):
        """The client has proved itself with this Welcome: own its state. The caller calls `attach` at once.

        Raises: LateProof; StoreError."""
        try:
            async with self._loading:
                state = await self._ownership.prove(store, welcome, self._store is store and not self.fault)
                if state is not None:
                    self._begin(store, state)
        finally:
            if self._shared is not None:
                self.seen()  # again: what was heard meanwhile did not count

    def taken_over(self, owner):
        """Another server has claimed this client as this owner: end its connection, readers and writers here at once.

        It is a hint, and may come late or twice: what this process has claimed since, or may be claiming, counts."""
        if self._session and not (self.fault or self._loading.locked()) and self._ownership.is_over(owner):
            self._task.cancel()
            self._fail(TakenOver("another owner has claimed " + self.client_id))  # what is under way may be done

    def _begin(self, store, state):
        if self._ownership.begin(store, state) and state.peer_epoch is not None:
            self._resuming.was_elsewhere(state.peer_epoch)
        session = ServerSession(ticks_diff)
        session.restore(state.peer_epoch, state.cursors[0], state.bases[0], state.lines)
        self._carrier.begin(session)
        self._old, self._written = len(state.lines), 0
        self._unstored = None
        self._base = state.bases[0]
        self._resuming.begin(store)
        self._store, self._state = self._use.store, self._use.state = store, state
        self.inbox.begin()
        self._channels.begin(session)
        self.notes = Notes(store, self.client_id, state)
        self._lives.begin(self.notes, state.peer_epoch)
        self._session = session
        self.fault = None
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.create_task(self._keep_storing())
        self.look_again()
        self._unacknowledged.wake_all()
        self.look_for_mail()

    async def _loaded(self):
        """Return when the state is loaded. An application may use a client that has not connected yet."""
        while self._session is None:
            store = self._registry.store
            if store is None:
                await self._registry.changed.wait()
            else:
                if self._shared is not None:
                    await self._shared.free()
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
        except (Exception, asyncio.CancelledError) as error:  # a store may raise any, also of what it waits for
            if isinstance(error, asyncio.CancelledError) and cancellations() != 0:
                raise
            self._fail(error)

    async def _directly(self, operation):
        """Perform an operation on an immediate store for a reader or writer. Raises: StoreError."""
        try:
            await operation
        except Exception as error:  # as above
            self._fail(error)
            raise self.fault

    def _fail(self, error):
        """Note that the store has failed, or another server has the client. Nothing is acknowledged before a claim."""
        if isinstance(error, TakenOver):
            if not isinstance(self.fault, TakenOver):
                self._registry.events.tell("taken_over", self.client_id)
            self.fault = error
        else:
            text = str(error) or type(error).__name__
            self.fault = StoreError("the store failed: " + text)
            self._registry.events.tell("store_failed", self.client_id, error=text)
        self.disconnect()
        self._unacknowledged.wake_all()
        self._changed.pulse()

    async def _store_some(self):
        """Do one pass of the storing work. Returns True if there was something to do."""
        if self._session.asked and not self.pace.left_ms():
            return await self._realign()
        if self._resuming.wants:
            return await self._resuming.note_run(self._state)
        steps = []
        if self._session.has_received():
            steps.append(self._store_received)
        if self._session.base != self._base:
            steps.append(self._store_acknowledged)
        if self._unstored is not None:
            steps.append(self._store_written)
        if not self._store.immediate and self.inbox.reader.wants:
            steps.append(self.inbox.reader.step)
        steps += self._channels.steps()
        return bool(steps) and True in await self._store.together(steps)

    async def _realign(self):
        self._carrier.answered(await self._resuming.realign(self._state, self._session, self._acknowledged_until))
        return True

    async def _store_received(self):
        session, state = self._session, self._state
        lines = session.lines[:] if self._store.inbox_room(self.client_id) else []
        received = self._channels.received()
        if not (lines or received):
            return False
        epoch, cursors = session.peer_epoch, state.cursors_with(0, session.expected if lines else session.ack)
        messages, expired = lines, None
        if received:
            cursors, expired = dict(cursors), {}
            messages = lines + self._channels.to_store(received, cursors, expired)
        if messages or state.would_move(epoch, cursors):
            # Before another life of the client, which may come during the next step.
            state.was_received(epoch, cursors, expired)
            await self._store.receive(self.client_id, state.owner, epoch, cursors, messages, expired)
        sooner = session.accept(len(lines), ticks_ms())
        self._channels.accept(received)
        if sooner or received:  # else the sending task knows already when to acknowledge
            self._carrier.wake()
        if lines:
            self._registry.events.tell("received", self.client_id, lines=lines)
        if messages:  # each connection of a client with a console brings something that is taken at once
            self._resuming.moved()
        return True

    async def _store_acknowledged(self):
        base = self._session.base
        await self._store.acknowledge(self.client_id, self._state.owner, {0: base})
        self._state.was_acknowledged({0: base})
        self._acknowledged_until(base)
        self._resuming.moved()
        return True

    def _acknowledged_until(self, base):
        self._registry.events.tell("acknowledged", self.client_id, count=(base - self._base) & NUMBERS)
        self._base = base

    async def _store_written(self):
        await self._store.put(self.client_id, self._state.owner, Message(0, 0, 0, self._unstored))
        self._state.was_put(0)
        self.queue(self._unstored, True)
        self._carrier.wake()
        self._written += 1
        self._unstored = None
        return True

    def settled(self):
        """True if no line is in transit between the store and the application."""
        return self._session is None or self.fault or self.inbox.reader.settled and self._channels.settled

    def look_again(self):
        """Check again whether the store has room."""
        self._storing.set()
        self._changed.pulse()

    # TCP connections

    def _answer(self):
        """Answer the client's RESUME. The store, which may be slow, is used only if something must be corrected."""
        self._carrier.admit_all()
        return self._resuming.answer(self._state, self._session)

    def attach(self, transport, responder, welcome):
        """Replace the present connection, if any, by an authenticated one. Call `admit` first.

        Raises: LateProof for a proof that a later one has overtaken; StoreError if the store has failed or was
        replaced since `welcome`.
        """
        self._ownership.attach(welcome)
        if self.fault:
            raise self.fault
        if self._state.epoch != welcome.epoch:
            raise StoreError("the store has another epoch than WELCOME told")
        self.nconns += 1
        self._resuming.attach(transport, welcome.epoch, responder.peer_epoch)
        held = self._carrier.attach(transport, responder)
        self.max_line = responder.peer_max_line
        if held:  # the client took longer ones before its restart, or its limit was not known
            self._registry.events.tell("line_held", self.client_id, bytes=held, longest=self.max_line)

    def disconnect(self):
        """End the present TCP connection, if there is one."""
        self._carrier.disconnect()

    async def serve(self, transport):
        """Serve the attached transport until it ends. Raises the cause, unless this side closed it."""
        try:
            await self._carrier.serve(transport)
        finally:
            self._resuming.ended(transport)
