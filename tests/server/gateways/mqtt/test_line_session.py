"""One client's lines, messages and status at a broker that does what the test says."""

import asyncio
import random

import pytest

from server import MemoryStore
from tests.server.gateways.mqtt.bed import DOWN, STATUS, UP, connected, gateway
from tests.server.peer import Service, until, within
from tests.server.scripted_broker import ScriptedBroker
from tests.server.store_calls import a_lines, held


def test_line_leaves_the_store_when_the_broker_has_acknowledged_it(mqtt):
    async def main():
        store = MemoryStore()
        answers = {STATUS: 0, UP: None}
        async with ScriptedBroker(answer=answers.get) as broker, Service(store=store) as service:
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                for number in range(3):
                    await client.write(str(number))
                for number in range(3):
                    await broker.has(UP, [str(earlier) for earlier in range(number + 1)])
                    assert len(held(store._record("a").inbox)) == 3 - number and found.counts["in_flight"] == 1
                    broker.acknowledge()
                await until(lambda: not held(store._record("a").inbox), "the empty store")
                assert found.counts["published_total"] == 3 and found.counts["in_flight"] == 0
                client.cut()

    asyncio.run(main())


def test_lines_without_acknowledgement_are_published_again_in_order(mqtt):
    async def main():
        answers = {STATUS: 0, UP: None}
        async with ScriptedBroker(answer=answers.get) as broker, Service() as service:
            async with gateway(mqtt, broker, service):
                client = await connected(service)
                for number in range(3):
                    await client.write(str(number))
                await broker.has(UP, ["0"])
                answers[UP] = 0
                broker.cut()
                await client.write("3")
                await broker.has(UP, ["0", "0", "1", "2", "3"])
                assert not any(dup for _, _, _, dup in broker.published)
                client.cut()

    asyncio.run(main())


def test_nothing_is_published_past_a_refused_line_and_a_subscriber_by_number_has_every_line(mqtt):
    """The broker refuses a line for a while. The subscriber drops lines whose number is not higher."""
    seen = []

    async def main():
        refused = [True]

        def answer(topic):
            return 0x97 if topic == UP and refused and broker.texts(UP)[-1] == "1" else 0  # "Quota exceeded"

        async with ScriptedBroker(answer=answer) as broker, Service() as service:
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                for number in range(4):
                    await client.write(str(number))
                await until(lambda: broker.connections >= 3, "attempts")
                assert set(broker.texts(UP)) == {"0", "1"} and found.counts["published_total"] == 1
                error = found.log.of("mqtt_lost")[0]["error"]
                assert error == f"the broker refused a publication to {UP}: Quota exceeded"
                refused.clear()
                await until(lambda: found.counts["published_total"] == 4, "the publications")
                client.cut()
            for (topic, payload, _, _), properties in zip(broker.published, broker.properties, strict=True):
                if topic == UP and (not seen or int(properties["number"]) > seen[-1][0]):
                    seen.append((int(properties["number"]), payload.decode()))

    asyncio.run(main())
    assert seen == [(number, str(number)) for number in range(4)]


def test_status_waits_for_the_answer_to_a_line_and_does_not_pass_a_refused_one(mqtt):
    async def main():
        answers = {STATUS: 0, UP: None}
        async with ScriptedBroker(answer=answers.get) as broker, Service() as service:
            async with gateway(mqtt, broker, service):
                await broker.has(STATUS, ["offline"])
                client = await connected(service)
                await broker.has(STATUS, ["offline", "online"])
                await client.write("refused")
                await broker.has(UP, ["refused"])
                client.cut()
                await asyncio.sleep(0.2)
                assert broker.texts(STATUS) == ["offline", "online"] and broker.most_unanswered == 1
                answers[UP] = 0x97
                broker.refuse(0x97)
                await until(lambda: broker.connections >= 2, "another connection")
                assert broker.texts(STATUS)[:2] == ["offline", "online"]

    asyncio.run(main())


