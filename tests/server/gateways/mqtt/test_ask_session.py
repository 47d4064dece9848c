"""Requests of MQTT applications at a broker that does what the test says."""

import asyncio

import pytest

from server import MemoryStore
from tests.server.gateways.mqtt.bed import STATUS, gateway
from tests.server.peer import Service, until, within
from tests.server.request_client import ASK, RequestClient
from tests.server.scripted_broker import ScriptedBroker, request_properties

DOWN, ANSWERS = f"pb_link/a/ch/{ASK}/down", "app/answers"
NEW, AGAIN = 2, 10  # flags of PUBLISH with QoS 1; with DUP


def answers(broker):
    pairs = zip(broker.published, broker.properties)
    return [(told.get("correlation", b""), one[1], told.get("error")) for one, told in pairs if one[0] == ANSWERS]


def ask(broker, packet_id, data, name=None, flags=NEW, topic=ANSWERS, expiry=None):
    broker.publish(packet_id, DOWN, data, flags, request_properties(topic, name, expiry))


def run(mqtt, main, **broker):
    async def whole():
        async with ScriptedBroker(**broker) as scripted, Service(store=MemoryStore()) as service:
            client = RequestClient(service.port)
            async with gateway(mqtt, scripted, service, ask_channels=str(ASK), channels="") as found:
                await within(client.connect())
                await until(lambda: DOWN in scripted.subscribers, "the subscription")
                await main(scripted, service, client, found)
                client.cut()

    asyncio.run(whole())


def test_requests_are_acknowledged_in_order_when_their_answers_are(mqtt):
    async def main(broker, service, client, found):
        client.holding = True
        for number in range(3):
            ask(broker, 1 + number, b"r%d" % number, b"n%d" % number)
        await until(lambda: len(client.held) == 3, "the requests")
        last = client.held.pop()
        client._answer(*last)
        await until(lambda: answers(broker) == [(b"n2", b"2r", None)], "the last one's answer")
        assert not broker.acknowledged
        client.release()
        await until(lambda: broker.acknowledged == [1, 2, 3], "the acknowledgements")
        assert sorted(one[0] for one in answers(broker)) == [b"n0", b"n1", b"n2"]
        assert found.counts["received_total"] == found.counts["published_total"] == 3
        assert not found.log.of("mqtt_refused")

    run(mqtt, main)


def test_request_that_comes_again_is_not_asked_again(mqtt):
    async def main(broker, service, client, found):
        client.holding = True
        ask(broker, 1, b"x", b"n")
        ask(broker, 2, b"y")
        ask(broker, 3, b"y")  # another one: nothing says that it is the same
        await until(lambda: len(client.held) == 3, "the requests")
        broker.cut()
        await until(lambda: DOWN in broker.subscribers, "the next connection")
        ask(broker, 1, b"x", b"n", AGAIN)
        ask(broker, 2, b"y", None, AGAIN)
        ask(broker, 3, b"y", None, AGAIN)
        ask(broker, 4, b"x", b"n")  # published twice by its application
        ask(broker, 5, b"w")
        await until(lambda: len(client.held) == 4, "the last one: all before it were taken while x was under way")
        client.release()
        await until(lambda: broker.acknowledged == [1, 2, 3, 4, 5], "the acknowledgements")
        assert client.runs == {b"x": 1, b"y": 2, b"w": 1} and len(answers(broker)) == 4
        ask(broker, 6, b"x", b"n", AGAIN)  # whose acknowledgement the broker has missed
        await until(lambda: broker.acknowledged[5:] == [6], "the acknowledgement")
        assert client.runs == {b"x": 1, b"y": 2, b"w": 1} and len(answers(broker)) == 4
        ask(broker, 7, b"z", b"n", AGAIN)  # which has never come here
        ask(broker, 8, b"x", b"n")  # a new one
        await until(lambda: broker.acknowledged[6:] == [7, 8], "the acknowledgements")
        assert client.runs == {b"x": 2, b"y": 2, b"w": 1, b"z": 1} and len(answers(broker)) == 6

    run(mqtt, main)


def test_answer_waits_for_the_next_connection(mqtt):
    async def main(broker, service, client, found):
        codes[ANSWERS] = None
        ask(broker, 1, b"x", b"n")
        await until(lambda: len(answers(broker)) == 1, "the answer")
        codes[ANSWERS] = 0
        broker.cut()
        await until(lambda: len(answers(broker)) == 2, "the answer again")
        assert answers(broker)[0] == answers(broker)[1] and client.runs == {b"x": 1}
        ask(broker, 1, b"x", b"n", AGAIN)
        await until(lambda: broker.acknowledged == [1], "the acknowledgement")
        assert client.runs == {b"x": 1} and len(answers(broker)) == 2

    codes = {STATUS: 0, ANSWERS: 0}
    run(mqtt, main, answer=codes.get)


