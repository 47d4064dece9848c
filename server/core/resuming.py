"""Answers the RESUMEs of one client: puts the store right first if it is not the continuation of what the client has
seen. Knows nothing of TCP."""

import asyncio

from primitives.platform import sleep_ms, ticks_ms
from server.core.history import Comparison, is_crowded
from server.core.pace import Pace

# Epochs of the client that this process has served: two boards with one id take turns.
_MET = 4


class Resuming:
    """storing: TaskFlag, set when a RESUME that had to wait is to be answered by `realign`."""

    def __init__(self, client_id, events, storing):
        self.pace = Pace()
        self._storing = storing
        self._waking = None  # task that sets it
        self._transport = None  # of the present connection
        self._client_id = client_id
        self._events = events
        self._store = None
        self._met = []  # epochs of the client
        self._welcomed = None  # our epoch as WELCOME told it on the present connection
        self._epoch = None  # of the client on it
        self._run = None  # name of the run that the client knew, or is told, to be noted in the store
        self._busy = False  # the store is being put right
        self._said = None  # what a client remembered that had parted: until it hears of it, it comes with that again

    def begin(self, store):
        """The state has been claimed, perhaps in another store."""
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

    def ended(self, transport):
        """The connection has, if it is the present one."""
        if transport is not None and transport is self._transport:
            self._transport = None
            self._steady(self.pace.end())

    def moved(self):
        """A line was received or acknowledged."""
        self._steady(self.pace.moved())

    def _steady(self, row):
        if row:
            self._events.tell("steady", self._client_id, connections=row)

    def answer(self, state, session):
        """The client has sent its RESUME: answer it, if nothing has to be stored before.

        Returns None, or a fault for which the connection must be closed. If the session is still `asked` then, the
        store has to be put right first, or the client has to wait: `realign`.
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
        await sleep_ms(self.pace.left_ms())
        self._storing.set()

    async def realign(self, state, session, on_base):
        """Put the store right, then the session, and answer. Returns as `answer`. on_base(number): the outbox of the
        store begins there now."""
        heard, found = session.heard, self._compare(state, session)
        self._busy = True
        try:
            if not found.same_past:  # else it has been put right by now, for an earlier connection
                await self._put_right(state, session, found)
                on_base(session.base)
            if is_crowded(state.runs):  # the run that is told now must be found again, whatever becomes of this process
                await self._note(state, found.run or state.run)
        finally:
            self._busy = False
        if session.heard is heard and session.asked:  # else another connection has come, or this one has ended
            return self._answer(state, session, found)
        return None

    @property
    def wants(self):
        """True if there is a run to note."""
        return self._run is not None

    async def note_run(self, state):
        """Note in the store which run the client knows. The answer does not wait for it, as a rule. Returns True."""
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
            if self._epoch not in self._met:
                self._met = self._met[1 - _MET :] + [self._epoch]
            self._run = found.run or state.run
        return fault

    async def _put_right(self, state, session, found):
        """First the store, in one transaction: what has been said is not found again."""
        heard, epoch = session.heard, self._epoch
        knows = session.knows_peer and not found.lost
        cursor = (session.peer_epoch, session.ack) if knows else (epoch, heard.base)
        await self._store.realign(self._client_id, state.owner, *cursor, found.base)
        if not knows:
            session.become_peer(*cursor)
        session.acknowledge_until(found.base)
        memory = (heard.runs, heard.next) if found.parted else None
        if found.lost or found.unknown and memory != self._said:
            self._tell(found)
        self._said = memory

    def _tell(self, found):
        self._events.tell("store_rolled_back", self._client_id, lines=found.lost, unknown=found.unknown)
