"""A broker that does what a test tells it: as much of MQTT 5 (OASIS) as one client with QoS 1 needs.

Unrealistic: it keeps nothing, and publishes only what the test says.
"""

import asyncio

from tests.server.peer import HOST, free_port, until

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT = 0x10, 0x30, 0x40, 0x82, 0xA2, 0xE0


class ScriptedBroker:
    """Use: `async with ScriptedBroker() as broker`. connack: properties of CONNACK; answer: function (topic) that
    returns the reason code of PUBACK, or None for no answer yet: it waits in `unanswered`; code: of CONNACK;
    payload_limit: bytes, longer payloads are refused with too_large (a reason code of PUBACK), or if this is None with
    the end of the connection; old: it has MQTT 3.1.1 alone, and refuses the version of CONNECT (3.2.2.3 there)."""

    def __init__(self, connack=b"", answer=lambda topic: 0, *, code=0, payload_limit=None, too_large=0x95, old=False):
        self.port = free_port()
        self.answer = answer
        self.code = code
        self.payload_limit = payload_limit
        self.too_large = too_large
        self.old = old
        self.properties = []  # user properties (dict) of each publication
        self.connections = 0
        self.names = []  # MQTT client id of each of them
        self.subscribers = {}  # topic -> writer of the present connection that has subscribed last
        self.published = []  # (topic, payload, retain, dup)
        self.unanswered = []  # (writer, packet id)
        self.most_unanswered = 0
        self.acknowledged = []  # packet ids, by the client
        self.left = False  # the client has sent DISCONNECT
        self._connack = connack
        self._writers = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        return self

    async def __aexit__(self, *error):
        self._server.close()
        self.cut()

    def cut(self, abort=True):
        for writer in self._writers:
            writer.transport.abort() if abort else writer.close()
        self._writers.clear()
        self.subscribers.clear()
        self.unanswered.clear()

    def acknowledge(self):
        """Answer what has not been answered."""
        self.refuse(0)

    def refuse(self, code):
        """Answer what has not been answered with this reason code."""
        while self.unanswered:
            writer, packet_id = self.unanswered.pop(0)
            self._send(PUBACK, packet_id.to_bytes(2, "big") + (bytes((code, 0)) if code else b""), writer)

    def publish(self, packet_id, topic, payload, flags=2, properties=b""):
        """Send a message to who has subscribed to the topic, or else to the last connection."""
        encoded = topic.encode()
        body = len(encoded).to_bytes(2, "big") + encoded + (packet_id.to_bytes(2, "big") if flags & 6 else b"")
        body += bytes((len(properties),)) + properties
        self._send(PUBLISH | flags, body + payload, self.subscribers.get(topic))

    def texts(self, topic):
        return [payload.decode() for found, payload, _, _ in self.published if found == topic]

    def disconnect(self, code):
        """End the connection with this reason code."""
        self._send(DISCONNECT, bytes((code,)))
        self.cut(abort=False)

    async def has(self, topic, texts):
        await until(lambda: self.texts(topic) == texts, f"{texts} in {topic}")

    def _send(self, head, body, writer=None):
        size, encoded = len(body), b""
        while not encoded or size:
            size, low = size >> 7, size & 0x7F
            encoded += bytes((low | 0x80 if size else low,))
        (writer or self._writers[-1]).write(bytes((head,)) + encoded + body)

    async def _serve(self, reader, writer):
        try:
            while True:
                head, body = await read_packet(reader)
                if head == CONNECT:
                    self.connections += 1
                    self.names.append(_name(body))
                    self._writers.append(writer)
                    if self.old:
                        self._send(0x20, b"\0\1", writer)
                        return
                    self._send(0x20, bytes((0, self.code, len(self._connack))) + self._connack, writer)
                elif head == SUBSCRIBE:
                    at = 3 + body[2]  # behind the packet id and the properties
                    size = int.from_bytes(body[at : at + 2], "big")
                    self.subscribers[body[at + 2 : at + 2 + size].decode()] = writer
                    self._send(0x90, body[:2] + b"\0\1", writer)
                elif head == UNSUBSCRIBE:
                    self._send(0xB0, body[:2] + b"\0\0", writer)
                elif head & 0xF0 == PUBLISH:
                    self._take(head, body, writer)
                elif head == PUBACK:
                    self.acknowledged.append(int.from_bytes(body[:2], "big"))
                elif head == DISCONNECT:
                    self.left = True
                    return
        except (EOFError, OSError):
            pass
        finally:
            writer.close()

    def _take(self, head, body, writer):
        end = 2 + int.from_bytes(body[:2], "big")
        topic = body[2:end].decode()
        properties = body[end + 2]  # their length, below 128 here
        payload = body[end + 3 + properties :]
        self.published.append((topic, payload, bool(head & 1), bool(head & 8)))
        self.properties.append(_user_properties(body[end + 3 : end + 3 + properties]))
        self.unanswered.append((writer, int.from_bytes(body[end : end + 2], "big")))
        self.most_unanswered = max(self.most_unanswered, len(self.unanswered))
        code = self.answer(topic)
        if self.payload_limit is not None and len(payload) > self.payload_limit:
            code = self.too_large
            if code is None:
                self.unanswered.pop()
                return self.disconnect(0x95)
        if code is not None:
            packet_id = self.unanswered.pop()[1].to_bytes(2, "big")
            self._send(PUBACK, packet_id + (bytes((code, 0)) if code else b""), writer)


def _name(body):
    """The client id of CONNECT. It is behind "MQTT", version, flags, keepalive and up to 127 bytes of properties."""
    at = 11 + body[10]
    size = int.from_bytes(body[at : at + 2], "big")
    return body[at + 2 : at + 2 + size].decode()


def _user_properties(encoded):
    """The user properties, and three more as "expiry", "topic" and "correlation": MQTT 5, 2.2.2.2."""
    found = {}

    def binary():
        nonlocal encoded
        size = int.from_bytes(encoded[:2], "big")
        value, encoded = encoded[2 : 2 + size], encoded[2 + size :]
        return value

    while encoded:
        kind, encoded = encoded[0], encoded[1:]
        if kind == 0x02:
            found["expiry"], encoded = int.from_bytes(encoded[:4], "big"), encoded[4:]
        elif kind in (0x08, 0x09):
            value = binary()
            found.update({"topic": value.decode()} if kind == 0x08 else {"correlation": value})
        else:
            assert kind == 0x26  # "User Property"
            name = binary().decode()
            found[name] = binary().decode()
    return found


async def read_packet(reader):
    """Returns (first byte, what follows the length)."""
    head = (await reader.readexactly(1))[0]
    size = shift = 0
    while True:
        low = (await reader.readexactly(1))[0]
        size |= (low & 0x7F) << shift
        shift += 7
        if not low & 0x80:
            return head, await reader.readexactly(size)


def request_properties(topic=None, correlation=None, expiry=None, **user):
    """The properties of a PUBLISH, for `ScriptedBroker.publish`: below 128 bytes."""
    found = b""
    if expiry is not None:
        found += b"\x02" + expiry.to_bytes(4, "big")
    for kind, value in ((b"\x08", topic and topic.encode()), (b"\x09", correlation)):
        if value is not None:
            found += kind + len(value).to_bytes(2, "big") + value
    for name, value in user.items():
        found += b"\x26" + b"".join(len(one).to_bytes(2, "big") + one.encode() for one in (name, value))
    return found
