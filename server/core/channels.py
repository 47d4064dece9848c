"""The channels of a client beside its lines, as the application sees them, and what they need done in the store.

A message that is sent with qos is stored before it goes to the session, and one that is received before it is accepted,
as lines are. The Connection's storing task does what `steps` returns; so neither the end of a connection nor the
cancellation of a call interrupts it.
"""

from collections import namedtuple

from primitives.platform import ticks_ms
from primitives.timeout import wait_limit
from primitives.waiting import ticks_add
from protocol.channel_records import DROPPED, EXPIRES, FIELDS, LAST, MAX_TIMED, MAX_TTL_MS
from protocol.errors import Expired, StoreError
from protocol.strict_json import BadJSON, decode_json, encode_json
from protocol.text import encode_text
from protocol.time_messages import TIME_CHANNEL
from server.core.clock import utc_ms
from server.core.expiry import Alarm, earlier, judged
from server.core.inbox import Inbox
from server.core.line_reader import Messages
from server.core.message import Message
from server.core.time_service import TimeService
from server.core.turns import Turns

_FIELD = bytes(4)  # in front of a message that expires: set when it is sent

# A message as the application gets it. data: bytes; channel: 1..127; number: counts for ever over all that the client
# sends, and identifies a message that is returned again; received_at: UTC in ms.
Received = namedtuple("Received", ("data", "channel", "number", "received_at"))


def bytes_of(data):
    """Returns a message's bytes. Raises: TypeError."""
    if isinstance(data, str):
        return encode_text(data)
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError("a message must be bytes or a str, not " + type(data).__name__)


def ttl_of(ttl_ms):
    """Returns ttl_ms. Raises: TypeError, ValueError."""
    if ttl_ms is not None:
        if not isinstance(ttl_ms, int):
            raise TypeError("ttl_ms must be an int or None")
        if not 0 < ttl_ms <= MAX_TTL_MS:
            raise ValueError("ttl_ms must be 1..%d or None" % MAX_TTL_MS)
    return ttl_ms


class Channel:
    """One channel of a client. `Connection.channel(number)` returns it, always the same.

    `async for message in channel` is that of `messages()`.
    """

    def __init__(self, client, number):
        self.number = number
        self._client = client
        self.inbox = Inbox(client.use, number)
        self.unstored = None  # _Put of a writer, for the store
        self._writers = Turns()

    async def send(self, data, qos=True, wait=True, ttl_ms=None):
        """Send a message to the client: bytes or str, at most as long as the client takes.

        Args: qos: True: exactly once and in order among those of the channel, whatever fails; it waits in the store
            for an absent client. False: at most once; it is lost unless the client uses the channel now.
            wait: with qos, return when the client has accepted it; otherwise when it is stored. ttl_ms: drop it if the
            client has not accepted it in this time; None: never.

        Only writers of this channel wait if the client does not read it. Raises: Expired, with wait; TypeError,
        ValueError: it is not sent; StoreError: the store has failed, and may or may not have it.
        """
        data = bytes_of(data)
        ttl_of(ttl_ms)
        self._client.check_size(len(data))
        deadline = None if ttl_ms is None else utc_ms() + ttl_ms
        ticket = self._writers.enter()
        try:
            if not qos:
                await self._send_unnumbered(ticket, data)
                return
            put = _Put(Message(self.number, 0, deadline or 0, data), wait and deadline is not None)
            await self._store(ticket, put)
        finally:
            self._writers.leave(ticket)
        if wait:
            await self._accepted(put)

    async def _store(self, ticket, put):
        """Put a message into the store. Returns when it is safe."""
        client, use, message = self._client, self._client.use, put.message
        await use.loaded()
        await self._writers.first(ticket)
        await use.loaded()
        while not self._has_room(message):
            await use.changed.wait()
            await use.loaded()
        put.channel = client.of_session(self.number)
        self.unstored = put
        if use.store.immediate:
            await use.directly(self.store_written())
        use.storing.set()
        while put.count is None:
            await use.changed.wait()
            client.raise_fault(put.channel)

    def _has_room(self, message):
        use, channel = self._client.use, self._client.of_session(self.number)
        self._client.expire(channel)
        timed = message.time or channel.timed()
        if self.unstored is not None or timed and channel.unacknowledged() >= MAX_TIMED:
            return False
        return use.store.outbox_room(use.client_id, len(message.data), self.number)

    async def _accepted(self, put):
        client, channel = self._client, put.channel
        try:
            while not (channel.acknowledged() >= put.count or channel.has_expired(put.count)):
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

    def wake_writers(self):
        """The client may have disconnected: calls without qos look again."""
        self._writers.wake_short()

    async def receive(self, timeout_ms=None):
        """Returns the client's next message on this channel, a Received. It has then left the store for good.

        Use `messages` if a message that is not yet processed must survive a crash. timeout_ms and what it raises: as
        Connection.readline.
        """
        limit = wait_limit(timeout_ms)
        self._client.admit_reader(None, self.number)
        return await self.inbox.take(limit, _received)

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
        self._client.admit_reader(None, self.number)
        found, fault = await self.inbox.take(limit, _decoded)
        if fault:
            raise fault
        return found

    def messages(self, commit="after", ahead=0):
        """Returns an async iterator over the messages, each a Received. Its contract is that of `Connection.lines`: see
        `Messages` in line_reader.py."""
        return Messages(self.receive, self.next_after, None, commit, ahead)

    def __aiter__(self):
        return self.messages()

    async def next_after(self, done, ahead, reader=None):
        """Returns (store, number, Received) of the first message not yet processed: see Inbox. reader: one that has
        reserved the channel, or None for an application."""
        self._client.admit_reader(reader, self.number)
        store, number, message = await self.inbox.next_after(done, ahead)
        return store, number, _received(number, message)

    async def done_with(self, done, ahead):
        """See Inbox."""
        await self.inbox.done_with(done, ahead)

    # For ClientChannels

    def begin(self):
        """The client's state is a newly claimed one."""
        self.unstored = None
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


