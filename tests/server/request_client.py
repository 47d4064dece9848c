"""`channel_peer.py` with a client that answers on one channel, and asks on another."""

import asyncio
import collections

from primitives.platform import ticks_ms
from primitives.waiting import ticks_add
from protocol.channel_records import ANSWER, EXPIRES, FAILURE, FIELD, FIELDS, REQUEST
from protocol.requests import ident
from tests.server.channel_peer import ChannelClient
from tests.server.peer import until

ASK, SERVE = 30, 31  # channels: MQTT applications ask on one, and answer on the other
LONG_MS = 60000

LIMIT = FIELDS - FIELD  # bytes of a time limit in front of an id


class RequestClient(ChannelClient):
    """Answers on channel ASK, and asks on SERVE. It comes back whenever its connection ends."""

    def __init__(self, port, client_id="a", **more):
        super().__init__(port, (ASK, SERVE), client_id=client_id, **more)
        self.runs = collections.Counter()  # data of a request -> how often it was run
        self.answered = {}  # number of an own request -> (ANSWER or FAILURE, data)
        self.fails = set()  # data of requests that fail
        self.held = []  # requests that are not answered, while `holding`
        self.holding = False

    async def live(self):
        while True:
            self._task = asyncio.create_task(self._run())
            await asyncio.wait([self._task])
            await asyncio.sleep(0.02)

    def ask(self, number, data=b"", ttl_ms=LONG_MS):
        deadline = ticks_add(ticks_ms(), ttl_ms)
        self.open(SERVE).append(bytes(LIMIT) + ident(number) + data, True, REQUEST | EXPIRES, deadline)
        self._after()

    def release(self):
        """Answer what was held, the last one first."""
        self.holding = False
        self.held.reverse()
        for name, data in self.held:
            self._answer(name, data)
        self.held.clear()

    def _after(self):
        if self.up and self._writer is not None:
            self._flush()

    def _answer(self, name, data):
        bad = data in self.fails
        self.open(ASK).append(name + (b"ValueError: bad" if bad else data[::-1]), True, FAILURE if bad else ANSWER)
        self._after()

    def _hand_over(self):
        super()._hand_over()
        for data, kind, *_ in self.got.pop(ASK, ()):
            at = LIMIT if kind & EXPIRES else 0
            name, data = data[at : at + 4], data[at + 4 :]
            self.runs[data] += 1
            if self.holding:
                self.held.append((name, data))
            else:
                self._answer(name, data)
        for data, kind, *_ in self.got.pop(SERVE, ()):
            self.answered.setdefault(int.from_bytes(data[:4], "big"), (kind & ~EXPIRES, data[4:]))

    async def has_answer(self, number):
        await until(lambda: number in self.answered, f"the answer to {number}")
        return self.answered[number]
