"""The channels of a client beside its lines, as the application sees them, and what they need done in the store.

A message that is sent with qos is stored before it goes to the session, and one that is received before it is accepted,
as lines are. The Connection's storing task does what `steps` returns; so neither the end of a connection nor the
cancellation of a call interrupts it.
"""

from primitives.platform import ticks_ms
from protocol.channel_records import FIELDS, LAST
from protocol.errors import StoreError
from protocol.time_messages import TIME_CHANNEL
from server.core.channel import Channel
from server.core.expiry import Alarm, earlier, judged, messages_of
from server.core.outgoing import FIRST, Operation, of_protocol
from server.core.time_service import TimeService


class ClientChannels:
    """All channels of one client. Args: use: Use; connection: what the Connection offers (see `Connection`); registry:
    Registry. Its event "channel_used" is told once for each channel that the client uses after a claim of its state."""

    def __init__(self, use, connection, registry):
        self.use = use
        self.events = registry.events
        self.status = connection.connected_here
        self.shared = connection.shared
        self.admit_reader = connection.admit_reader
        self.come, self.need_listener = connection.come, connection.need_listener
        self.available, self.check_here = connection.available, connection.check_here
        self.is_elsewhere = connection.is_elsewhere
        self.wake = connection.wake
        self._connection = connection
        self._taken_at_once = registry.taken_at_once
        self._told = set()  # numbers of the channels that the client uses
        self._session = None
        self._by_number = {}
        self._expired = []  # (channel, number) of messages that are to be emptied in the store
        self.alarm = Alarm(self._look)
        self._time = TimeService()
        self._operations = []  # Operation, for the store
        self._sensors = None

    def get(self, number, start=FIRST):
        """Returns the Channel. start: the lowest number that is taken: 1 for this project's own modules, as channels
        1..15 are theirs. Raises: ValueError."""
        if not (isinstance(number, int) and start <= number <= LAST):
            raise ValueError("a channel must be a number from %d to %d" % (start, LAST))
        if number not in self._by_number:
            channel = self._by_number[number] = Channel(self, number)
            if self._session is not None:
                channel.begin()
        return self._by_number[number]

    def sensors(self):
        """See Connection.sensors."""
        if self._sensors is None:
            from server.core.sensors import Sensors, known_types

            self._sensors = Sensors(self._connection, known_types(), self.events.tell)
        return self._sensors

    def begin(self, session):
        """Go on with a newly claimed state."""
        self._session = session
        self._expired = []
        self.alarm.clear()
        self._told = set()
        self._operations = []
        state = self.use.state
        others = self._others()
        watched, timed_mail = () if others is None else others.watched(self.use.client_id), {}
        waiting = {}
        for serial, message in state.outbox:
            if message.channel:
                entries, entry = waiting.setdefault(message.channel, []), of_protocol(message)
                if serial in watched and entry[3] is not None:
                    entry += (True,)
                    timed_mail.setdefault(message.channel, []).append((len(entries) + 1, serial))
                entries.append(entry)
        for number in sorted((set(state.cursors) | set(state.bases)) - {0}):
            expected, base = state.cursors.get(number, 0), state.bases.get(number, 0)
            session.restore_channel(number, expected, base, waiting.get(number, ()), state.expired.get(number, 0))
            self._set_alarm(number)
        for channel in self._by_number.values():
            channel.begin()
        for number, entries in timed_mail.items():
            self.get(number, 1).begin_mail(entries)

    def _others(self):
        return getattr(self.use.store, "others", None)  # a store of the user's own may have no such attribute

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

    async def perform(self, function):
        """Call a coroutine function that does one thing in the store. Returns when it is safe. Raises: StoreError."""
        if self.use.store.immediate:
            await self.use.directly(function())
            return
        operation, session = Operation(function), self._session
        self._operations.append(operation)
        self.use.storing.set()
        while not operation.done:
            await self.use.changed.wait()
            if not operation.done and (self._connection.fault or self._session is not session):
                raise self._connection.fault or StoreError("the server has begun anew")

    @property
    def peer_epoch(self):
        """Epoch of the client whose messages are received now."""
        return self._session.peer_epoch

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
        for channel in self._by_number.values():
            if channel.unstored is not None:
                found.append(channel.store_written)
            if channel.answered is not None:
                found.append(channel.store_answered)
            if not self.use.store.immediate and channel.inbox.reader.wants:
                found.append(channel.inbox.reader.step)
        if self.acknowledged():
            found.append(self._store_acknowledged)
        operations, self._operations = self._operations, []
        found += [operation.run for operation in operations]
        if self._expired:  # the others would wait for its transactions, if it were not the last one
            found.append(self._store_expired)
        return found

    def _tell_used(self):
        for channel in self._session.channels.used:
            if channel.ready and channel.number not in self._told:
                self._told.add(channel.number)
                self.events.tell("channel_used", self.use.client_id, channel=channel.number)

    async def _store_expired(self):
        expired, self._expired = self._expired, []
        for channel, number in expired:
            await self.use.store.expire(self.use.client_id, self.use.state.owner, channel, number)
        return True

    def acknowledged(self):
        """Returns {channel: base} of those that the store does not know yet."""
        bases = self.use.state.bases
        return {one.number: one.base for one in self._session.channels.used if one.base != bases.get(one.number, 0)}

    async def _store_acknowledged(self):
        bases = self.acknowledged()
        others = self._others()
        if others is not None:
            for number in bases:
                if number in self._by_number:
                    self._by_number[number].tell_expired(others)
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
        found = []
        for channel, messages in received:
            after = channel.after([come.late for come in messages])
            cursors[channel.number], expired[channel.number] = after
            if channel.number not in self._taken_at_once:
                found += messages_of(channel.number, messages)
        return found

    def accept(self, received):
        """What `received` has returned is stored, or for who takes it at once."""
        for channel, messages in received:
            take = self._taken_at_once.get(channel.number)
            for come in messages:
                channel.accept(come.late)
                if take is not None and come.data is not None:
                    take(self.use.client_id, come.data)
            self._session.channels.tell(channel, ticks_ms())
