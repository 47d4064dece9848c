"""Utilisation of the wire by lines, and the cost of an echo: on the virtual bed, exact and equal on every machine."""

import asyncio
import itertools
import sys

from build.bench import ceiling
from build.bench.bed import COSTS, WIRE_BYTES_S, WIRE_HZ, Bed
from build.bench.figures import Figure

SIZES = (50, 180, 1000)  # bytes of a line, its newline included
DIRECTIONS = ("up", "down", "both")
# Each line begins one character later than the one before, so that no transfer looks like the one that had its place in
# the mailbox: the client would find it whole, and take it, before the bridge has written all of it.
_TEXT = "abcdefghijklmnopqrstuvwxyz0123456789" * 30
_STARTS = 36
_SECONDS = 30.0  # about 1,050 frames: one that is cut by the end of the window is 0.1 %
_ECHOES = 200
_ECHO_BYTES = 50
_PAUSE_S = 0.0371  # after an echo: at all phases of what is periodic
_CHANNEL = 30  # of requests
_LIMIT_MS = 60000


class Traffic:
    """Endless lines of one size. Args: direction: "up", "down" or "both"; wait: each for its acknowledgement."""

    def __init__(self, direction, size, wait, costs):
        self._texts = [_TEXT[start : start + size - 1] for start in range(_STARTS)]
        self._wait = wait
        self._direction = direction
        self.lines = 0
        self.bed = Bed(self._client, self._serve, costs)

    async def _client(self, app):
        await self._both(app, self._direction != "down")

    async def _serve(self, conn):
        await self._both(conn, self._direction != "up")

    async def _both(self, end, writes):
        await asyncio.gather(self._read(end), *([self._write(end)] if writes else []))

    async def _write(self, end):
        for text in itertools.cycle(self._texts):
            await end.write(text, wait=self._wait)

    async def _read(self, end):
        for text in itertools.cycle(self._texts):
            line = await end.readline()
            assert line == text + "\n"
            self.lines += 1

    def measure(self, seconds=_SECONDS):
        """Returns (lines, bytes clocked, transactions) a second."""
        with self.bed.running():
            lines, (began, clocked, transactions) = self.lines, self.bed.counts
            self.bed.run_for(seconds)
            now, now_clocked, now_transactions = self.bed.counts
        took = now - began
        return (self.lines - lines) / took, (now_clocked - clocked) / took, (now_transactions - transactions) / took


def utilisation(direction, size, wait, cost):
    """Returns the three figures of one kind of traffic, and its fallbacks."""
    costs = COSTS[cost]
    traffic = Traffic(direction, size, wait, costs)
    lines, clocked, transactions = traffic.measure()
    limit = (ceiling.single if wait else ceiling.stream)(direction, size, costs)
    name = f"{direction} {size} {'single' if wait else 'stream'} {cost}"
    return (
        Figure("wire", name, lines * size / WIRE_BYTES_S, "of the wire", limit / WIRE_BYTES_S),
        Figure("clocked", name + " clocked", clocked / (lines * size), "bytes per byte"),
        Figure("transactions", name + " transactions", transactions / lines, "per line"),
        traffic.bed.fallbacks,
    )


class Echo:
    """Lines that the server's application sends back, one at a time. Args: count: of them; pause_s: function (number
    of an echo) -> seconds until the next one."""

    def __init__(self, costs, count=_ECHOES, pause_s=lambda number: _PAUSE_S):
        self._count = count
        self._pause_s = pause_s
        self.seconds = []
        self.bed = Bed(self._client, self._serve, costs)

    async def _client(self, app):
        world = self.bed.world
        await asyncio.sleep(2.0)  # the first connection has settled
        while len(self.seconds) < self._count:
            line = f"{len(self.seconds):0{_ECHO_BYTES - 1}d}"
            began = world.now
            await app.write(line)
            assert await app.readline() == line + "\n"
            self.seconds.append(world.now - began)
            await asyncio.sleep(self._pause_s(len(self.seconds)))

    async def _serve(self, conn):
        while True:
            await conn.write(await conn.readline(), wait=False)

    def measure(self):
        with self.bed.running():
            self.bed.until(lambda: len(self.seconds) == self._count, 60 + self._count)
        return sorted(self.seconds)


class Requests(Echo):
    """Requests whose answers are what was asked, one at a time. Args: asks: "client" or "server"."""

    def __init__(self, asks, costs):
        self._asks = asks
        super().__init__(costs)

    async def _client(self, app):
        await self._ask_or_answer(app, "client")

    async def _serve(self, conn):
        await self._ask_or_answer(conn, "server")

    async def _ask_or_answer(self, end, who):
        if who != self._asks:
            end.on_request(_CHANNEL, lambda data: data)
            return
        world = self.bed.world
        await asyncio.sleep(2.0)
        await end.request(_CHANNEL, b"the channel is open", _LIMIT_MS)
        while len(self.seconds) < self._count:
            data = f"{len(self.seconds):0{_ECHO_BYTES}d}".encode()
            began = world.now
            assert await end.request(_CHANNEL, data, _LIMIT_MS) == data
            self.seconds.append(world.now - began)
            await asyncio.sleep(_PAUSE_S)


def echo(cost):
    limit = ceiling.echo(_ECHO_BYTES, COSTS[cost])
    yield from _times("echo", f"echo {cost}", Echo(COSTS[cost]).measure(), limit)


def requests(cost):
    for asks in ("client", "server"):
        yield from _times("requests", f"request of the {asks} {cost}", Requests(asks, COSTS[cost]).measure())


def _times(section, name, seconds, limit=None):
    for part, at in (("median", len(seconds) // 2), ("p99", len(seconds) * 99 // 100)):
        for unit, factor in (("ms", 1000), ("clocks", WIRE_HZ)):
            value, least = seconds[at] * factor, None if limit is None else limit * factor
            if unit == "clocks":
                value, least = round(value), least and round(least)
            yield Figure(section, f"{name} {part}" + (" clocks" if unit == "clocks" else ""), value, unit, least)


def measure():
    """Returns all figures, section by section."""
    wire = []
    for cost in COSTS:
        for wait in (False, True):
            for size in SIZES:
                for direction in DIRECTIONS:
                    wire.append(utilisation(direction, size, wait, cost))
                    print(".", end="", file=sys.stderr, flush=True)
    *columns, fallbacks = zip(*wire)
    figures = [figure for column in columns for figure in column]
    figures.append(Figure("wake-ups", "fallbacks, all lines of the wire", sum(fallbacks), "looks"))
    for cost in COSTS:
        figures += echo(cost)
    for cost in COSTS:
        figures += requests(cost)
    return figures
