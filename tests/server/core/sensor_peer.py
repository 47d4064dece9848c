"""A client's sensors without a client: a connection whose channel of sensor data a test fills."""

import asyncio
import json

from protocol.errors import LinkDown
from sensor_bus.batch import encode_batch
from sensor_bus.publish import PENDING_DELETION, encode_devbin
from sensor_bus.records import standard_records
from server.core.message import Received
from server.core.sensors import COMMANDS, SAMPLES, Sensors

RECORDS = standard_records()
MCP = RECORDS.number("MCP9808")
UTC = 1_700_000_000.0


class FakeChannel:
    def __init__(self):
        self.queue = asyncio.Queue()
        self.committed = 0
        self.asked = []
        self.answer = None  # function (request dict) -> answer dict, or an exception to raise

    async def messages(self):
        while True:
            yield await self.queue.get()
            self.committed += 1

    async def request(self, data, timeout_ms, wait):
        self.asked.append((json.loads(data), timeout_ms, wait))
        if self.answer is None:
            raise LinkDown("the client is absent")
        found = self.answer(self.asked[-1][0])
        return found if isinstance(found, bytes) else json.dumps(found).encode()


class FakeClient:
    """What Sensors uses of a Connection, and the other end of it."""

    client_id = "mast"

    def __init__(self):
        self.channels = {SAMPLES: FakeChannel(), COMMANDS: FakeChannel()}
        self.told = []
        self.number = 0
        self.sensors = Sensors(self, RECORDS, lambda event, client_id, **details: self.told.append((event, details)))

    def channel(self, number, start=16):
        assert start == 1
        return self.channels[number]

    def send(self, data, received_s):
        self.channels[SAMPLES].queue.put_nowait(Received(data, SAMPLES, self.number, round(received_s * 1000)))
        self.number += 1

    def send_gone(self, time, received_s, *, life=7, address=0x18):
        """A device is gone. time: whole."""
        envelope = encode_devbin(0, 0, 1, [(address, MCP, PENDING_DELETION, 0, [])])
        self.send(encode_batch(life, time, {MCP: "MCP9808"}, envelope), received_s)

    def send_samples(self, samples, received_s, *, life=7, names=None, kind=MCP, address=0x18):
        """samples: [(whole time, bytes)] of one device."""
        devices = [(address, kind, 1, 0, [(time & 0xFFFF, data) for time, data in samples])]
        names = {MCP: "MCP9808"} if names is None else names
        envelope = encode_devbin(0, 0, 1, devices)
        self.send(encode_batch(life, samples[-1][0], names, envelope), received_s)

    @property
    def committed(self):
        return self.channels[SAMPLES].committed

    @property
    def commands(self):
        return self.channels[COMMANDS]
