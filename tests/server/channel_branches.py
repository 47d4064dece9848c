"""A client, and servers whose stores are copied, restored and swapped, as in branches.py, with messages on channels."""

from protocol.channel_session import ChannelSession
from server.core.message import Message
from tests.server import branches
from tests.server.branches import CLIENT, now

CHANNELS = (5, 9)


class Server(branches.Server):
    def __init__(self, disk):
        super().__init__(disk)
        state = self.state
        for channel in sorted({*state.cursors, *state.bases} - {0}):
            waiting = [(message.data, True) for _, message in state.outbox if message.channel == channel]
            self.session.restore_channel(channel, state.cursors.get(channel, 0), state.bases.get(channel, 0), waiting)

    def write(self, line, channel=0):
        if not channel:
            super().write(line)
            return
        now(self.disk.store.put(CLIENT, self.state.owner, Message(channel, 0, 0, line)))
        self.state.was_put(channel)
        self.disk.put.append(line)
        self.session.channels.open(channel).append(line, True)

    def expected(self, channel):
        return self.state.cursors.get(channel, 0)

    def cursors(self):
        cursors = super().cursors()
        for channel in self.session.channels.used:
            cursors = {**cursors, **self.state.cursors_with(channel.number, channel.ack()), 0: cursors[0]}
        return cursors

    def work(self):
        super().work()
        session, store, state = self.session, self.disk.store, self.state
        for channel in session.channels.used:
            lines = channel.received[:]
            if lines:
                messages = [Message(channel.number, 0, 0, data) for data in lines]
                cursors = {**self.cursors(), channel.number: channel.expected()}
                now(store.receive(CLIENT, state.owner, session.peer_epoch, cursors, messages))
                state.was_received(session.peer_epoch, cursors)
                self.disk.received += lines
                for _ in lines:
                    session.channels.accept(channel, 0)
            base = channel.base
            if base != state.bases.get(channel.number, 0):
                now(store.acknowledge(CLIENT, state.owner, {channel.number: base}))
                state.was_acknowledged({channel.number: base})


class Client(branches.Client):
    def __init__(self):
        super().__init__()
        self.session = ChannelSession(self.session)
        self.sent = {}
        for number in CHANNELS:
            self.session.channels.open(number)
            self.sent[number] = []  # all that was ever written

    def write(self, line, channel=0):
        if not channel:
            super().write(line)
            return
        self.written.append(line)
        self.sent[channel].append(line)
        self.session.channels.open(channel).append(line, True)

    def acknowledged(self):
        on_channels = {line for lines in self.sent.values() for line in lines}
        found = [line for line in self.written if line not in on_channels][: self.session.acknowledged]
        for channel, lines in self.sent.items():
            found += lines[: self.session.channels.get(channel).acknowledged]
        return found

    def hand_over(self, count):
        super().hand_over(count)
        channels = self.session.channels
        for channel in channels.used:
            for _ in range(min(count, len(channel.received))):
                self.read.append(channel.received[0])
                channels.accept(channel, 0)


class Connection(branches.Connection):
    def _idle(self):
        channels = [*self.client.session.channels.used, *self.server.session.channels.used]
        return super()._idle() and not any(one.unacknowledged() or one.received for one in channels)
