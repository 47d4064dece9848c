"""Between a gateway and its broker: passes everything on, and keeps who has acknowledged what.

So what a killed broker forgets after it has acknowledged it can be told from what a gateway loses.
"""

import asyncio
import collections
import contextlib

from tests.server.peer import HOST, free_port
from tests.server.scripted_broker import PUBACK, PUBLISH, read_packet

_FAILURE = 0x80  # reason codes from here on


class Recorder:
    """Use: `async with Recorder(broker.port) as recorder`; the gateway's broker is recorder.port."""

    def __init__(self, broker_port):
        self.port = free_port()
        self.up = collections.Counter()  # (topic, text) -> acknowledgements by the broker
        self.down = collections.Counter()  # .. by the gateway
        self.first = {}  # topic -> texts in the order in which they first came from the gateway
        self.published_again = 0  # by the gateway
        self.repeated = 0  # messages of the broker with DUP
        self._broker_port = broker_port
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        return self

    async def __aexit__(self, *error):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader, writer):
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader, writer):
        broker_writer = None
        ways = []
        try:
            broker_reader, broker_writer = await asyncio.open_connection(HOST, self._broker_port)
            sent, got = {}, {}
            ways = [
                asyncio.create_task(self._pass(reader, broker_writer, sent, got, self.down)),
                asyncio.create_task(self._pass(broker_reader, writer, got, sent, self.up)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # there is no broker now
        finally:
            for way in ways:
                way.cancel()
            for one in (writer, broker_writer):
                if one is not None:
                    one.close()

    async def _pass(self, reader, writer, published, others, acknowledged):
        """published: packet id -> (topic, text), from here; others: of the other end, acknowledged from here."""
        with contextlib.suppress(OSError, EOFError):
            while True:
                head, body = await read_packet(reader)
                if head & 0xF0 == PUBLISH and head & 6:
                    self._note(head, body, published, acknowledged)
                elif head == PUBACK and (len(body) == 2 or body[2] < _FAILURE):
                    acknowledged[others.pop(int.from_bytes(body[:2], "big"))] += 1
                writer.write(bytes((head,)) + _length(len(body)) + body)
                await writer.drain()

    def _note(self, head, body, published, acknowledged):
        end = 2 + int.from_bytes(body[:2], "big")
        packet_id = int.from_bytes(body[end : end + 2], "big")
        topic, text = body[2:end].decode(), body[end + 3 + body[end + 2] :].decode()
        published[packet_id] = (topic, text)
        if acknowledged is self.down:  # from the gateway
            before = self.first.setdefault(topic, {})
            self.published_again += text in before and "/up" in topic
            before[text] = None
        self.repeated += bool(head & 8)


def _length(size):
    encoded = b""
    while not encoded or size:
        size, low = size >> 7, size & 0x7F
        encoded += bytes((low | 0x80 if size else low,))
    return encoded
