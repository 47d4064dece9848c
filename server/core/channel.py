"""One channel of a client beside its lines, as the application sees it. channels.py has all of a client.

A message that is sent with qos is stored before it goes to the session, as lines are.
"""

from primitives.timeout import wait_limit
from protocol.channel_records import CALL, MAX_TIMED
from protocol.errors import Expired
from protocol.strict_json import encode_json
from server.core.clock import utc_ms
from server.core.inbox import MOST, Inbox
from server.core.line_reader import AHEAD, Messages
from server.core.message import UNNUMBERED, Message, decoded, received
from server.core.outgoing import Put, bytes_of, of_protocol, ttl_of
from server.core.requests import Requests, refusal
from server.core.turns import Turns


class Channel:
    """One channel of a client. `Connection.channel(number)` returns it, always the same.

    `async for message in channel` is that of `messages()`.
    """

    def __init__(self, client, number):
        self.number = number
        self._client = client
        self.inbox = Inbox(client.use, number)
        self.unstored = None  # Put of a writer, for the store
        self.answered = None  # number in the inbox of the request that `unstored` answers
        self.turns = self._writers = Turns()
        self._timed_mail = []  # (count of the session, serial) of mail that can expire, and whose writer waits for it
        self._requests = None  # Requests, of a channel that is used for them; False: it is used for messages

    def request(self, data, timeout_ms, wait=True):
        """Coroutine: see Requests.ask."""
        return self.requests().ask(data, timeout_ms, wait)

    def on_request(self, handler):
        """See Requests.serve."""
        self.requests().serve(handler)

    def requests(self):
        """Returns the Requests (requests.py) of this channel. Raises: ValueError if it is used for messages."""
        if self._requests is False:
            raise ValueError("channel %d is used for messages: make requests on another one" % self.number)
        if self._requests is None:
            self._requests = Requests(self._client, self)
        return self._requests

    def _for_messages(self):
        if self._requests:
            raise ValueError("channel %d is used for requests: send messages on another one" % self.number)
        self._requests = False

    async def send(self, data, qos=True, wait=True, ttl_ms=None):
        """Send a message to the client: bytes or str, at most as long as the client takes.

        Args: qos: True: exactly once and in order among those of the channel, whatever fails; it waits in the store
            for an absent client. False: at most once; it is lost unless the client uses the channel now.
            wait: with qos, return when the client has accepted it; otherwise when it is stored. ttl_ms: drop it if the
            client has not accepted it in this time; None: never.

        Only writers of this channel wait if the client does not read it. Raises: Expired, with wait; TypeError,
        ValueError: it is not sent; StoreError: the store has failed, and may or may not have it.
        """
        self._for_messages()
        data = bytes_of(data)
        ttl_of(ttl_ms)
        self._client.check_size(len(data))
        deadline = None if ttl_ms is None else utc_ms() + ttl_ms
        ticket = self._writers.enter()
        try:
            if not qos:
                await self._send_unnumbered(ticket, data)
                return
            put, letter = Put(Message(self.number, 0, deadline or 0, data), wait and deadline is not None), None
            if (shared := await self._client.shared()) is None:
                await self._store(ticket, put)
            else:
                _, letter = await shared.put(ticket, put.message, wait, lambda: self._store(ticket, put))
        finally:
            self._writers.leave(ticket)
        if wait:
            await (self._accepted(put) if letter is None else shared.accepted(letter))

    async def _store(self, ticket, put):
        """Put a message into the store. Returns when it is safe."""
        use, message = self._client.use, put.message
        await use.loaded()
        await self._writers.first(ticket)
        await use.loaded()
        while not self.has_room(message):
            await use.changed.wait()
            await use.loaded()
        await self.store(put)

    async def store(self, put, limit=None):
        """Put a message, which has room, into the store. Returns when it is safe. limit: a Timeout, which does not
        withdraw it. Raises: StoreError, asyncio.TimeoutError."""
        client, use = self._client, self._client.use
        put.channel = client.of_session(self.number)
        self.unstored, self.answered = put, put.answers
        if use.store.immediate:
            await use.directly(self.store_written())
            if put.answers is not None:
                await use.directly(self.store_answered())
        use.storing.set()
        try:
            while put.count is None:
                await use.changed.wait(limit)
                client.raise_fault(put.channel)
        except BaseException:  # it is stored all the same, but nobody waits for it
            put.watched = False
            if put.count is not None:
                put.channel.forget_expiry(put.count)
            raise

    def has_room(self, message):
        """True if a message may be stored now."""
        use, channel = self._client.use, self._client.of_session(self.number)
        self._client.expire(channel)
        timed = message.time or channel.timed
        if self.unstored is not None or timed and channel.unacknowledged() >= MAX_TIMED:
            return False
        return use.store.outbox_room(use.client_id, len(message.data), self.number)

    async def _accepted(self, put):
        client, channel = self._client, put.channel
        try:
            while not (channel.acknowledged >= put.count or channel.has_expired(put.count)):
                await client.use.changed.wait()
                client.raise_fault(channel)
            if channel.has_expired(put.count):
                raise Expired("the message on channel %d was not accepted in time" % self.number)
        finally:
            channel.forget_expiry(put.count)

    async def _send_unnumbered(self, ticket, data):
        client = self._client
        await self._writers.first(ticket, client.status)
        while client.status():
            channel = client.of_session(self.number)
            if not channel.ready:
                return
            if self.unstored is None and channel.room_for(len(data)):
                channel.append(data, False)
                client.wake()
                return
            await client.use.changed.wait()
        if (shared := await client.shared()) is not None:
            await shared.send(self.number, data)

    def wake_writers(self):
        """The client may have disconnected: calls without qos look again."""
        self._writers.wake_short()

    async def receive(self, timeout_ms=None):
        """Returns the client's next message on this channel, a Received. It has then left the store for good.

        Use `messages` if a message that is not yet processed must survive a crash. timeout_ms and what it raises: as
        Connection.readline.
        """
        limit = wait_limit(timeout_ms)
        return await self._take(limit, received)

    async def _take(self, limit, convert):
        """Returns convert(number, Message) of the next message, which has left the store."""
        self._for_messages()
        self._client.admit_reader(None, self.number)

        def call_or(number, message):
            return (message, None) if message.kind & CALL else (None, convert(number, message))

        while True:
            call, found = await self.inbox.take(limit, call_or)
            if call is None:
                return found
            await self._refuse(call)

    async def _refuse(self, message):
        """What belongs to requests has come on a channel of messages. If there is room, answer it."""
        self._tell_mixed()
        if self._client.use.may_be_shared() and not self._client.status():
            return  # only the client's server can answer
        answer = refusal(message, "is used for messages at the server")
        if answer is not None and self.has_room(answer):
            await self.store(Put(answer, False))

    def _tell_mixed(self):
        self._client.events.tell("channel_mixed", self._client.use.client_id, channel=self.number, used_for="messages")

    async def send_json(self, found, qos=True, wait=True, ttl_ms=None):
        """Send None, a bool, int, float or str, or a list, tuple or dict of such, as JSON: protocol/strict_json.py.

        Args and what it raises: as `send`.
        """
        await self.send(encode_json(found), qos, wait, ttl_ms)

    async def receive_json(self, timeout_ms=None):
        """Returns what the client's next message stands for. It has to be JSON: protocol/strict_json.py.

        A message that is not leaves the store all the same, and raises protocol.strict_json.BadJSON, a ValueError. Else
        as `receive`.
        """
        limit = wait_limit(timeout_ms)
        found, fault = await self._take(limit, decoded)
        if fault:
            raise fault
        return found

    def messages(self, commit="after", ahead=AHEAD):
        """Returns an async iterator over the messages, each a Received. Its contract is that of `Connection.lines`: see
        `Messages` in line_reader.py."""
        self._for_messages()
        return Messages(self.receive, self.next_after, None, commit, ahead, self.inbox.abandon)

    def transaction(self, most=MOST):
        """As Connection.transaction, for the messages of this channel, each a Received."""
        self._for_messages()
        self._client.admit_reader(None, self.number)
        return self.inbox.transaction(most, self._is_message, received)

    def _is_message(self, message):
        """Returns False for what belongs to requests, and reports it."""
        if message.kind & CALL:
            self._tell_mixed()
        return not message.kind & CALL

    def __aiter__(self):
        return self.messages()

    async def next_after(self, done, ahead, reader=None):
        """Returns (store, number, Received) of the first message not yet processed: see Inbox. reader: one that has
        reserved the channel, or None for an application."""
        self._for_messages()
        self._client.admit_reader(reader, self.number)
        while True:
            store, number, message = await self.inbox.next_after(done, ahead)
            if not message.kind & CALL:
                return store, number, received(number, message)
            done = store, number
            await self._refuse(message)

    async def done_with(self, done, ahead):
        """See Inbox."""
        await self.inbox.done_with(done, ahead)

    # For mail: see Sharing

    def most(self):
        """Returns how many messages may be moved at once."""
        return max(1, MAX_TIMED - self._client.of_session(self.number).unacknowledged())

    def was_moved(self, messages):
        """These are in the outbox now. Those without a number are not, and may be sent if the client is there."""
        use, channel = self._client.use, self._client.of_session(self.number)
        for message, watched in messages:
            if not message.kind & UNNUMBERED:
                serial, entry = use.state.serial, of_protocol(message)
                use.state.was_put(self.number)
                watched = watched and entry[3] is not None
                count = channel.append(*entry, watched)
                if watched:
                    self._timed_mail.append((count, serial))
                self._client.alarm.set(entry[3])
            elif self._client.status() and channel.ready and channel.room_for(len(message.data)):
                channel.append(message.data, False)
        self._client.wake()

    def begin_mail(self, entries):
        """Of what was in the outbox, this is mail as in `_timed_mail`. Called after `begin`."""
        self._timed_mail = entries

    def tell_expired(self, others):
        """Tell what the client has said of mail, which it acknowledges now: the time of some was over."""
        channel = self._client.of_session(self.number)
        while self._timed_mail and channel.acknowledged >= self._timed_mail[0][0]:
            count, serial = self._timed_mail.pop(0)
            if channel.has_expired(count):
                others.expired(self._client.use.client_id, serial)
            channel.forget_expiry(count)

    # For ClientChannels

    def begin(self):
        """The client's state is a newly claimed one."""
        self._timed_mail = []
        self.unstored = self.answered = None
        self.inbox.begin()

    async def store_written(self):
        """Put the message of a writer into the store, and then into the session."""
        put, use = self.unstored, self._client.use
        await use.store.put(use.client_id, use.state.owner, put.message)
        use.state.was_put(self.number)
        entry = of_protocol(put.message)
        put.count = put.channel.append(*entry, put.watched)
        self._client.alarm.set(entry[3])
        self.unstored = None
        self._client.wake()
        return True

    async def store_answered(self):
        """Remove the request whose answer has just been put. A crash in between leaves a second answer to be put, which
        the client throws away."""
        use, number = self._client.use, self.answered
        self.answered = None
        await use.store.remove(use.client_id, use.state.owner, (number,))
        return True
