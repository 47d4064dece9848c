"""Moves the frames of one client's session over the client's present TCP connection, if it has one.

Two tasks serve a connection. One reads frames into the session. The other one
writes the frames that the session has to send. The Ticker handles keepalives
and silence. This module does not use stores.
"""

import asyncio

from primitives.platform import ticks_ms
from primitives.supervisor import Supervisor
from primitives.waiting import ticks_add, wait_for_ms
from protocol.errors import RemoteProtocolError
from protocol.limits import ACK_DELAY_MS, SEND_BYTES
from protocol.session import OPEN
from server.core.clock import monotonic_ms
from server.core.traffic import Traffic


class Carrier:
    """The transport of one client's frames, over its present TCP connection.

    Args: changed: Broadcast, pulsed when something has changed; storing: TaskFlag, set when frames have arrived;
    answer: function () that is called when the client's RESUME has arrived, and that returns None or a fault; arrived:
    function () that is called when frames have arrived."""

    def __init__(self, changed, storing, answer, arrived):
        self.transport = None
        self.traffic = Traffic()
        self.queued = 0  # bytes of the qos 0 lines in the queue
        self._queue = []  # (bytes, numbered): in the store or qos 0, not yet in the session
        self._session = None
        self._changed = changed
        self._storing = storing
        self._answer = answer
        self._arrived = arrived

    def begin(self, session):
        """Carry another session from now on."""
        self.disconnect()
        self.traffic.begin()
        self._session = session
        self._queue = []

    @property
    def up(self):
        """True while lines can be transferred."""
        return self.transport is not None and self._session.state == OPEN

    def add(self, data, numbered):
        """Queue a line for the session."""
        self._queue.append((data, numbered))
        if not numbered:
            self.queued += len(data)

    def takes(self, size):
        """True if a line of qos 0 of this size may be added."""
        return not self.queued or self.queued + size <= SEND_BYTES

    def wake(self):
        """Check whether there is something to send."""
        if self.transport is not None:
            self.transport.wake.set()

    def admit_all(self):
        """Put all lines for the client into the session. A RESUME may acknowledge any of them."""
        while self._queue and self._queue[0][1]:
            self._session.append(*self._queue.pop(0))

    def attach(self, transport, responder):
        """Replace the present connection by an authenticated one.

        Returns the size in bytes of the longest waiting line that the client does not take, or 0."""
        self.disconnect()
        self.transport = transport
        frame, longest = responder.peer_max_frame, responder.peer_max_line
        held = self._session.attach(responder.seal, responder.peer_epoch, frame, ticks_ms(), longest)
        for data, _ in self._queue:
            if len(data) > longest:
                held = max(held, len(data))
        return held

    def answered(self, fault):
        """Continue after the client's RESUME was answered late. Do nothing if the client has disconnected."""
        if fault:
            self.disconnect()
        self._resumed()
        self.wake()
        self._changed.pulse()

    def _resumed(self):
        if self.up:
            self.traffic.resumed(self._session)

    def disconnect(self):
        """End the present connection, if there is one."""
        if self.transport is None:
            return
        self.transport.close()
        self.traffic.ended(self._session, self.transport)
        self.transport = None
        self._session.detach()
        self._queue = [entry for entry in self._queue if entry[1]]
        self.queued = 0
        self._changed.pulse()

    def finish(self):
        """End the present connection cleanly: send all that is due, delayed acknowledgements too, and then its end. The
        client goes to another server, if it has the address of one."""
        if self.transport is not None:
            later = ticks_add(ticks_ms(), ACK_DELAY_MS)
            while end := self._session.encode_into(self.transport.buffer, 0, later):
                self.transport.put_frame(end)
            if self.transport.takes_farewell and (end := self._session.encode_farewell(self.transport.buffer, 0)):
                self.transport.put_frame(end)
            self.transport.finish()

    async def serve(self, transport):
        """Serve the attached transport until it ends. Raises the cause, unless this side closed it."""
        tasks = Supervisor(transport.close)
        running = (tasks.start(self._receive(transport)), tasks.start(self._send(transport)))
        try:
            await transport.wait_ended()
        finally:
            for task in running:
                task.cancel()
            if self.transport is transport:
                self.disconnect()
        if tasks.fault or transport.fault:
            raise tasks.fault or transport.fault

    async def _receive(self, transport):
        while self.transport is transport:
            frames = await transport.receive()
            if self.transport is not transport:
                return
            session, heard = self._session, False
            before = session.state, session.acknowledged
            try:
                for frame in frames:
                    heard = True
                    fault = session.receive(frame, ticks_ms())
                    if not fault and session.asked:
                        fault = self._answer()
                        self._resumed()
                    if fault:
                        raise RemoteProtocolError(fault)
                transport.raise_fault()
            finally:
                if heard:  # a keepalive wakes no task; lines that came in front of a fault are received
                    self._arrived()
                    self._storing.set()
            if heard:
                self.traffic.acknowledged(session, monotonic_ms())
                transport.wake.set()
                if session.channels.used or before != (session.state, session.acknowledged):
                    self._changed.pulse()  # else lines have come, of which nobody is told before they are stored

    async def _send(self, transport):
        while self.transport is transport:
            await self._send_frames(transport)
            wait = self._session.next_timeout(ticks_ms())
            if wait is None:
                await transport.wake.wait()
                continue
            try:
                await wait_for_ms(transport.wake.wait(), wait)
            except asyncio.TimeoutError:
                pass

    async def _send_frames(self, transport):
        while self.transport is transport:
            self._fill_session()
            now = ticks_ms()
            fault = self._session.fault(now)
            if fault:
                raise RemoteProtocolError(fault)
            before = self._session.number
            end = self._session.encode_into(transport.buffer, 0, now)
            if end == 0:
                return
            self.traffic.sent(self._session, before, monotonic_ms())
            await transport.send(end)

    def _fill_session(self):
        session = self._session
        while self._queue and session.room_for(len(self._queue[0][0])):
            data, numbered = self._queue.pop(0)
            session.append(data, numbered)
            if not numbered:
                self.queued -= len(data)
                self._changed.pulse()
