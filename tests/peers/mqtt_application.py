"""An MQTT application that asks clients through the gateway, or answers them."""

import asyncio
import collections
import contextlib

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.server.peer import HOST, until
from tests.server.request_client import ASK, SERVE

DOWN, UP, ANSWERS = "pb_link/pump/ch/30/down", "pb_link/pump/ch/31/up", "app/answers"
SETTINGS = f'ask_channels = "{ASK}"\nanswer_channels = "{SERVE}"'
_BACK_S = 0.05  # after a connection has ended


class Application:
    """Use: `async with Application(broker.port, topic, ..) as application`. Its session outlives connections."""

    def __init__(self, port, *topics, name="application"):
        self._port = port
        self._topics = topics
        self._name = name
        self._client = None
        self._up = asyncio.Event()
        self._tasks = set()
        self.got = []  # (Correlation Data, payload, user property "error" or None)
        self.attempts = collections.Counter()  # payload -> publications, of which the broker may have had each
        self.requests = collections.Counter()  # payload -> times
        self.last = None  # Correlation Data of the last request
        self.answers = None  # function (payload) that returns (payload, error), or None for no answer

    async def __aenter__(self):
        self._task = asyncio.create_task(self._live())
        await self._up.wait()
        return self

    async def __aexit__(self, *error):
        for task in (self._task, *self._tasks):
            task.cancel()
        await asyncio.wait((self._task, *self._tasks))

    async def _live(self):
        while True:
            with contextlib.suppress(aiomqtt.MqttError, OSError):
                async with aiomqtt.Client(
                    HOST, self._port, identifier=self._name, protocol=aiomqtt.ProtocolVersion.V5, clean_start=False,
                    properties=_properties(PacketTypes.CONNECT, SessionExpiryInterval=3600),
                ) as self._client:  # fmt: skip
                    for topic in self._topics:
                        await self._client.subscribe(topic, qos=1)
                    self._up.set()
                    async for message in self._client.messages:
                        self._take(message)
            self._up.clear()
            await asyncio.sleep(_BACK_S)

    def _take(self, message):
        told = message.properties
        found = dict(getattr(told, "UserProperty", ()))
        topic = getattr(told, "ResponseTopic", None)
        self.requests[message.payload] += topic is not None
        if topic is None:
            self.got.append((getattr(told, "CorrelationData", b""), message.payload, found.get("error")))
        elif self.answers is not None:
            self.last = told.CorrelationData
            answer = self.answers(message.payload)
            if answer is not None:
                payload, error = answer
                more = {"UserProperty": [("error", error)]} if error else {}
                publishing = self.publish(topic, payload, CorrelationData=told.CorrelationData, **more)
                self._tasks.add(asyncio.create_task(publishing))  # which outlives the connection

    async def ask(self, name, data, topic=DOWN, **more):
        """Publish a request, again and again until the broker has acknowledged it."""
        await self.publish(topic, data, ResponseTopic=ANSWERS, CorrelationData=name, **more)

    async def publish(self, topic, data, **more):
        while True:
            await self._up.wait()
            self.attempts[data] += 1
            with contextlib.suppress(aiomqtt.MqttError, OSError):
                await self._client.publish(topic, data, qos=1, properties=_properties(PacketTypes.PUBLISH, **more))
                return
            await asyncio.sleep(_BACK_S)

    def of(self, name):
        """[(payload, error)] of the answers with this Correlation Data."""
        return [(payload, error) for found, payload, error in self.got if found == name]

    async def has(self, name):
        """The first answer with this Correlation Data."""
        await until(lambda: self.of(name), f"the answer to {name}")
        return self.of(name)[0]


def _properties(packet_type, **values):
    properties = Properties(packet_type)
    for name, value in values.items():
        setattr(properties, name, value)
    return properties
