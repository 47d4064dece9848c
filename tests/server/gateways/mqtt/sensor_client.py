"""A client with a sensor bus, for a server: it sends batches of samples, and answers the commands to the bus."""

import json

from protocol.channel_records import ANSWER, EXPIRES, FIELD
from sensor_bus.batch import encode_batch
from sensor_bus.publish import ONLINE, encode_devbin
from sensor_bus.records import standard_records
from server.core.sensors import COMMANDS, SAMPLES
from tests.server.channel_peer import ChannelClient
from tests.server.request_client import LIMIT

RECORDS = standard_records()
WARM = b"\x01\x50"  # of an MCP9808: 21 °C
COLD = b"\x1f\xcc"  # -3.25 °C


def thermometer(sixteenths):
    """The bytes of an MCP9808."""
    return (sixteenths & 0x1FFF).to_bytes(2, "big")


class SensorClient(ChannelClient):
    """there: {address: type name} of what its bus lists; asked: commands that have come; silent: it answers none."""

    def __init__(self, port, **more):
        super().__init__(port, (SAMPLES, COMMANDS), **more)
        self.there = {}
        self.asked = []
        self.silent = False
        self.answers = {}  # name of a command -> its answer, a dict
        self.now = 0  # of the bus, 100 us

    def measure(self, data, address=0x18, type_name="MCP9808", *, after_ms=1000, status=ONLINE, number=None):
        """Send a sample, so long after the last one. data: bytes, or a list: samples of one batch, 100 us apart."""
        samples = [data] if isinstance(data, bytes) else data
        self.now += after_ms * 10
        times = [self.now - len(samples) + 1 + index for index in range(len(samples))]
        kind = RECORDS.number(type_name) if number is None else number
        found = [(time & 0xFFFF, one) for time, one in zip(times, samples)]
        envelope = encode_devbin(0, 0, 1, [(address, kind, status, 0, found)])
        self.there[address] = type_name
        self.send(SAMPLES, encode_batch(7, self.now, {kind: type_name}, envelope))

    def _hand_over(self):
        super()._hand_over()
        for data, kind, *_ in self.got.pop(COMMANDS, ()):
            at = LIMIT if kind & EXPIRES else 0
            name, request = data[at : at + FIELD], json.loads(data[at + FIELD :])
            self.asked.append(request)
            if not self.silent:
                self._answer(name, self.answers.get(request["cmd"], self._listed()))

    def _listed(self):
        return {"bus": 1, "devs": [[address, name, 1] for address, name in self.there.items()]}

    def _answer(self, name, found):
        self.open(COMMANDS).append(name + json.dumps(found).encode(), True, ANSWER)
        if self.up and self._writer is not None:
            self._flush()
