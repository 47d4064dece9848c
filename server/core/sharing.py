"""What a Connection has for a store that several processes share. A class of its own, since connection.py is long
enough; `Shared` (shared.py) decides, and is loaded only if there is such a store.
"""

from server.core.message import UNNUMBERED
from server.core.store import Fenced, TakenOver

CLAIMS = 5  # of a client that comes to other servers in the middle of what needs it here: then StoreError
MOVED_AT_ONCE = 64  # messages of a channel, from the mail into the outbox


class Sharing:
    """A part of Connection."""

    @property
    def state(self):
        """The ClientState from the store, for adapters. None before `load`."""
        return self._state

    def share(self, others, attached):
        """Use these Others from now on, or none if that is None. attached: this process has no listener."""
        self._shared = None
        if others is not None:
            from server.core.shared import Shared

            self._shared = Shared(self, others, self._changed, attached)

    async def shared(self):
        """Returns the Shared, or None, as soon as there is a store."""
        while self._registry.store is None:
            await self._registry.changed.wait()
        return self._shared

    async def come(self):
        """Return when the client's state is loaded, for what only answers it. If several processes share the store,
        that is when the client has come to this one: another one may be about to have it."""
        shared = await self.shared()
        await (self._loaded() if shared is None else shared.come())

    def need_listener(self):
        """Raises: LocalProtocolError in a process to which no client comes: `attach`."""
        if self._shared is not None:
            self._shared.need_listener()

    async def available(self):
        """Return when the client's state is loaded, for a request. It is not taken from another server.

        Raises: LinkDown: the client is connected to another server; LocalProtocolError; StoreError."""
        shared = await self.shared()
        if shared is not None and not self.here():
            await shared.check_free()
            if isinstance(self.fault, TakenOver):  # that server has it no longer
                await self.load(self._registry.store)
        await self._loaded()

    def check_here(self):
        """Raises: LinkDown: the client is connected to another server, as far as this one knows."""
        if self.is_elsewhere():
            self._shared.refuse()

    def is_elsewhere(self):
        """True if the client is connected to another process, as far as this one knows."""
        return not self.here() and self._shared is not None and self._shared.connected()

    async def discard(self):
        """Delete the lines that the client has not acknowledged. It will never get them. Returns their number.

        Calls of `write` that wait for one of them raise StoreError. A connected client is disconnected, and resumes:
        also one that is connected to another server on this store. Raises: StoreError; LocalProtocolError in a process
        without a listener.
        """
        for left in reversed(range(CLAIMS)):
            await self._take()
            try:
                return await self._discard()
            except Fenced:  # nothing is deleted: it has come to another server
                if not left:
                    raise

    async def _take(self):
        """Have the client's state, also if another process has it: its connection there ends."""
        shared = await self.shared()
        if shared is None:
            await self._loaded()
            return
        shared.need_listener()
        if not self.here():
            await self.load(self._registry.store)
            shared.others.took(self.client_id)

    def here(self):
        """True if this process has the client, as far as it knows."""
        return self._session is not None and not self.fault

    def connected_here(self):
        """True while the client is connected to this process."""
        return self._carrier.up

    def attached(self):
        """True while there is a TCP connection of the client, whether or not it has said where it is."""
        return self._carrier.transport is not None

    def seen(self):
        """Other processes have seen the client: what they know of it may be news."""
        found = self._shared.others.seen(self.client_id)
        self.nconns = max(self.nconns, found.connections)
        self.taken_over(found.owner)
        self._changed.pulse()

    # Mail, which Shared moves into the outbox. Of lines the Connection is what a Channel is of its messages.

    def look_for_mail(self):
        """There may be some."""
        if self._shared is not None:
            self._shared.look()

    def outlet(self, channel):
        """Returns what mail for this channel goes to: turns, has_room, most, was_moved."""
        return self._channels.get(channel, 1) if channel else self

    def perform(self, function):
        """Coroutine: have the storing task call a coroutine function."""
        return self._channels.perform(function)

    def has_room(self, message):
        """True if a line may be stored now. _unstored: of a writer that was cancelled."""
        return self._unstored is None and self._store.outbox_room(self.client_id, len(message.data))

    def most(self):
        """Returns how many may be moved at once."""
        return MOVED_AT_ONCE

    def was_moved(self, messages):
        """These are in the outbox now. Those without a number are not, and may be sent if the client is connected."""
        for message, _ in messages:
            if not message.kind & UNNUMBERED:
                self._state.was_put(0)
                self.queue(message.data, True)
                self._written += 1
            elif self._carrier.up and self._carrier.takes(len(message.data)):
                self.queue(message.data, False)
        self._carrier.wake()