@pytest.mark.parametrize("allowed", [None, 1])
def test_one_publication_is_in_flight_whatever_the_broker_allows(mqtt, allowed):
    connack = b"" if allowed is None else b"\x21" + allowed.to_bytes(2, "big")  # Receive Maximum
    answers = {STATUS: None, UP: None}

    async def main():
        async with ScriptedBroker(connack, answers.get) as broker, Service() as service:
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                for number in range(30):
                    await client.write(str(number))

                def all_published():
                    broker.acknowledge()
                    return found.counts["published_total"] == 30

                await until(all_published, "the publications")
                assert broker.texts(UP) == [str(number) for number in range(30)]
                assert broker.most_unanswered == 1
                answers[STATUS] = 0
                client.cut()

    asyncio.run(main())


@pytest.mark.parametrize("code", [0x83, 0xEE])
def test_refusal_with_any_reason_code_is_one(mqtt, code):
    async def main():
        answers = {STATUS: 0, UP: code}
        async with ScriptedBroker(answer=answers.get) as broker, Service() as service:
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                await client.write("line")
                await until(lambda: found.log.of("mqtt_lost"), "the end")
                reason = "Implementation specific error" if code == 0x83 else "reason code 0xee"
                assert found.log.of("mqtt_lost")[0]["error"].endswith(f"a publication to {UP}: {reason}")
                answers[UP] = 0x10  # "No matching subscribers" is none
                await until(lambda: found.counts["published_total"] == 1, "the line")
                client.cut()

    asyncio.run(main())


@pytest.mark.parametrize(
    "packet", [(0x40, b"\0"), (0x20, b""), (0x30, b"\0\xff"), (0x90, b"\0"), (0xF0, b""), (0, b"")]
)
def test_broker_that_breaks_the_protocol_ends_its_connection_only(mqtt, packet):
    async def main():
        answers = {STATUS: 0, UP: None}
        async with ScriptedBroker(answer=answers.get) as broker, Service() as service:
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                await client.write("line")
                await broker.has(UP, ["line"])
                answers[UP] = 0
                broker._send(*packet)
                await until(lambda: found.counts["published_total"] == 1, "the line")
                client.cut()
                assert found.log.of("mqtt_lost") and broker.connections == 2

    asyncio.run(main())


class SlowStore(MemoryStore):
    """What is put waits until the test lets it; not immediate, as a file is not."""

    immediate = False

    def __init__(self):
        super().__init__()
        self.open = asyncio.Event()

    async def put(self, client_id, owner, line):
        await self.open.wait()
        await super().put(client_id, owner, line)


def test_message_is_acknowledged_when_it_is_in_the_store(mqtt, arrived):
    async def main():
        store = SlowStore()
        async with ScriptedBroker() as broker, Service(store=store) as service, gateway(mqtt, broker, service) as found:
            await broker.has(STATUS, ["offline"])
            broker.publish(7, DOWN, b"one")
            broker.publish(8, DOWN, b"two\nlines")
            broker.publish(9, DOWN, b"two", flags=0xA)  # with DUP
            await until(lambda: len(arrived) == 3, "all messages")
            await asyncio.sleep(0.1)
            assert broker.acknowledged == []
            store.open.set()
            await until(lambda: broker.acknowledged == [7, 8, 9], "the acknowledgements")
            assert held(store._record("a").outbox) == [b"one", b"two"]
            assert found.log.of("mqtt_refused")[0]["reason"] == "a line must not contain an inner newline"
            broker.cut()
            await until(lambda: found.counts["repeated_total"] == 1, "the count")

    asyncio.run(main())


def test_message_of_another_topic_is_no_line(mqtt, arrived):
    async def main():
        store = MemoryStore()
        async with ScriptedBroker() as broker, Service(store=store) as service, gateway(mqtt, broker, service):
            await broker.has(STATUS, ["offline"])
            broker.publish(7, STATUS, b"online")
            broker.publish(8, DOWN, b"line")
            await until(lambda: broker.acknowledged == [7, 8], "the acknowledgements")
            assert held(store._record("a").outbox) == [b"line"]

    asyncio.run(main())


def test_messages_wait_at_the_broker_when_the_client_takes_none(mqtt, arrived):
    async def main():
        store = MemoryStore(outbox_bytes=100)
        async with ScriptedBroker() as broker, Service(store=store) as service, gateway(mqtt, broker, service):
            await broker.has(STATUS, ["offline"])
            for packet_id in range(1, 11):
                broker.publish(packet_id, DOWN, b"x" * 20)
            await until(lambda: len(arrived) == 10 and broker.acknowledged, "the first acknowledgement")
            await asyncio.sleep(0.1)
            assert broker.acknowledged == [1] and len(held(store._record("a").outbox)) == 1
            client = await connected(service)
            await until(lambda: len(broker.acknowledged) == 10, "the acknowledgements")
            await until(lambda: len(client.lines) == 10, "the lines")
            client.cut()

    asyncio.run(main())


