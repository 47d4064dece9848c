"""Lines that are longer than the broker takes."""

import asyncio

import pytest

from server import MemoryStore
from tests.server.gateways.mqtt.bed import PARTS, UP, connected, gateway
from tests.server.peer import Service, until
from tests.server.scripted_broker import ScriptedBroker
from tests.server.store_calls import held

LONG = "".join(f"{number:04} \u00e9 " for number in range(300))  # 2,400 bytes


def maximum_packet_size(limit):
    """The property of CONNACK."""
    return b"\x27" + limit.to_bytes(4, "big")


def joined(broker):
    """The lines that a subscriber of `up` and `parts` puts together, as docs/mqtt.md says, by number."""
    lines, parts = {}, []
    for (topic, payload, _, _), properties in zip(broker.published, broker.properties, strict=True):
        if topic == UP:
            lines.setdefault(int(properties["number"]), payload.decode())
        elif topic == PARTS:
            index, count = map(int, properties["part"].split("/"))
            parts = [*parts[: index - 1], payload]
            assert len(parts) == index
            if index == count:
                lines.setdefault(int(properties["number"]), b"".join(parts).decode())
    return lines


def numbers(broker):
    return [int(found["number"]) for found in broker.properties if "number" in found]


@pytest.mark.parametrize("refusing", [False, True])
def test_line_beyond_the_packet_size_of_connack_is_published_in_parts_and_named_once(mqtt, refusing):
    """With `refusing`, the broker ends the first connection within the parts."""

    async def main():
        broker = ScriptedBroker(maximum_packet_size(1000), payload_limit=1000)
        refused = [refusing]

        def answer(topic):
            return 0x97 if topic == PARTS and refused and refused.pop() else 0

        broker.answer = answer
        async with broker, Service() as service, gateway(mqtt, broker, service) as found:
            client = await connected(service)
            for line in ("short 1", LONG, "short 2"):
                await client.write(line)
            await until(lambda: found.counts["published_total"] == 3, "the lines")
            client.cut()
            assert joined(broker) == {0: "short 1", 1: LONG, 2: "short 2"}
            assert broker.texts(UP) == ["short 1", "short 2"] and numbers(broker) == sorted(numbers(broker))
            told = found.log.of("mqtt_parts")
            assert len(told) == 1 and told[0]["number"] == 1 and told[0]["bytes"] == len(LONG.encode())
            assert broker.connections == 1 + refusing

    asyncio.run(main())


@pytest.mark.parametrize("too_large", [0x95, None], ids=["refused", "disconnected"])
@pytest.mark.parametrize("limit", [64, 500, 2300])
def test_line_that_the_broker_calls_too_large_is_published_in_parts(mqtt, limit, too_large):
    async def main():
        store = MemoryStore()
        broker = ScriptedBroker(payload_limit=limit, too_large=too_large)
        async with broker, Service(store=store) as service, gateway(mqtt, broker, service) as found:
            client = await connected(service)
            lines = ["short 1", LONG, "short 2", LONG[:2000], "short 3"]
            for line in lines:
                await client.write(line)
            await until(lambda: found.counts["published_total"] == 5, "the lines")
            client.cut()
            assert joined(broker) == dict(enumerate(lines)) and not held(store._record("a").inbox)
            assert numbers(broker) == sorted(numbers(broker))
            assert len(found.log.of("mqtt_parts")) == (1 if limit >= 2000 else 2)
            assert len(found.log.of("mqtt_lost")) == (broker.connections - 1 if too_large is None else 0)

    asyncio.run(main())


def test_broker_that_does_not_even_take_a_small_part_is_told(mqtt):
    async def main():
        broker = ScriptedBroker(payload_limit=20)
        async with broker, Service() as service, gateway(mqtt, broker, service) as found:
            client = await connected(service)
            await client.write("x" * 200)
            await until(lambda: broker.connections >= 3, "attempts")
            client.cut()
            assert "Packet too large" in found.log.of("mqtt_lost")[0]["error"]
            assert found.counts["published_total"] == 0

    asyncio.run(main())
