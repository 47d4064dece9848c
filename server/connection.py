"""A client as the application sees it: `Connection`, one object for an id for
ever, whatever becomes of its TCP connections.

Three tasks serve it. While a TCP connection is there: one reads frames into
the session, one writes what the session has to say. And for as long as the
server lives, one stores: it moves received lines into the store and only then
accepts them, and clears acknowledged lines from the store. It is never
cancelled half-way, so a line is never stored twice.
"""

import asyncio

from primitives.broadcast import Broadcast
from primitives.platform import Flag, ticks_diff, ticks_ms, wait_for_ms
from protocol.errors import RemoteProtocolError
from protocol.limits import SEND_BYTES
from protocol.lines import decode_line, encode_line
from protocol.receiver import Receiver
from protocol.sender import Sender
from protocol.session import OPEN, Session

_MAX_WAIT_MS = 1000  # bound on how long the writing task sleeps


class Connection:
    def __init__(self, client_id, registry):
        self.client_id = client_id
        self.nconns = 0  # connections so far
        self._registry = registry
        self._store = None
        self._state = None  # ClientState: what the store gave us
        self._session = None
        self._transport = None
        self._queue = []  # (bytes, numbered): in the store or qos 0, not yet in the session
        self._queued = 0  # bytes of the qos 0 lines in it
        self._written = 0  # numbered lines ever put into the store here
        self._old = 0  # lines that were in the outbox when the state was claimed
        self._base = 0  # what the store was told last
        self._changed = Broadcast()
        self._out = Flag()
        self._storing = Flag()
        self._loading = asyncio.Lock()
        self._write_order = asyncio.Lock()
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

    async def readline(self):
        """The client's next line, str with its newline. Waits through outages.

        Raises: StoreError if the store failed.
        """
        while True:
            await self._loaded()
            line = await self._store.take(self.client_id)
            if line is not None:
                self._storing.set()  # there may be room for more now
                return decode_line(line)
            await self._changed.wait()

    async def write(self, line, qos=True, wait=True):
        """Send a line to the client; a newline is added if there is none.

        Args: as AppBase.write. With qos, a line for an absent client waits in
            the store; without, it is lost unless the client is connected.
        Raises: TypeError, ValueError for a bad line; StoreError.
        """
        data = encode_line(line)
        if not qos:
            await self._write_unnumbered(data)
            return
        async with self._write_order:
            await self._loaded()
            while not self._store.outbox_room(self.client_id, len(data)):
                await self._changed.wait()
                await self._loaded()
            await self._store.put(self.client_id, self._state.owner, data)
            self._queue.append((data, True))
            self._written += 1
            target = self._old + self._written
        self._out.set()
        while wait and self._session.sender.acknowledged < target:
            await self._changed.wait()
            await self._loaded()

    async def _write_unnumbered(self, data):
        async with self._write_order:
            while self.status() and self._queued and self._queued + len(data) > SEND_BYTES:
                await self._changed.wait()
            if self.status():
                self._queue.append((data, False))
                self._queued += len(data)
                self._out.set()

    @classmethod
    def close_all(cls):
        """Close the TCP connections of all clients. They may come back."""
        cls.registry.close_all()

    # State

    async def load(self, store):
        """Take this client's state from the store, once; returns the server's epoch."""
        async with self._loading:
            if self._store is not store:
                self._session = None
                await self._take_over(store)
        return self._state.epoch

    async def _take_over(self, store):
        state = await store.claim(self.client_id)
        session = Session(Sender(), Receiver(), ticks_diff)
        session.peer_epoch = state.peer_epoch
        session.receiver.start_at(state.next_number)
        session.sender.start_at(state.base)
        self._queue = [(line, True) for line in state.outbox]
        self._old = len(state.outbox)
        self._written = 0
        self._base = state.base
        self._store = store
        self._state = state
        self._session = session
        self.fault = None
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.create_task(self._keep_storing())
        self._changed.pulse()

    async def _loaded(self):
        while self._session is None:
            await self._changed.wait()
        if self.fault:
            raise self.fault

    # The storing task

    async def _keep_storing(self):
        try:
            while True:
                await self._storing.wait()
                while await self._store_some():
                    pass
        except Exception as error:  # the store failed: no acknowledgement leaves any more
            self.fault = error
            print("server: %s: store failed: %s" % (self.client_id, error))
            self.disconnect()
            self._changed.pulse()

    async def _store_some(self):
        """Store what has been received and what has been acknowledged. True if there was something."""
        session, state = self._session, self._state
        count = len(session.receiver.lines)
        if count and self._store.inbox_room(self.client_id):
            lines = session.receiver.lines[:count]
            await self._store.receive(
                self.client_id,
                state.owner,
                session.peer_epoch,
                session.receiver.ack_after(count),
                lines,
            )
            session.accepted(count, ticks_ms())
        else:
            count = 0
        base = session.sender.base
        if base != self._base:
            await self._store.acknowledge(self.client_id, state.owner, base)
            self._base = base
            count += 1
        if count:
            self._out.set()
            self._changed.pulse()
        return count > 0

    # TCP connections

    def attach(self, transport, responder):
        """An authenticated connection takes over from whatever there was."""
        self.disconnect()
        self._transport = transport
        self.nconns += 1
        self._session.attach(
            responder.channel, responder.peer_epoch, responder.peer_max_frame
        )
        self._out.set()

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
        self._out.set()

    async def serve(self, transport):
        """Serve the attached transport until it ends. Raises why it did."""
        writing = asyncio.create_task(self._send(transport))
        try:
            await self._receive(transport)
        finally:
            writing.cancel()
            if self._transport is transport:
                self.disconnect()

    async def _receive(self, transport):
        while self._transport is transport:
            frames = await transport.receive()
            if self._transport is not transport:
                return
            for frame in frames:
                fault = self._session.receive(frame, ticks_ms())
                if fault:
                    raise RemoteProtocolError(fault)
            transport.check()
            self._storing.set()
            self._out.set()
            self._changed.pulse()

    async def _send(self, transport):
        try:
            while self._transport is transport:
                await self._send_frames(transport)
                await transport.keep_alive()
                try:
                    await wait_for_ms(self._out.wait(), self._wait_ms(transport))
                except asyncio.TimeoutError:
                    pass
        except (OSError, RemoteProtocolError) as error:
            self._registry.log("! %s: %s" % (self.client_id, error))
            if self._transport is transport:
                self.disconnect()

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