def test_former_process_has_begun_it(mqtt):
    async def main():
        store = MemoryStore()
        async with ScriptedBroker() as broker, Service(store=store) as service:
            client = RequestClient(service.port)
            client.holding = True
            for _ in range(2):  # the request is known over several processes
                async with gateway(mqtt, broker, service, ask_channels=str(ASK)):
                    await within(client.connect())
                    await until(lambda: DOWN in broker.subscribers, "the subscription")
                    if not client.held:
                        ask(broker, 1, b"x", b"n")
                        await until(lambda: client.held, "the request")
                broker.subscribers.clear()
            async with gateway(mqtt, broker, service, ask_channels=str(ASK)):
                await until(lambda: DOWN in broker.subscribers, "the subscription")
                ask(broker, 1, b"x", b"n", AGAIN)
                await until(lambda: broker.acknowledged == [1], "the acknowledgement")
                (name, text, error), = answers(broker)
                assert (name, error) == (b"n", "failed") and b"the server was restarted while" in text
                assert client.runs == {b"x": 1}
                ask(broker, 2, b"x", b"n")  # a new one
                await until(lambda: client.runs == {b"x": 2}, "the new request")
                note = service.connection().notes.get(f"mqtt_asked/{ASK}")
                assert len(note.split()) == 1
            client.cut()

    asyncio.run(main())


def test_refused_answer_is_told_and_stops_no_other(mqtt):
    async def main(broker, service, client, found):
        ask(broker, 1, b"x", b"n", topic="app/forbidden")
        ask(broker, 2, b"y", b"m")
        await until(lambda: broker.acknowledged == [1, 2], "the acknowledgements")
        told, = found.log.of("mqtt_refused")
        assert told["what"] == "answer" and "publication to app/forbidden: Not authorized" in told["reason"]
        assert answers(broker) == [(b"m", b"y", None)] and not found.log.of("mqtt_lost")
        codes["app/nobody"] = 0x10
        ask(broker, 3, b"z", b"n", topic="app/nobody")
        await until(lambda: broker.acknowledged[2:] == [3], "the acknowledgement")
        assert "nobody has subscribed to its Response Topic 'app/nobody'" in found.log.of("mqtt_refused")[1]["reason"]

    codes = {STATUS: 0, ANSWERS: 0, "app/forbidden": 0x87}
    run(mqtt, main, answer=codes.get)


@pytest.mark.parametrize("too_large", [0x95, None], ids=["refused", "disconnected"])
def test_answer_that_is_too_long_for_the_broker_is_a_failure(mqtt, too_large):
    async def main(broker, service, client, found):
        ask(broker, 1, bytes(600), b"n")
        await until(lambda: (b"n", b"the broker takes no answer of 600 bytes", "refused") in answers(broker), "it")
        await until(lambda: len(found._channels["a"][ASK]._asked) == 0, "the end")
        ask(broker, 2, b"x", b"m")
        await until(lambda: (b"m", b"x", None) in answers(broker), "the next answer")

    run(mqtt, main, payload_limit=500, too_large=too_large)


def test_broker_that_ends_the_connection_for_each_answer_is_not_asked_for_ever(mqtt):
    async def main(broker, service, client, found):
        codes[ANSWERS] = None
        ask(broker, 1, b"x", b"n")
        await until(lambda: answers(broker), "the answer")
        broker.disconnect(0x87)
        await until(lambda: DOWN in broker.subscribers, "the next connection")
        told, = found.log.of("mqtt_refused")
        assert "the broker has ended the connection for it" in told["reason"] and "Not authorized" in told["reason"]
        codes[ANSWERS] = 0
        ask(broker, 1, b"x", b"n", AGAIN)
        await until(lambda: broker.acknowledged == [1], "the acknowledgement")
        assert len(answers(broker)) == 1 and client.runs == {b"x": 1}

    codes = {STATUS: 0, ANSWERS: 0}
    run(mqtt, main, answer=codes.get)


def test_channel_that_the_application_uses_is_refused_in_words(mqtt):
    async def main(broker, service, client, found):
        service.connection().channel(ASK).messages()
        ask(broker, 1, b"x", b"n")
        await until(lambda: answers(broker), "the answer")
        text = b"channel 30 is used for messages: make requests on another one"
        assert answers(broker) == [(b"n", text, "refused")]

    run(mqtt, main)


def test_absent_client_is_waited_for_as_long_as_the_request_says(mqtt):
    async def main(broker, service, client, found):
        client.cut()
        ask(broker, 1, b"x", b"n", expiry=1)
        await until(lambda: answers(broker), "the answer")
        assert answers(broker)[0][2] == "timeout"
        ask(broker, 2, b"y", b"m", expiry=60)
        await asyncio.sleep(0.05)
        await within(client.connect())
        await until(lambda: (b"m", b"y", None) in answers(broker), "the other answer")
        assert client.runs == {b"y": 1}

    run(mqtt, main)


def test_setting_is_the_limit_of_a_request_without_one(mqtt, monkeypatch):
    async def main(broker, service, client, found):
        client.holding = True
        found.settings.request_s = 1
        ask(broker, 1, b"x", b"n")
        await until(lambda: answers(broker), "the answer")
        assert answers(broker) == [(b"n", b"no answer on channel 30 within 1000 ms", "timeout")]

    run(mqtt, main)
