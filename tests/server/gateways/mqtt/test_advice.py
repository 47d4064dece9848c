"""What a person is told about brokers that are none for the gateway, and about two gateways with one prefix."""

import asyncio

import pytest

from tests.server.gateways.mqtt.bed import connected, gateway
from tests.server.peer import HOST, Service, until
from tests.server.scripted_broker import ScriptedBroker

NO_RETAIN = "the gateway needs a broker that keeps retained messages"


@pytest.mark.parametrize(
    ("broker", "advice"),
    [
        ({"code": 0x9A}, NO_RETAIN),  # as it should be, since the will is retained
        ({"connack": b"\x25\x00"}, NO_RETAIN),  # Retain Available
        ({"code": 0x9B}, "QoS 1"),
        ({"connack": b"\x24\x00"}, "QoS 1"),  # Maximum QoS
        ({"code": 0x84}, "a broker with MQTT 5, and this one has only an older version: use Mosquitto 1.6 or later"),
        ({"old": True}, "a broker with MQTT 5, and this one has only an older version: use Mosquitto 1.6 or later"),
        ({"connack": b"\x27\x00\x00\x00\x50"}, "allow 1000 bytes or more"),  # Maximum Packet Size
    ],
)
def test_broker_that_is_none_for_the_gateway_is_told_once_in_words(mqtt, broker, advice):
    async def main():
        async with ScriptedBroker(**broker) as scripted, Service() as service:
            async with gateway(mqtt, scripted, service) as found:
                await until(lambda: len(found.log.of("mqtt_lost")) >= 3, "attempts")
                told = found.log.of("mqtt_advice")
                assert len(told) == 1 and advice in told[0]["advice"]
                assert not scripted.published and not found.log.of("mqtt_connected")
            text = await mqtt.Gateway.validate(found.settings, {"password": lambda: None})
            assert advice in text and text.startswith(f"{HOST}:{scripted.port} takes no connection: ")

    asyncio.run(main())


def test_second_gateway_with_the_prefix_is_told_once_in_words_and_waits(mqtt, monkeypatch):
    from server.gateways.mqtt import session

    async def main():
        async with ScriptedBroker() as broker, Service() as service, gateway(mqtt, broker, service) as found:
            for again in range(3):
                monkeypatch.setattr(session, "LONGEST_S", 0.1 if again < 2 else 1000)
                await until(lambda again=again: broker.connections == again + 1 and broker.published, "a connection")
                broker.published.clear()
                broker.disconnect(0x8E)  # "Session taken over"
                await until(lambda again=again: len(found.log.of("mqtt_lost")) == again + 1, "the end")
            told = found.log.of("mqtt_advice")
            assert len(told) == 1 and "the MQTT client id pb_link/a: probably a second server" in told[0]["advice"]
            assert found.log.of("mqtt_lost")[-1]["again_s"] >= 500  # the two do not fight

    asyncio.run(main())


def test_line_that_is_too_long_is_no_matter_for_a_person(mqtt):
    async def main():
        async with ScriptedBroker(payload_limit=500, too_large=None) as broker, Service() as service:
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                await client.write("x" * 2000)
                await until(lambda: found.counts["published_total"] == 1, "the line")
                client.cut()
                assert found.log.of("mqtt_lost") and not found.log.of("mqtt_advice")

    asyncio.run(main())
