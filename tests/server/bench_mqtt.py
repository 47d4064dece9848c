"""The same work through Mosquitto, for comparison: publishers, and one subscriber with a persistent session.

As much of MQTT 3.1.1 (OASIS) as that takes, so that the load costs little beside the broker: section 3 of the
standard has the packets. `window` messages of each publisher are in flight.
"""

import asyncio
import struct

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK = 0x10, 2, 3, 4, 5, 6, 7, 0x82, 9


def packet(kind, body):
    size, encoded = len(body), b""
    while True:
        size, low = size >> 7, size & 0x7F
        encoded += bytes((low | 0x80 if size else low,))
        if not size:
            return bytes((kind,)) + encoded + body


def text(words):
    return struct.pack(">H", len(words)) + words.encode()


def connect_packet(name, persistent):
    return packet(CONNECT, text("MQTT") + bytes((4, 0 if persistent else 2)) + struct.pack(">H", 0) + text(name))


class Peer:
    """One connection, with what publisher and subscriber share."""

    def __init__(self, name, persistent):
        self._hello = connect_packet(name, persistent)

    async def connect(self, port):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.writer.write(self._hello)
        kind, _ = await self.packet()
        assert kind == CONNACK << 4

    async def packet(self):
        kind = (await self.reader.readexactly(1))[0]
        size = shift = 0
        while True:
            low = (await self.reader.readexactly(1))[0]
            size |= (low & 0x7F) << shift
            shift += 7
            if not low & 0x80:
                return kind, await self.reader.readexactly(size)


class Publisher(Peer):
    def __init__(self, name, qos, window):
        super().__init__(name, True)
        self._topic = text("bench/" + name)
        self._qos = qos
        self._window = window

    async def publish(self, count, payload):
        """Return when all of them have been acknowledged."""
        sent = done = 0
        head = 0x30 | self._qos << 1
        while done < count:
            while sent < count and sent - done < self._window:
                self.writer.write(packet(head, self._topic + struct.pack(">H", sent % 65535 + 1) + payload))
                sent += 1
            kind, body = await self.packet()
            if kind >> 4 == PUBREC:
                self.writer.write(packet(PUBREL << 4 | 2, body))
            else:
                assert kind >> 4 in (PUBACK, PUBCOMP)
                done += 1


class Subscriber(Peer):
    def __init__(self, qos):
        super().__init__("subscriber", True)
        self._qos = qos
        self.count = 0

    async def subscribe(self):
        self.writer.write(packet(SUBSCRIBE, b"\0\1" + text("bench/#") + bytes((self._qos,))))
        kind, _ = await self.packet()
        assert kind == SUBACK << 4

    async def receive(self, count):
        while self.count < count:
            kind, body = await self.packet()
            if kind >> 4 == PUBLISH:
                topic = struct.unpack_from(">H", body)[0]
                number = body[2 + topic : 4 + topic]
                self.writer.write(packet((PUBACK if self._qos == 1 else PUBREC) << 4, number))
                self.count += self._qos == 1
            elif kind >> 4 == PUBREL:
                self.writer.write(packet(PUBCOMP << 4, body))
                self.count += 1


CONFIG = """
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
max_inflight_messages {window}
max_queued_messages 0
log_dest none
user root
"""
STATED = "persistence true, autosave_interval 1800 s (the default): nothing is synced before it acknowledges"
