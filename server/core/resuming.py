"""Answers the RESUMEs of one client. It first corrects the store if that does not continue what the client has seen.
This module does not use TCP."""

import asyncio

from primitives.platform import sleep_ms, ticks_ms
from server.core.history import Comparison, is_crowded
from server.core.pace import Pace
from server.core.rivals import Rivals

# Number of the client's epochs that this process remembers to have served: two boards with one id may alternate.
_MET = 4
# The reason of "same_id", which is for people.
SAME_ID = "two boards have this id and replace each other's connection: give one of them an id and a key of its own"


class Resuming:
    """Answers to one client's RESUMEs.

    storing: TaskFlag, set when `realign` is to answer a RESUME that had to wait; met: function (epoch) that is called
    for each session that is set up, with the client's epoch.
    """

    def __init__(self, client_id, events, storing, met):
        self.pace = Pace()
        self._rivals = Rivals()
        self._storing = storing
        self._on_session = met
        self._waking = None  # task that sets `storing` when the wait is over
        self._transport = None  # of the present connection
        self._client_id = client_id
        self._events = events
        self._store = None
        self._met = []  # epochs of the client
        self._welcomed = None  # our epoch as WELCOME told it on the present connection
        self._epoch = None  # of the client on it
        self._run = None  # name of the run that the client knew, or is told, to be noted in the store
        self._busy = False  # the store is being corrected
        self._said = None  # what a client with a diverged history remembered: it sends that again until it is answered

    def begin(self, store):
        """Begin with a newly claimed state, perhaps in another store."""
        self._run = None
        if store is not self._store:
            self._store = store
            self._met = []
            self._said = None

    def attach(self, transport, welcomed, epoch):
        self.ended(self._transport)
        self._transport = transport
        self.pace.begin(transport.may_wait)
        self._welcomed = welcomed
        self._epoch = epoch
        other = self._rivals.met(epoch, transport.peer)
        if other is not None:
            self._events.tell("same_id", self._client_id, peer=transport.peer, other=other, reason=SAME_ID)

    def was_elsewhere(self, epoch):
        """Another server has had the client since this one, with this epoch of it."""
        self._rivals.met_elsewhere(epoch)

    def ended(self, transport):
        """Note that a connection has ended. It counts only if it is the present one."""
        if transport is not None and transport is self._transport:
            self._transport = None
            self._steady(self.pace.end())

    def moved(self):
        """Note that a line was received or acknowledged."""
        self._steady(self.pace.moved())

    def _steady(self, row):
        if row:
            self._events.tell("steady", self._client_id, connections=row)

    def answer(self, state, session):
        """Answer the client's RESUME, unless something has to be stored before.

        Returns None, or a fault for which the connection must be closed. If the session is still `asked` then, the
        store has to be corrected first, or the client has to wait: see `realign`.
        """
        if self.pace.left_ms():
            if self._waking is not None:
                self._waking.cancel()
            self._waking = asyncio.create_task(self._wake())
            return None
        found = self._compare(state, session)
        ready = found.same_past and not is_crowded(state.runs) and not self._busy
        return self._answer(state, session, found) if ready else None

    async def _wake(self):
        while left_ms := self.pace.left_ms():  # asyncio's clock may be a ms ahead of ticks_ms
            await sleep_ms(left_ms)
        self._storing.set()

    async def realign(self, state, session, on_base):
        """Correct the store, then the session, and answer. Returns what `answer` does. on_base(number) is called when
        the outbox of the store begins at another number."""
        heard, found = session.heard, self._compare(state, session)
        self._busy = True
        try:
            if not found.same_past:  # else it has been corrected meanwhile, for an earlier connection
                await self._put_right(state, session, found)
                on_base(session.base)
            if is_crowded(state.runs):  # the run that is told now must be found again, even if this process dies
                await self._note(state, found.run or state.run)
        finally:
            self._busy = False
        if session.heard is heard and session.asked:  # else there is a newer connection, or this one has ended
            return self._answer(state, session, found)
        return None

    @property
    def wants(self):
        """True if there is a run to note."""
        return self._run is not None

    async def note_run(self, state):
        """Store which run the client knows. The answer normally does not wait for it. Returns True."""
        run, self._run = self._run, None
        await self._note(state, run)
        return True

    async def _note(self, state, run):
        before = state.runs
        state.named(run)
        if state.runs != before:
            await self._store.named(self._client_id, state.owner, run)

    def _compare(self, state, session):
        return Comparison(session, state, self._welcomed == state.epoch, self._epoch in self._met)

    def _answer(self, state, session, found):
        fault = session.answer(ticks_ms(), found.told, found.parted, found.lost)
        if not fault:
            state.was_received(self._epoch, found.cursors)  # the store has them with the first message
            if self._epoch not in self._met:
                self._met = self._met[1 - _MET :] + [self._epoch]
            self._run = found.run or state.run
            self._on_session(self._epoch)
        return fault

    async def _put_right(self, state, session, found):
        """Correct the store first, in one transaction. A difference that was reported is not found again."""
        heard, epoch = session.heard, self._epoch
        knows = session.knows_peer and session.ack == found.cursors[0]
        await self._store.realign(self._client_id, state.owner, epoch, found.cursors, found.bases)
        state.was_received(epoch, found.cursors)
        state.was_acknowledged(found.bases)
        if not knows:
            session.become_peer(epoch, found.cursors[0], found.cursors)
        for channel, base in found.bases.items():
            session.acknowledge_until(base, channel)
        memory = (heard.runs, heard.next) if found.parted else None
        if found.lost or found.unknown and memory != self._said:
            self._tell(found)
        self._said = memory

    def _tell(self, found):
        self._events.tell("store_rolled_back", self._client_id, lines=found.lost, unknown=found.unknown)
