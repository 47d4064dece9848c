"""A client, and servers whose stores are copied, restored and swapped, as in branches.py, with messages on channels.

Unrealistic: the messages of a channel other than 0 go from one to the other as they are, without frames, and only while
both ends are open. What each end knows of a channel, and tells in its entry after RESUME, is as docs/protocol.md says.
"""

from protocol.server_session import ServerSession
from protocol.session import OPEN
from server.core.message import Message
from tests.server import branches
from tests.server.branches import CLIENT, diff, now

CHANNELS = (5, 9)


class Session(ServerSession):
    """Has heard of the client's channels, and keeps what it has answered."""

    entries = None  # of the client, by channel
    parted = False

    @property
    def heard(self):
        heard = ServerSession.heard.fget(self)
        if heard:
            heard.channels = self.entries
        return heard

    def answer(self, now, runs, parted=False, lost=0):
        self.parted = parted or not self.heard.remembered  # what it says of our messages does not count
        return super().answer(now, runs, parted, lost)


class Server(branches.Server):
    def __init__(self, disk):
        super().__init__(disk)
        old, self.session = self.session, Session(diff)
        self.session.restore(old.peer_epoch, self.state.cursors[0], self.state.bases[0], self.state.lines)

    def write(self, line, channel=0):
        if not channel:
            super().write(line)
            return
        now(self.disk.store.put(CLIENT, self.state.owner, Message(channel, 0, 0, line)))
        self.state.was_put(channel)
        self.disk.put.append(line)

    def waiting(self, channel):
        """[(number, bytes)] of the channel's messages for the client."""
        box = self.disk.store._clients[CLIENT].outbox.get(channel)
        base = self.state.bases.get(channel, 0)
        return [(base + at, row[1].data) for at, row in enumerate(box.rows)] if box else []

    def acknowledge(self, channel, base):
        now(self.disk.store.acknowledge(CLIENT, self.state.owner, {channel: base}))
        self.state.was_acknowledged({channel: base})

    def expected(self, channel):
        return self.state.cursors.get(channel, 0)

    def receive(self, channel, data):
        cursors = self.cursors()
        cursors[channel] = self.expected(channel) + 1
        epoch = self.session.peer_epoch
        now(self.disk.store.receive(CLIENT, self.state.owner, epoch, cursors, [Message(channel, 0, 0, data)]))
        self.state.was_received(epoch, cursors)
        self.disk.received.append(data)

    def work(self):
        asked = self.session.asked
        super().work()
        if asked and not self.session.asked and not self.session.parted:
            for channel, (_, ack, _, _) in self.session.entries.items():
                self.acknowledge(channel, ack)


class Client(branches.Client):
    def __init__(self):
        super().__init__()
        self.at = None  # epoch of the server that `next` is of
        self.next = dict.fromkeys(CHANNELS, 0)
        self.former = (None, None)  # the same of the server before, as Session remembers it of the lines
        self.base = dict.fromkeys(CHANNELS, 0)
        self.sent = {channel: [] for channel in CHANNELS}  # all that was ever written

    def write(self, line, channel=0):
        if not channel:
            super().write(line)
            return
        self.written.append(line)
        self.sent[channel].append(line)

    def become(self, epoch, numbers):
        self.former, self.at, self.next = (self.at, self.next), epoch, dict(numbers)

    def meets(self, epoch):
        if self.former[0] == epoch and self.at != epoch:
            self.become(*self.former)

    def resume(self, epoch, parted, bases):
        """The server's RESUME has come, with its entries."""
        if self.at != epoch:
            self.become(epoch, bases)
        for channel in CHANNELS:
            if parted or bases[channel] > self.next[channel]:
                self.next[channel] = bases[channel]

    def entries(self):
        return {one: (self.base[one], self.next[one], self.next[one], 1) for one in CHANNELS}

    def acknowledged(self):
        lines = [line for line in self.written if line not in {*self.sent[5], *self.sent[9]}]
        found = lines[: self.session.acknowledged]
        for channel in CHANNELS:
            found += self.sent[channel][: self.base[channel]]
        return found


class Connection(branches.Connection):
    def __init__(self, client, server):
        client.meets(server.state.epoch)
        server.session.entries = client.entries()
        self._resumed = False
        super().__init__(client, server)

    def exchange(self, to_server=1000, to_client=1000, reading=1000):
        super().exchange(to_server, to_client, reading)
        if self.client.session.state == OPEN and self.server.session.state == OPEN:
            if not self._resumed:
                self._resumed = True
                state = self.server.state
                bases = {channel: state.bases.get(channel, 0) for channel in CHANNELS}
                self.client.resume(state.epoch, self.server.session.parted, bases)
            for channel in CHANNELS:
                self._carry(channel, to_server, to_client)

    def _carry(self, channel, to_server, to_client):
        """At most so many messages each way; acknowledgements arrive if any number may."""
        client, server = self.client, self.server
        for number, data in server.waiting(channel)[:to_client]:
            if number == client.next[channel]:
                client.read.append(data)
                client.next[channel] += 1
        for data in client.sent[channel][server.expected(channel) :][:to_server]:
            server.receive(channel, data)
        if to_server == to_client:
            server.acknowledge(channel, client.next[channel])
            client.base[channel] = server.expected(channel)

    def _idle(self):
        server = self.server
        waiting = any(server.waiting(channel) for channel in CHANNELS)
        pending = any(len(self.client.sent[channel]) > self.client.base[channel] for channel in CHANNELS)
        return super()._idle() and not waiting and not pending
