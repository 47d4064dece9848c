"""`wire.py` with messages on channels. Each end keeps what it has sent and got, for each channel."""

from protocol.channel_records import EXPIRES
from protocol.channel_session import ChannelSession
from protocol.lines import NUMBERS
from tests.protocol.wire import End, Wire
from tests.sessions import idle


class Kept:
    """What a durable end does not forget of a channel."""

    def __init__(self):
        self.next = 0
        self.base = 0
        self.outbox = []
        self.pending = []


class ChannelEnd(End):
    """An End whose application uses `channels`, a list of numbers, from the start of each life."""

    def __init__(self, name, initiator, channels=(20, 21), durable=False, **limits):
        self.kept = {}
        self.numbers = list(channels)
        self.mute = []  # channels that the application does not read
        self.got = {}  # channel -> messages, over all lives
        self.counts = {}
        End.__init__(self, name, initiator, durable, **limits)

    def begin_life(self):
        for kept in self.kept.values():
            kept.pending = []  # what is durable of it is in the outbox
        End.begin_life(self)
        if self.initiator:
            self.session = ChannelSession(self.session)
        session = self.session
        self.counts = {}
        for number in self.numbers:
            kept = self.kept.get(number)
            if kept is None or not self.durable:
                kept = self.kept[number] = Kept()
            channel = session.channels.open(number)
            if self.durable:
                channel.restore(kept.next, kept.base, [(data, True) for data in kept.outbox])
        self.fill_channels()

    def send(self, number, data, numbered=True):
        kept = self.kept[number]
        if numbered:
            kept.outbox.append(data)
        kept.pending.append((data, numbered))
        self.fill_channels()

    def send_timed(self, number, data, now, ms):
        """Send what expires. Returns its count, and marks it as waited for."""
        sender = self.session.channels.open(number)
        count = sender.append(bytes(2) + data, True, EXPIRES, (now + ms) & NUMBERS, True)
        self.kept[number].outbox.append(data)
        return count

    def fill_channels(self):
        for number in self.numbers:
            sender, pending = self.session.channels.open(number), self.kept[number].pending
            while pending and sender.room_for(len(pending[0][0])):
                sender.append(*pending.pop(0))

    def fill(self):
        End.fill(self)
        if isinstance(self.session, ChannelSession) and self.kept:
            self.fill_channels()

    def hand_over(self, now):
        End.hand_over(self, now)
        channels = self.session.channels
        channels.tick(now)
        for channel in channels.used:
            number = channel.number
            kept = self.kept.get(number)
            if kept is None:
                kept = self.kept[number] = Kept()
                self.numbers.append(number)
            while number not in self.mute:
                message = channel.front(now)
                if message is None:
                    break
                self.got.setdefault(number, []).append(message)
                channels.accept(channel, now)
            if channel.receiver.ack != kept.next or self.store.peer_epoch != self.session.peer_epoch:
                self.store.peer_epoch = self.session.peer_epoch  # it is stored with each cursor, and with all of them
                self.store.next = self.session._receiver.ack
            kept.next = channel.receiver.ack
            done = channel.acknowledged
            for _ in range(done - self.counts.get(number, 0)):
                kept.outbox.pop(0)
            self.counts[number] = done
            kept.base = channel.base

    def disconnect(self):
        End.disconnect(self)
        for kept in self.kept.values():
            kept.pending = [entry for entry in kept.pending if entry[1]]

    @property
    def idle(self):
        if not idle(self.session) or self.pending or self.session.lines:
            return False
        for channel in self.session.channels.used:
            if channel.receiver.lines and channel.number not in self.mute:
                return False
            if channel.lines and channel.number not in self.quiet:
                return False
            if not channel.ready and channel.number in self.numbers and self.initiator:
                return False
        return not any(kept.pending for number, kept in self.kept.items() if number not in self.quiet)

    quiet = ()  # channels that need not become idle


def channel_wire(faults=None, durable=True):
    return Wire(ChannelEnd("client", True), ChannelEnd("server", False, durable=durable), faults)
