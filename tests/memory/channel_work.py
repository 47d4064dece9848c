"""What both applications do on a channel in failing_link.py, and what must have become of it.

Each sends messages of which some have a time limit. One of the client's is written before there is a connection, and
expires there; one comes while the server takes none, and expires there; and the client does not read for longer than
one of the server's may wait. A failed allocation may let them arrive nevertheless, or others be late: what `send` says
of each must be so.
"""

import asyncio

import allocations

from pb_link.channels import Expired  # and so it is loaded: tests/memory/failing_imports.py has how that may fail
from primitives.platform import ticks_diff, ticks_ms
from primitives.waiting import ticks_add
from protocol.channel_records import EXPIRES

CHANNEL = 20
SHORT_MS, LONG_MS = 5, 400
PAUSE_MS = 600  # longer than LONG_MS
FIELD = bytes(2)
# (message, limit in ms or None). The one of 1,700 bytes is cut into fragments.
UP = ((b"up 0", SHORT_MS), (b"up 1" + bytes(1700), None), (b"up 2", LONG_MS), (b"up 3", 30000), (b"up 4", None))
DOWN = ((b"down 0", None), (b"down 1" + bytes(1700), 30000), (b"down 2", LONG_MS), (b"down 3", None))
DEAF_AT = 2  # while this one is sent the server takes none


class Server:
    """The server's end of the channel. Args: session: ServerSession."""

    def __init__(self, session):
        self.up = []  # messages that its application has read
        self.counts = {}  # message -> count of `append`
        self.deaf_until = None
        self._channels = session.channels

    @property
    def channel(self):
        return self._channels.get(CHANNEL)

    def act(self, now):
        self._channels.tick(now)
        channel = self.channel
        if channel is None:
            return
        while len(self.counts) < len(DOWN):
            data, ttl_ms = DOWN[len(self.counts)]
            if not channel.room_for(len(data) + len(FIELD), ttl_ms is not None):
                break
            if ttl_ms is None:
                self.counts[data] = channel.append(data, True)
            else:
                self.counts[data] = channel.append(FIELD + data, True, EXPIRES, ticks_add(now, ttl_ms), True)
        if self.deaf_until is not None and ticks_diff(now, self.deaf_until) < 0:
            return
        while channel.front(now) is not None:
            self.up.append(channel.front_data())
            self._channels.accept(channel, now)


class Client:
    """The client's application. Args: app: AppBase; server: Server, as it can be asked."""

    def __init__(self, app, server):
        self.down = []  # messages that were read
        self.said = {}  # message -> True if `send` said that it was accepted
        self.done = 0
        self._app = app
        self._server = server

    async def write(self):
        channel = self._channel()
        for data, ttl_ms in UP:
            allocations.pause()
            if data == UP[DEAF_AT][0]:
                self._server.deaf_until = ticks_add(ticks_ms(), PAUSE_MS)
            allocations.resume()
            accepted = None
            while accepted is None:
                try:
                    await channel.send(data, ttl_ms=ttl_ms)
                    accepted = True
                except MemoryError:
                    continue
                except Expired:
                    accepted = False
            allocations.pause()
            self.said[data] = accepted
            allocations.resume()
        self.done += 1

    async def read(self):
        channel = self._channel()
        while True:
            try:
                if len(self.down) == 2:
                    await asyncio.sleep_ms(PAUSE_MS)
                message = await channel.receive()
            except MemoryError:
                continue
            allocations.pause()
            self.down.append(message.data)
            allocations.resume()
            if message.data == DOWN[-1][0]:
                break
        self.done += 1

    def _channel(self):
        while True:
            try:
                return self._app.channel(CHANNEL)
            except MemoryError:
                continue

    def idle(self):
        """True if both tasks have ended and nothing is under way."""
        if self.done != 2:
            return False
        return not (self._inner().unacknowledged() or self._server.channel.unacknowledged())

    def _inner(self):
        """The protocol's Channel."""
        return self._app.channel(CHANNEL)._channel

    def fault(self):
        """Returns None, or what is wrong."""
        server = self._server
        late = [data for data, ttl_ms in DOWN if ttl_ms is not None and server.channel.has_expired(server.counts[data])]
        if server.up != [data for data, _ in UP if self.said[data]]:
            return "up %r, said %r" % ([data[:4] for data in server.up], [self.said[data] for data, _ in UP])
        if self.down != [data for data, _ in DOWN if data not in late]:
            return "down %r, late %r" % ([data[:6] for data in self.down], [data[:6] for data in late])
        if any(not accepted for data, accepted in self.said.items() if not dict(UP)[data]):
            return "one without a limit has expired"
        inner = self._inner()
        watched = [count for count in range(len(UP) + 2) if inner.has_expired(count) is not None]
        if watched or inner.timed:
            return "watched for ever: %r, timed %d" % (watched, inner.timed)
        return None

    def expired(self):
        """How many did, at either end."""
        return len(UP) - len(self._server.up) + len(DOWN) - len(self.down)