class _Put:
    """A message that is to be stored and sent. watched: somebody waits for it, and it can expire."""

    def __init__(self, message, watched):
        self.message = message
        self.watched = watched
        self.channel = None  # the protocol's Channel that it goes to
        self.count = None  # of that one's `append`, once it is stored


def of_protocol(message):
    """Returns (bytes, numbered, type, deadline) of a message in the outbox, as the protocol's Channel takes it."""
    if message.kind & DROPPED or not message.time:
        return message.data, True, message.kind, None
    left = max(0, min(MAX_TTL_MS, message.time - utc_ms()))
    return _FIELD + message.data, True, message.kind | EXPIRES, ticks_add(ticks_ms(), left)


def _received(number, message):
    return Received(message.data, message.channel, number, message.time)


def _decoded(number, message):
    try:
        return decode_json(message.data), None
    except BadJSON as error:
        return None, error


class ClientChannels:
    """All channels of one client. Args: use: Use; connection: what the Connection offers (see `Connection`); registry:
    Registry. Its event "channel_used" is told once for each channel that the client uses after a claim of its state."""

    def __init__(self, use, connection, registry):
        self.use = use
        self.status = connection.status
        self.admit_reader = connection.admit_reader
        self.wake = connection.wake
        self._connection = connection
        self._events = registry.events
        self._taken_at_once = registry.taken_at_once
        self._told = set()  # numbers of the channels that the client uses
        self._session = None
        self._by_number = {}
        self._expired = []  # (channel, number) of messages that are to be emptied in the store
        self.alarm = Alarm(self._look)
        self._time = TimeService()

    def get(self, number):
        """Returns the Channel. Raises: ValueError."""
        if number not in self._by_number:
            if not (isinstance(number, int) and 0 < number <= LAST):
                raise ValueError("a channel must be a number from 1 to %d" % LAST)
            channel = self._by_number[number] = Channel(self, number)
            if self._session is not None:
                channel.begin()
        return self._by_number[number]

    def begin(self, session):
        """Go on with a newly claimed state."""
        self._session = session
        self._expired = []
        self.alarm.clear()
        self._told = set()
        state = self.use.state
        waiting = {}
        for _, message in state.outbox:
            if message.channel:
                waiting.setdefault(message.channel, []).append(of_protocol(message))
        for number in sorted((set(state.cursors) | set(state.bases)) - {0}):
            expected, base = state.cursors.get(number, 0), state.bases.get(number, 0)
            session.restore_channel(number, expected, base, waiting.get(number, ()), state.expired.get(number, 0))
            self._set_alarm(number)
        for channel in self._by_number.values():
            channel.begin()

    def of_session(self, number):
        """Returns the protocol's Channel."""
        return self._session.channels.open(number)

    def check_size(self, size):
        """Raises: ValueError for a message that is longer than the client is known to take."""
        longest = self._connection.max_line - FIELDS
        if size > longest:
            raise ValueError("the message has %d bytes, the longest is %d" % (size, longest))

    def raise_fault(self, channel):
        """Raises: StoreError if the store has failed, or this channel is not of the present session."""
        if self._connection.fault:
            raise self._connection.fault
        if channel is not self.of_session(channel.number):
            raise StoreError("the server has begun anew, after another one or with another store")

    def expire(self, channel):
        """Drop what is late of a channel, here and in the store."""
        for number in channel.expire(ticks_ms()):
            self._expired.append((channel.number, number))
            self.use.storing.set()

    def _look(self):
        """The time of a message may be over. What has come is looked at by the storing task."""
        for channel in self._session.channels.used:
            self.expire(channel)
            self._set_alarm(channel.number)
        self.use.storing.set()
        self.use.changed.pulse()

    def _set_alarm(self, number):
        first = None
        for at in self._session.deadlines_on(number):
            first = earlier(first, at)
        self.alarm.set(first)

    @property
    def settled(self):
        """True if no message is in transit between the store and the application."""
        return all([channel.inbox.reader.settled for channel in self._by_number.values()])

    def wake_writers(self):
        for channel in self._by_number.values():
            channel.wake_writers()

    # For the storing task

    def steps(self):
        """Returns coroutine functions, each of which does something in the store and returns True if it has."""
        self._tell_used()
        found = []
        if self._expired:
            found.append(self._store_expired)
        for channel in self._by_number.values():
            if channel.unstored is not None:
                found.append(channel.store_written)
            if not self.use.store.immediate and channel.inbox.reader.wants:
                found.append(channel.inbox.reader.step)
        if self.acknowledged():
            found.append(self._store_acknowledged)
        return found

    def _tell_used(self):
        for channel in self._session.channels.used:
            if channel.ready and channel.number not in self._told:
                self._told.add(channel.number)
                self._events.tell("channel_used", self.use.client_id, channel=channel.number)

    async def _store_expired(self):
        expired, self._expired = self._expired, []
        for channel, number in expired:
            await self.use.store.expire(self.use.client_id, self.use.state.owner, channel, number)
        return True

    def acknowledged(self):
        """Returns {channel: base} of those that the store does not know yet."""
        bases = self.use.state.bases
        return {one.number: one.base() for one in self._session.channels.used if one.base() != bases.get(one.number, 0)}

    async def _store_acknowledged(self):
        bases = self.acknowledged()
        await self.use.store.acknowledge(self.use.client_id, self.use.state.owner, bases)
        self.use.state.was_acknowledged(bases)
        return True

    def arrived(self):
        """Frames have come: answer what needs no store."""
        session, state = self._session, self.use.state
        if session.channels.used and self._time.answer(session.channels):
            number = self.of_session(TIME_CHANNEL).ack()
            if number != state.cursors.get(TIME_CHANNEL, 0):  # qos, which nobody should use there
                state.was_received(session.peer_epoch, {TIME_CHANNEL: number})  # stored with the next message
            self.wake()

    def received(self):
        """Returns [(the protocol's Channel, [Come])] of what has come and may be accepted once it is stored."""
        found, now = [], ticks_ms()
        for channel in self._session.channels.used:
            if channel.received:
                room = self.use.store.inbox_room(self.use.client_id, channel.number)
                messages, deadline = judged(channel.received, now, room)
                self.alarm.set(deadline)
                if messages:
                    found.append((channel, messages))
        return found

    def to_store(self, received, cursors, expired):
        """Returns [Message] of what `received` has returned. Adds the channels to cursors and expired of `receive`."""
        found, time = [], utc_ms()
        for channel, messages in received:
            after = channel.after([come.late for come in messages])
            cursors[channel.number], expired[channel.number] = after
            if channel.number not in self._taken_at_once:
                found += [Message(channel.number, kind, time, data) for data, kind, _ in messages if data is not None]
        return found

    def accept(self, received):
        """What `received` has returned is stored, or for who takes it at once."""
        for channel, messages in received:
            take = self._taken_at_once.get(channel.number)
            for come in messages:
                channel.accept(come.late)
                channel.expirations += come.late
                if take is not None and come.data is not None:
                    take(self.use.client_id, come.data)
            self._session.channels.tell(channel, ticks_ms())
