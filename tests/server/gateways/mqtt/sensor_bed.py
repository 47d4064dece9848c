"""A gateway that publishes sensors, a broker that does what the test says, and a client with a sensor bus."""

import asyncio
import contextlib
import json

from server import MemoryStore
from server.core.sensors import SAMPLES
from tests.server.gateways.mqtt.bed import gateway
from tests.server.gateways.mqtt.sensor_client import SensorClient
from tests.server.peer import Service, until, within
from tests.server.scripted_broker import ScriptedBroker

SENSORS = "pb_link/a/sensor"
PLACE, STATUS = f"{SENSORS}/1_18", f"{SENSORS}/1_18/status"
COMMAND, RESULT = f"{SENSORS}/command", f"{SENSORS}/result"
CONFIG = "homeassistant/sensor/pb__link_2Fa_2Fsensor_2F1__18_2FMCP9808/temperature/config"


def run(mqtt, main, store=None, broker=None, **settings):
    settings.setdefault("sensors", "all")
    settings.setdefault("sensors_interval_s", 0)

    async def whole():
        kept = store or MemoryStore()
        async with ScriptedBroker(**broker or {}) as scripted, Service(store=kept) as service:
            async with gateway(mqtt, scripted, service, **settings) as found:
                async with with_sensors(service) as client:
                    await main(scripted, service, client, found)

    asyncio.run(whole())


async def connected(service):
    client = SensorClient(service.port)
    await within(client.connect())
    return client


@contextlib.asynccontextmanager
async def with_sensors(service):
    client = await connected(service)
    try:
        yield client
    finally:
        client.cut()


def temperatures(broker, topic=PLACE):
    return [json.loads(text)["values"].get("temperature") if text else None for text in broker.texts(topic)]


def places(broker, topic=PLACE):
    """(number, index) of each reading that was published."""
    pairs = zip(broker.published, broker.properties)
    return [(int(told["number"]), int(told["index"])) for one, told in pairs if one[0] == topic and one[1]]


def batches(store):
    """The numbers of the messages with samples that are in the store."""
    boxes = store._record("a").inbox
    return list(boxes[SAMPLES].numbers) if SAMPLES in boxes else []


async def told(broker, topic, *values):
    await until(lambda: temperatures(broker, topic) == list(values), f"{values} in {topic}")
