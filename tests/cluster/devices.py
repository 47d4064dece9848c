"""The clients of a cluster's test: each has lives, goes from node to node, and notes what it wrote and read.

A client reaches its nodes through proxies: what it has sent to one may arrive there when it has long been at another.
"""

import asyncio
from types import SimpleNamespace

from primitives.platform import ticks_ms
from protocol.frame import PROOF
from protocol.framing import KEEPALIVE
from sim.virtual.ledger import Ledger
from tests.cluster.node import CHANNEL
from tests.cluster.proxy import TO_SERVER
from tests.server.channel_peer import ChannelClient

CHANNELS = (0, CHANNEL)  # 0: the lines
SILENCE_S = 2.0  # after which a client gives its node up
KEEPALIVE_S = 0.4
AGAIN_S = 0.05  # between two attempts to connect
BURST = 12  # messages at most that are written at once
LONGEST = 200  # bytes of a message, about
LATE_S = (0.0, 0.1, 0.5, 1.5, 3.0)  # after which what is held of a connection that was left arrives
LEAVING_S = 1.0  # and after this it ends


class Life(ChannelClient):
    """One life of a client, from its start to its loss of power."""

    def __init__(self, *args, **more):
        super().__init__(*args, channels=(CHANNEL,), **more)
        self.holds_proof = None  # function (writer): the next PROOF is to arrive late

    def acknowledged(self, channel):
        """Returns how many of the messages that it has written on a channel the server has accepted."""
        return self.of(channel).acknowledged

    def of(self, channel):
        """What has `append`, `room_for` and `acknowledged` of a channel."""
        return self.session.channels.get(channel) if channel else self.session

    def read_on(self, channel):
        """The messages that have been read on a channel: a list that grows."""
        return self.got.setdefault(channel, []) if channel else self.lines

    def waits_for(self):
        """Whether a message has not been accepted."""
        return any(self.of(channel).lines if channel else not self.session.room_for(1 << 20) for channel in CHANNELS)

    async def stay(self, port):
        """Connect, and return when that connection has ended."""
        self.port = port
        self._task = asyncio.create_task(self._run())
        await asyncio.wait([self._task])

    def leave(self):
        """Go away without a word. Returns the writer of the connection, which is half open."""
        writer = self._writer
        self._half_open.append(writer)
        self.cut()
        return writer

    def append(self, channel, data):
        if channel:
            self.send(channel, data)
        else:
            self.session.append(data, True)
            if self.up:
                self._flush()

    def _send_frame(self, frame):
        super()._send_frame(frame)
        if frame[0] == PROOF and self.holds_proof is not None:
            self._half_open.append(self._writer)
            self.holds_proof(self._writer)
            self.holds_proof = None
            raise OSError(0, "gone in the middle of the handshake")

    async def _read(self, reader):
        silent_s = 0.0
        while True:
            due_ms = self.session.next_timeout(ticks_ms())
            wait_s = KEEPALIVE_S if due_ms is None else min(due_ms / 1000, KEEPALIVE_S)
            try:
                async with asyncio.timeout(wait_s):
                    data = await reader.read(4096)
            except asyncio.TimeoutError:
                silent_s += wait_s
                if silent_s > SILENCE_S:
                    raise EOFError("the node is silent")
                self._flush()
                self._send(KEEPALIVE)
                continue
            if not data:
                raise EOFError
            return data


class Device:
    """A client. Args: proxies: of the nodes; rng: random.Random; line_s: mean pause between two bursts.

    `ledgers`: {channel: Ledger} of all its lives."""

    def __init__(self, client_id, key, proxies, rng, line_s):
        self.client_id = client_id
        self.node = rng.randrange(len(proxies))  # number of the one that it is at, or tries next
        self.wanted = None  # number of the one that it is to go to
        self.stopped = False  # nothing is written any longer
        self._key = key
        self._proxies = proxies
        self._rng = rng
        self._line_s = line_s
        world = SimpleNamespace(now=0.0, begin_s=0.0, tracer=None)
        self.ledgers = {channel: Ledger(world, 0) for channel in CHANNELS}
        self.life = None
        self._late = set()  # tasks of connections that were left
        self._begin()

    @property
    def lives(self):
        return len(self.ledgers[0].lives)

    def _begin(self):
        self.life = Life(self._proxies[0].port, client_id=self.client_id, key=self._key)
        for channel, ledger in self.ledgers.items():
            ledger.new_life().read = self.life.read_on(channel)
        self._numbers = dict.fromkeys(CHANNELS, 0)

    async def run(self):
        """Live for ever: come back whenever the connection ends, and write."""
        writing = asyncio.create_task(self._write())
        try:
            while True:
                await self.life.stay(self._proxies[self.node].port)
                if self.wanted is not None:
                    self.node, self.wanted = self.wanted, None
                elif self._rng.random() < 0.7:
                    self.node = self._rng.randrange(len(self._proxies))
                await asyncio.sleep(self._rng.uniform(0, 2 * AGAIN_S))
        finally:
            writing.cancel()
            for task in self._late:
                task.cancel()
            self.life.cut()

    # What happens to it

    def move(self, node):
        """Go to another node. The former one notices nothing, and gets what was under way later."""
        if self.life.up:
            self._leave()
        self.wanted = node

    def restart(self, node):
        """Lose power, and come back as a new life."""
        self._note()
        self.move(node)
        self.life.cut()
        self._begin()

    def move_in_handshake(self, node):
        """Go through a handshake up to the PROOF, which arrives late, and then to another node."""
        self.life.holds_proof = self._hold
        self.life.cut()
        self.wanted = node

    def _leave(self):
        writer = self.life._writer
        self._hold(writer)
        self.life.leave()

    def _hold(self, writer):
        """Have what was sent arrive late, and the connection end some time later."""
        own = writer.get_extra_info("sockname")
        links = [link for link in self._proxies[self.node].links if link.peer == own]
        for link in links:
            link.hold(TO_SERVER)
        late = asyncio.create_task(self._arrive_late(links, writer, self._rng.choice(LATE_S)))
        self._late.add(late)
        late.add_done_callback(self._late.discard)

    async def _arrive_late(self, links, writer, seconds):
        try:
            await asyncio.sleep(seconds)
            for link in links:
                link.release()
            await asyncio.sleep(LEAVING_S)
        finally:
            for link in links:
                link.reset()
            writer.transport.abort()

    # What it does

    async def _write(self):
        while True:
            await asyncio.sleep(self._rng.uniform(0, 2 * self._line_s))
            if self.stopped:
                continue
            for channel in CHANNELS:
                for _ in range(self._rng.choice((0, 1, 1, 1, BURST))):
                    self._write_one(channel)

    def _write_one(self, channel):
        number = self._numbers[channel]
        text = f"{self.lives}.{number}".ljust(self._rng.choice((0, 0, LONGEST)), ".")
        data = text.encode()
        if not self.life.of(channel).room_for(len(data)):
            return
        self._numbers[channel] += 1
        self.ledgers[channel].lives[-1].written.append(text)
        self.life.append(channel, data)

    def _note(self):
        """Note what the present life knows to be accepted."""
        for channel, ledger in self.ledgers.items():
            ledger.lives[-1].acknowledged = self.life.acknowledged(channel)

    def finish(self):
        """Nothing more happens."""
        self._note()
        for ledger in self.ledgers.values():
            ledger.lives[-1].finished = True