def test_broker_that_sends_more_than_can_be_held_sends_the_rest_again(mqtt, arrived, monkeypatch):
    from server.gateways.mqtt import broker as mqtt_broker

    monkeypatch.setattr(mqtt_broker, "MAX_WAITING", 20 * 258)

    async def main():
        store = MemoryStore(outbox_bytes=1)
        async with ScriptedBroker() as broker, Service(store=store) as service, gateway(mqtt, broker, service) as found:
            await broker.has(STATUS, ["offline"])
            for number in range(10, 60):
                broker.publish(number, DOWN, b"%d" % number)
            await until(lambda: len(arrived) == 50, "all messages")
            assert broker.connections == 1  # as long as there is something to do on this one
            first = broker.subscribers[DOWN]
            client = await connected(service)
            await until(lambda: len(client.lines) == 21, "the line that was stored, and those held")
            await until(lambda: broker.subscribers[DOWN] is not first, "another connection, which has subscribed")
            assert broker.connections == 2 and "send the rest again" in found.log.of("mqtt_lost")[0]["error"]
            for number in range(31, 40):
                broker.publish(number, DOWN, b"%d" % number, flags=0xA)
            await until(lambda: len(client.lines) == 30, "more lines")
            assert client.lines == [f"{number}\n" for number in range(10, 40)]
            client.cut()

    asyncio.run(main())


def test_messages_without_acknowledgement_are_dropped_when_there_are_too_many(mqtt, arrived):
    async def main():
        store = MemoryStore(outbox_bytes=1)
        async with ScriptedBroker() as broker, Service(store=store) as service, gateway(mqtt, broker, service) as found:
            await broker.has(STATUS, ["offline"])
            for _ in range(1000):
                broker.publish(0, DOWN, b"x", flags=0)
            await until(lambda: len(arrived) == 1000, "all messages")
            broker.cut()
            await until(lambda: found.counts["refused_total"] > 900, "the count")

    asyncio.run(main())


def test_whatever_is_published_is_a_line_or_refused_with_a_reason(mqtt):
    from server.gateways.mqtt.line_session import message_line

    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(2000):
        payload = rng.randbytes(rng.randrange(4)) + rng.choice([b"", b"a\nb", "\u00e9\U0001f600".encode(), b"x" * 8190])
        try:
            line = message_line(payload)
        except ValueError as error:
            assert str(error)
        else:
            assert line.encode() == payload and "\n" not in line[:-1] and len(payload) <= 8193


