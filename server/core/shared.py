"""What a Connection does if several processes share its store: others.py. This process may have the client, or another
one, or none; and that may change while a call waits.
"""

import asyncio

from primitives.timeout import Timeout
from protocol.errors import LinkDown, LocalProtocolError, StoreError
from server.core.clock import utc_ms
from server.core.message import UNNUMBERED, Message
from server.core.store import Fenced

LOOK_MS = 1000  # between two looks at whether another process has the client
_ELSEWHERE = "%s is connected to another server: make the request in the application there"
_NOT_HERE = "this process has no listener: make and answer requests, and discard, in the application of their server"


class Shared:
    """Args: connection: what a Connection offers (sharing.py); others: Others; changed: Changes of the Connection;
    attached: whether this process has no listener."""

    def __init__(self, connection, others, changed, attached):
        self.others = others
        self._connection = connection
        self._client_id = connection.client_id
        self._changed = changed
        self._attached = attached
        self._mailed = set()  # channels on which this process has put mail, which has to go first
        self._mailing = set()  # those on which the first call waits until its message is in the mail
        self._moving = set()  # those of which mail is on its way into the outbox
        self._movers = {}  # channel -> task that moves mail

    def connected(self):
        """True if the client is connected to another process, as far as this one knows."""
        self.others.follow(self._client_id)
        return self.others.seen(self._client_id).connected

    async def free(self):
        """Return when the client may be claimed for what only its owner does: no other process has it.

        The database is asked only if nothing is known of another one. Raises: LocalProtocolError: `need_listener`."""
        self.need_listener()
        while not self._connection.here() and (self.connected() or await self.others.elsewhere(self._client_id)):
            await self._changed.wait(Timeout(LOOK_MS))

    async def check_free(self):
        """Raises: LinkDown: another process has the client; LocalProtocolError: `need_listener`."""
        self.need_listener()
        if self.connected() or await self.others.elsewhere(self._client_id):
            self.refuse()

    def refuse(self):
        """Raises: LinkDown; LocalProtocolError: `need_listener`."""
        self.need_listener()
        raise LinkDown(_ELSEWHERE % self._client_id)

    async def come(self):
        """Return when this process has the client. Nothing is claimed for that. Raises: as `free`."""
        self.need_listener()
        while not self._connection.here():
            await self._changed.wait()

    def need_listener(self):
        """Raises: LocalProtocolError in a process without a listener, to which no client comes."""
        if self._attached:
            raise LocalProtocolError(_NOT_HERE)

    # Writing

    async def put(self, ticket, message, watched, directly):
        """Put a Message where it belongs, when it is its turn: into the outbox, by directly(), a coroutine function, if
        this process has the client; else into the mail. Returns (what directly() has returned, None) or (None, letter).

        ticket: of the call in the Turns of its channel; watched: `accepted` is to be called with the letter."""
        outlet = self._connection.outlet(message.channel)
        await outlet.turns.first(ticket)
        if await self._is_here(message.channel, ticket):
            try:
                return await directly(), None
            except Fenced:
                pass  # nothing was stored: another process has the client by now
        self.others.follow(self._client_id)
        self._mailed.add(message.channel)
        self._mailing.add(message.channel)
        outlet.turns.wake_short()  # for `_move`
        try:
            return None, await self.others.put(self._client_id, message, watched)
        finally:
            self._mailing.discard(message.channel)

    async def accepted(self, letter):
        """See Others."""
        await self.others.accepted(letter)

    async def send(self, channel, data):
        """Have a message without qos sent by the process that has the client, if there is one."""
        if self.connected() or await self.others.elsewhere(self._client_id):
            self._mailed.add(channel)
            await self.others.put(self._client_id, Message(channel, UNNUMBERED, 0, data))

    async def _is_here(self, channel, ticket):
        """Returns whether this process has the client. Mail that it has put before is in the outbox then."""
        while self._connection.here():
            if channel not in self._mailed:
                return True
            self._mailed.discard(channel)
            try:
                await self.others.moved(self._client_id, channel)
                while self._waits(channel):
                    await self._move_in_turn(channel, ticket)
            except Fenced:
                self._mailed.add(channel)
            except BaseException:
                self._mailed.add(channel)
                raise
        return False

    # Moving mail into the outbox

    def look(self):
        """There may be mail for the client. It is moved if this process has it."""
        if not self._connection.here():
            return
        for channel in self.others.channels(self._client_id):
            mover = self._movers.get(channel)
            if mover is None or mover.done():
                self._movers[channel] = asyncio.create_task(self._move(channel))

    async def _move(self, channel):
        try:
            while self._waits(channel):
                await self._move_first(channel, self._connection.outlet(channel).turns)
        except StoreError:
            pass  # when the client is claimed again, `look` is called

    async def _move_first(self, channel, turns):
        ticket = turns.enter()  # mail takes its turn among the calls of this process
        try:
            await turns.first(ticket, lambda: not self._may_move(channel, ticket))
            await self._move_in_turn(channel, ticket)
        finally:
            turns.leave(ticket)

    def _may_move(self, channel, ticket):
        """Whether it is this call's turn. A first call whose message has no room in the mail lets go what is there: its
        own one comes behind that."""
        return self._connection.outlet(channel).turns.is_first(ticket) or channel in self._mailing

    async def _move_in_turn(self, channel, ticket):
        """Move what has room, when something has, or return when it is no longer this call's turn."""
        outlet = self._connection.outlet(channel)
        while self._waits(channel) and self._may_move(channel, ticket) and not self._can_move(outlet, channel):
            await self._changed.wait()
        if self._waits(channel) and self._may_move(channel, ticket):
            await self._connection.perform(lambda: self._move_some(outlet, channel))

    def _waits(self, channel):
        """Whether there is mail that is to be moved by this process, or that is being moved."""
        here = self._connection.here()
        return here and (channel in self._moving or self.others.first(self._client_id, channel) is not None)

    def _can_move(self, outlet, channel):
        message = self.others.first(self._client_id, channel)
        if message is None or channel in self._moving:
            return False
        return message.kind & UNNUMBERED or 0 < message.time <= utc_ms() or outlet.has_room(message)

    async def _move_some(self, outlet, channel):
        if channel in self._moving:
            return  # two have asked for it
        self._moving.add(channel)
        try:
            owner = self._connection.state.owner
            outlet.was_moved(await self.others.move(self._client_id, owner, channel, outlet.most()))
        finally:
            self._moving.discard(channel)
