"""Requests of a client at a broker that does what the test says, in the place of MQTT applications that answer."""

import asyncio

from protocol.channel_records import ANSWER, FAILURE
from server import MemoryStore
from tests.server.gateways.mqtt.bed import STATUS, gateway
from tests.server.peer import Service, until, within
from tests.server.request_client import SERVE, RequestClient
from tests.server.scripted_broker import ScriptedBroker, request_properties

UP, DOWN = f"pb_link/a/ch/{SERVE}/up", f"pb_link/a/ch/{SERVE}/down"


def requests(broker):
    return [(one[1], told) for one, told in zip(broker.published, broker.properties) if one[0] == UP]


def answer(broker, packet_id, data, name, flags=2, **user):
    broker.publish(packet_id, DOWN, data, flags, request_properties(correlation=name, **user))


def run(mqtt, main, **broker):
    async def whole():
        async with ScriptedBroker(**broker) as scripted, Service(store=MemoryStore()) as service:
            client = RequestClient(service.port)
            async with gateway(mqtt, scripted, service, answer_channels=str(SERVE), channels="") as found:
                await within(client.connect())
                await until(lambda: DOWN in scripted.subscribers, "the subscription")
                await main(scripted, service, client, found)
                client.cut()

    asyncio.run(whole())


def test_request_says_where_its_answer_goes_and_the_first_answer_counts(mqtt):
    async def main(broker, service, client, found):
        client.ask(1, b"\0\xff", 5000)
        await until(lambda: requests(broker), "the request")
        (data, told), = requests(broker)
        assert data == b"\0\xff" and told["topic"] == DOWN and 4 <= told["expiry"] <= 5
        assert len(told["correlation"]) == 16
        for packet_id, (data, name) in enumerate(
            [(b"x", b"another"), (b"no name", None), (b"first", told["correlation"]), (b"second", told["correlation"])]
        ):
            answer(broker, 1 + packet_id, data, name)
        assert await client.has_answer(1) == (ANSWER, b"first")
        await until(lambda: broker.acknowledged == [1, 2, 3, 4], "the acknowledgements")
        reasons = [one["reason"] for one in found.log.of("mqtt_refused")]
        assert ["no request waits" in one for one in reasons] == [True, False, True]
        assert "no Correlation Data" in reasons[1]
        answer(broker, 5, b"second", told["correlation"], 10)  # the broker sends it again
        await until(lambda: broker.acknowledged[4:] == [5], "the acknowledgement")
        assert len(found.log.of("mqtt_refused")) == 3

    run(mqtt, main)


def test_request_that_was_not_acknowledged_is_published_again_under_the_same_name(mqtt):
    async def main(broker, service, client, found):
        client.ask(1, b"x")
        await until(lambda: requests(broker), "the request")
        codes[UP] = 0
        broker.cut()
        await until(lambda: len(requests(broker)) == 2, "the request again")
        first, second = [told["correlation"] for _, told in requests(broker)]
        assert first == second
        answer(broker, 1, b"y", first)
        assert await client.has_answer(1) == (ANSWER, b"y")
        broker.cut()
        await until(lambda: DOWN in broker.subscribers, "the next connection")
        client.ask(2, b"z")
        await until(lambda: len(requests(broker)) == 3, "the next request")
        assert requests(broker)[2][0] == b"z" and requests(broker)[2][1]["correlation"] != first

    codes = {STATUS: 0, UP: None}
    run(mqtt, main, answer=codes.get)


def test_refusals_reach_the_client_and_the_connection_goes_on(mqtt):
    async def main(broker, service, client, found):
        client.ask(1, b"x")
        assert await client.has_answer(1) == (
            FAILURE, b"NoAnswer: the broker refused a publication to " + UP.encode() + b": Not authorized",
        )  # fmt: skip
        codes[UP] = 0
        client.ask(2, bytes(600))
        kind, text = await client.has_answer(2)
        assert kind == FAILURE and b"Packet too large" in text
        assert not found.log.of("mqtt_lost") and len(found.log.of("mqtt_refused")) == 2
        codes[UP] = 0x10
        client.ask(3, b"x")
        text = b"NoAnswer: no MQTT application has subscribed to " + UP.encode()
        assert await client.has_answer(3) == (FAILURE, text)
        codes[UP] = None
        client.ask(4, b"x")
        await until(lambda: len(requests(broker)) == 4, "the request")
        broker.disconnect(0x87)
        kind, text = await client.has_answer(4)
        assert kind == FAILURE and b"Not authorized" in text
        codes[UP] = 0
        await until(lambda: DOWN in broker.subscribers, "the next connection")
        client.ask(5, b"x")
        await until(lambda: len(requests(broker)) == 5, "the next request")
        answer(broker, 1, b"", requests(broker)[4][1]["correlation"], error="failed")
        assert await client.has_answer(5) == (FAILURE, b"ApplicationFailed: failed")

    codes = {STATUS: 0, UP: 0x87}
    run(mqtt, main, answer=codes.get, payload_limit=500)


def test_answer_that_is_too_long_for_the_client_is_a_failure(mqtt):
    async def main(broker, service, client, found):
        client.ask(1, b"x")
        await until(lambda: requests(broker), "the request")
        answer(broker, 1, bytes(9000), requests(broker)[0][1]["correlation"])
        kind, text = await client.has_answer(1)
        assert kind == FAILURE and b"9000 bytes" in text

    run(mqtt, main)


def test_application_that_answered_before_the_gateway_began_keeps_the_channel(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service(store=MemoryStore()) as service:
            service.connection().on_request(SERVE, lambda data: b"of the application")
            async with gateway(mqtt, broker, service, answer_channels=str(SERVE)) as found:
                client = RequestClient(service.port)
                await within(client.connect())
                await until(lambda: found.log.of("mqtt_refused"), "the refusal")
                told, = found.log.of("mqtt_refused")
                assert (told["what"], told["channel"]) == ("channel", SERVE)
                assert told["reason"] == "channel 31 is answered by the application"
                client.ask(1, b"x")
                assert await client.has_answer(1) == (ANSWER, b"of the application")
                assert DOWN not in broker.subscribers
                client.cut()

    asyncio.run(main())


def test_waiting_requests_fail_when_the_gateway_ends(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service(store=MemoryStore()) as service:
            client = RequestClient(service.port)
            async with gateway(mqtt, broker, service, answer_channels=str(SERVE)):
                await within(client.connect())
                client.ask(1, b"x")
                await until(lambda: requests(broker), "the request")
            assert await client.has_answer(1) == (FAILURE, b"NoAnswer: the gateway has ended")
            client.ask(2, b"x")
            assert await client.has_answer(2) == (FAILURE, b"NoAnswer: the gateway has ended")
            client.cut()

    asyncio.run(main())