def test_line_that_is_no_text_is_not_published_and_one_of_an_older_store_as_it_is(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service:
            conn = service.connection("a")
            await conn.load(service.store)
            old = [b'{"announce": "sensor", "id": "\xff"}', b"a\nb \xff"]
            await service.store.receive("a", conn.state.owner, b"e" * 8, {0: 2}, a_lines(old))
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                await client.write("good")
                await within(client.acknowledged())
                for data in (b"bad \xff", b"after"):
                    client.session.append(data, True)
                client._flush()
                await client.ended()
                await until(lambda: found.counts["published_total"] == 3, "the publications")
                published = [payload for topic, payload, _, _ in broker.published if topic == UP]
                assert published == [*old, b"good"]
                assert found.counts["refused_total"] == 1  # the announcement

    asyncio.run(main())


def of_entity(broker, name):
    return broker.texts(f"pb_link/a/state/{name}")


SENSOR = '{"announce": "sensor", "id": "t", "value": "t", "unit_of_measurement": "K"}'
CONFIG = "homeassistant/sensor/pb__link_2Fa/t/config"


def test_values_are_published_by_the_gateway_after_their_lines(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service, gateway(mqtt, broker, service) as found:
            client = await connected(service)
            for line in (SENSOR, '{"t": 1}', "ping", '{"t": "warm"}', '{"other": 2}', '{"t": 2}'):
                await client.write(line)
            await until(lambda: found.counts["published_total"] == 6, "the lines")
            client.cut()
            assert broker.texts(UP) == ['{"t": 1}', "ping", '{"t": "warm"}', '{"other": 2}', '{"t": 2}']
            assert of_entity(broker, "t") == ["1", "2"] and len(broker.texts(CONFIG)) == 1
            assert found.log.of("mqtt_refused") == [{"what": "value", "reason": "t of t must be a number"}]
            numbers = [int(one["number"]) for one in broker.properties if "number" in one]
            assert numbers == [0, 1, 1, 2, 3, 4, 5, 5]  # one line after the other

    asyncio.run(main())


def test_refused_value_holds_back_the_next_line_and_its_own_line_is_not_repeated(mqtt):
    async def main():
        answers = {"pb_link/a/state/t": 0x97}
        async with ScriptedBroker(answer=lambda topic: answers.get(topic, 0)) as broker, Service() as service:
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                for line in (SENSOR, '{"t": 1}', "next"):
                    await client.write(line)
                await until(lambda: broker.connections >= 3, "attempts")
                assert broker.texts(UP) == ['{"t": 1}']
                answers.clear()
                await until(lambda: found.counts["published_total"] == 3, "the lines")
                assert broker.texts(UP) == ['{"t": 1}', "next"]
                client.cut()

    asyncio.run(main())


def test_broker_that_forgot_gets_announcements_and_values_again(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service, gateway(mqtt, broker, service) as found:
            client = await connected(service)
            for line in (SENSOR, '{"announce": "sensor", "id": "e", "expire_after": 5, "value": "t"}', '{"t": 1}'):
                await client.write(line)
            await until(lambda: found.counts["published_total"] == 3, "the lines")
            broker.published.clear()
            broker.cut()
            await until(lambda: of_entity(broker, "t"), "the value")
            assert len([one for one in broker.published if one[0].startswith("homeassistant/")]) == 2
            assert of_entity(broker, "t") == ["1"] and of_entity(broker, "e") == []  # an old value must not revive e
            assert all(one[2] for one in broker.published)  # retained
            client.cut()

    asyncio.run(main())


def test_announcements_outlive_the_gateway(mqtt):
    async def main():
        store = MemoryStore()
        async with ScriptedBroker() as broker, Service(store=store) as service:
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                await client.write(SENSOR)
                await until(lambda: found.counts["published_total"] == 1, "the announcement")
                client.cut()
        async with ScriptedBroker() as broker, Service(store=store) as service, gateway(mqtt, broker, service) as found:
            await until(lambda: broker.texts(CONFIG), "the announcement")
            client = await connected(service)
            await client.write('{"t": 7}')
            await until(lambda: of_entity(broker, "t") == ["7"], "the value")
            client.cut()

    asyncio.run(main())


def test_entities_of_a_note_that_cannot_be_read_are_told(mqtt):
    async def main():
        store = MemoryStore()
        async with ScriptedBroker() as broker, Service(store=store) as service:
            connection = service.connection("a")
            await connection.load(store)
            connection.notes.put("mqtt", "not JSON")
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                await client.write(SENSOR)
                await until(lambda: broker.texts(CONFIG), "the announcement")
                client.cut()
                assert found.log.of("mqtt_refused")[0]["what"] == "announcements of the store"

    asyncio.run(main())


def test_announcement_that_the_broker_does_not_take_is_a_line_and_delays_nothing(mqtt):
    async def main():
        async with ScriptedBroker(payload_limit=300) as broker, Service() as service:
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                await client.write(SENSOR)
                await client.write('{"t": 1}')
                await until(lambda: found.counts["published_total"] == 2, "the lines")
                assert broker.texts(UP) == [SENSOR, '{"t": 1}'] and of_entity(broker, "t") == []
                assert found.log.of("mqtt_refused")[0]["what"] == "announcement"
                client.cut()

    asyncio.run(main())


def test_without_discovery_announcements_are_lines(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service:
            async with gateway(mqtt, broker, service, discovery="") as found:
                client = await connected(service)
                await client.write(SENSOR)
                await client.write('{"t": 1}')
                await until(lambda: found.counts["published_total"] == 2, "the lines")
                assert broker.texts(UP) == [SENSOR, '{"t": 1}'] and of_entity(broker, "t") == []
                client.cut()

    asyncio.run(main())
