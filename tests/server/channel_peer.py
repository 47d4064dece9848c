"""`peer.py` with a client that uses channels."""

from primitives.platform import ticks_ms
from primitives.waiting import ticks_add
from protocol.channel_records import EXPIRES
from protocol.channel_session import ChannelSession
from tests.server.peer import Client, until, within


class ChannelClient(Client):
    """channels: those that its application has opened; mute: those of them that it does not read."""

    def __init__(self, port, channels=(20,), **more):
        super().__init__(port, **more)
        self.session = ChannelSession(self.session)
        for number in channels:
            self.open(number)
        self.mute = set()
        self.got = {}  # channel: messages

    def open(self, number):
        return self.session.channels.open(number)

    def send(self, number, data, qos=True, ttl_ms=None):
        channel = self.open(number)
        if ttl_ms is None:
            channel.append(data, qos)
        else:
            channel.append(bytes(2) + data, qos, EXPIRES, ticks_add(ticks_ms(), ttl_ms))
        if self.up:
            self._flush()

    async def accepted(self):
        """Wait until the server has accepted every message."""
        await until(lambda: not any(one.unacknowledged() for one in self.session.channels.used), "acknowledgements")

    async def messages(self, number, count):
        while len(self.got.get(number, ())) < count:
            await within(self.changed.wait())
        return self.got[number]

    def read_again(self):
        self.mute = set()
        super().read_again()

    def _hand_over(self):
        channels = self.session.channels
        channels.tick(ticks_ms())
        for channel in channels.used:
            while channel.number not in self.mute and channel.front(ticks_ms()) is not None:
                self.got.setdefault(channel.number, []).append(channel.received[0])
                channels.accept(channel, ticks_ms())
        super()._hand_over()
