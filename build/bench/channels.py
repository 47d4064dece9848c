"""What channels carry beside the lines, and whether one that nobody reads slows another: on the virtual bed, exact.

The utilisation and the echo are those of wire.py, of messages instead of lines.
"""

import asyncio

from build.bench.bed import COSTS, WIRE_BYTES_S, WIRE_HZ, Bed
from build.bench.figures import Figure

_SIZE = 1000  # bytes of a message
_SECONDS = 30.0
_ECHOES = 200
_ECHO_BYTES = 50
_FULL_S = 20.0  # until the writers of the channel that nobody reads have stopped
_CHANNEL, _UNREAD = 20, 21


class Stream:
    """Endless messages on one channel, one way. Args: direction: "up" or "down"; costs."""

    def __init__(self, direction, costs):
        self._data = bytes(range(250)) * (_SIZE // 250)
        self._writer = direction
        self.messages = 0
        self.bed = Bed(self._client, self._serve, costs)

    async def _client(self, app):
        await self._one_end(app.channel(_CHANNEL), "up")

    async def _serve(self, conn):
        await self._one_end(conn.channel(_CHANNEL), "down")

    async def _one_end(self, channel, direction):
        while direction == self._writer:
            await channel.send(self._data, wait=False)
        async for message in channel:
            assert message.data == self._data
            self.messages += 1

    def measure(self, seconds=_SECONDS):
        """Returns messages a second."""
        with self.bed.running():
            messages, began = self.messages, self.bed.world.now
            self.bed.run_for(seconds)
            return (self.messages - messages) / (self.bed.world.now - began)


class Echo:
    """Messages of a channel, or lines, that the server's application sends back, one at a time. Args: lines: of the
    lines; full: beside it both ends have written to another channel, which nobody reads, until they had to wait.
    """

    def __init__(self, costs, lines=False, full=False, count=_ECHOES):
        self._count = count
        self._lines = lines
        self._full = full
        self.sent = {"up": 0, "down": 0}  # messages on the channel that nobody reads
        self.at_first = None  # `sent` when the echo began
        self.seconds = []
        self.bed = Bed(self._client, self._serve, costs)

    async def _fill(self, channel, direction):
        while self._full:
            await channel.send(bytes(_SIZE), wait=False)
            self.sent[direction] += 1

    async def _client(self, app):
        await asyncio.gather(self._fill(app.channel(_UNREAD), "up"), self._ask(app, app.channel(_CHANNEL)))

    async def _ask(self, app, channel):
        world = self.bed.world
        await asyncio.sleep(_FULL_S)
        self.at_first = dict(self.sent)
        while len(self.seconds) < self._count:
            text = f"{len(self.seconds):0{_ECHO_BYTES - 1}d}"
            began = world.now
            if self._lines:
                await app.write(text)
                assert await app.readline() == text + "\n"
            else:
                await channel.send(text + "\n")
                assert (await channel.receive()).data == text.encode() + b"\n"
            self.seconds.append(world.now - began)
            await asyncio.sleep(0.0371)  # at all phases of what is periodic

    async def _serve(self, conn):
        await asyncio.gather(self._fill(conn.channel(_UNREAD), "down"), self._answer(conn, conn.channel(_CHANNEL)))

    async def _answer(self, conn, channel):
        while self._lines:
            await conn.write(await conn.readline(), wait=False)
        while True:
            await channel.send((await channel.receive()).data, wait=False)

    def measure(self):
        """Returns the seconds of each, sorted. Raises: RuntimeError if the other channel was not full all the time."""
        with self.bed.running():
            self.bed.until(lambda: len(self.seconds) == self._count, 60 + _FULL_S + self._count)
        if self.at_first != self.sent or self._full != all(self.sent.values()):
            raise RuntimeError(f"the channel that nobody reads was not full: {self.at_first}, then {self.sent}")
        return sorted(self.seconds)


def measure():
    """Returns all figures, section by section."""
    figures = []
    for cost, costs in COSTS.items():
        for direction in ("up", "down"):
            rate = Stream(direction, costs).measure()
            name = f"channel {direction} {_SIZE} stream {cost}"
            figures.append(Figure("channels", name, rate * _SIZE / WIRE_BYTES_S, "of the wire"))
    for cost, costs in COSTS.items():
        for lines in (False, True):
            name = f"{'lines' if lines else 'channel'} echo {cost}"
            alone, beside = (Echo(costs, lines, full).measure()[_ECHOES // 2] for full in (False, True))
            figures.append(Figure("channels", f"{name} median clocks", round(alone * WIRE_HZ), "clocks"))
            name += ", a full channel beside it, of it alone"
            figures.append(Figure("channels", name, beside / alone, "times"))
    return figures
