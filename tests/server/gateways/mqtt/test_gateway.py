"""The gateway beside a broker that does what the test says; tests/peers has a real one."""

import asyncio
import random

import pytest

from protocol.errors import LocalProtocolError
from server import MemoryStore
from tests.patience import PATIENCE_S
from tests.server.gateways.mqtt.bed import STATUS, UP, connected, gateway
from tests.server.peer import HOST, Service, until
from tests.server.scripted_broker import ScriptedBroker
from tests.server.store_calls import held


def test_end_says_that_the_client_is_offline_and_takes_leave(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service:
            async with gateway(mqtt, broker, service):
                await broker.has(STATUS, ["offline"])
                client = await connected(service)
                await broker.has(STATUS, ["offline", "online"])
            await until(lambda: broker.left, "DISCONNECT")
            assert broker.texts(STATUS)[-1] == "offline" and all(retain for _, _, retain, _ in broker.published)
            client.cut()

    asyncio.run(main())


def test_end_waits_for_what_is_in_flight(mqtt):
    async def main():
        store = MemoryStore()
        answers = {STATUS: 0, UP: None}
        async with ScriptedBroker(answer=answers.get) as broker, Service(store=store) as service:
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                for number in range(5):
                    await client.write(str(number))
                await broker.has(UP, ["0"])
                asyncio.get_running_loop().call_later(0.3, broker.acknowledge)
            assert found.counts["published_total"] == 1 and broker.texts(UP) == ["0"] and broker.left
            assert held(store._record("a").inbox) == [b"1", b"2", b"3", b"4"]
            client.cut()

    asyncio.run(main())


def test_end_comes_whenever_it_is_asked_for(mqtt):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)

    async def main():
        async with ScriptedBroker() as broker, Service() as service:
            client = await connected(service)
            for number in range(100):
                async with gateway(mqtt, broker, service) as found:
                    await client.write(str(number))
                    await asyncio.sleep(rng.uniform(0, 0.01))
                    if rng.random() < 0.3:
                        broker.cut()
                assert found.counts["connected"] == 0
                await until(lambda found=found: found.counts["in_flight"] == 0, "the end of the publications")
            client.cut()
        assert list(dict.fromkeys(broker.texts(UP))) == [str(number) for number in range(len(set(broker.texts(UP))))]

    asyncio.run(main())


def test_client_that_may_connect_while_the_gateway_ends_delays_nothing(mqtt):
    async def main():
        served = {"a"}
        answers = {STATUS: 0, UP: None}
        async with ScriptedBroker(answer=answers.get) as broker, Service(store=MemoryStore()) as service:
            async with gateway(mqtt, broker, service) as found:
                found.host.served = lambda: served
                client = await connected(service)
                await client.write("in flight")
                await broker.has(UP, ["in flight"])
                loop = asyncio.get_running_loop()
                loop.call_later(0.1, served.add, "b")
                loop.call_later(0.2, found.served_changed)
                loop.call_later(0.3, broker.acknowledge)
            assert found.counts["published_total"] == 1 and broker.left
            client.cut()

    asyncio.run(main())


def test_end_does_not_wait_for_ever(mqtt, monkeypatch):
    from server.gateways.mqtt import session

    monkeypatch.setattr(session, "LEAVE_S", 0.2)

    async def main():
        store = MemoryStore()
        answers = {STATUS: 0, UP: None}
        async with ScriptedBroker(answer=answers.get) as broker, Service(store=store) as service:
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                await client.write("kept")
                await broker.has(UP, ["kept"])
            assert held(store._record("a").inbox) == [b"kept"]
            await until(lambda: found.counts["in_flight"] == 0, "the end of the publication")
            client.cut()

    asyncio.run(main())


def test_broker_that_does_not_answer_leaves_no_connection_open(mqtt, monkeypatch):
    from server.gateways.mqtt import broker as mqtt_broker

    monkeypatch.setattr(mqtt_broker, "ANSWER_S", 0.1)
    ended = []

    async def silent(reader, writer):
        await reader.read()  # until its end
        ended.append(True)
        writer.close()

    async def main():
        broker = ScriptedBroker()
        async with await asyncio.start_server(silent, HOST, broker.port), Service() as service:
            async with gateway(mqtt, broker, service) as found:
                await until(lambda: len(ended) >= 2, "the ends")
                assert found.log.of("mqtt_lost")[0]["error"] == "Operation timed out"

    asyncio.run(main())


def test_connection_that_ends_at_once_is_noticed_at_once(mqtt, monkeypatch):
    from server.gateways.mqtt import broker as mqtt_broker

    monkeypatch.setattr(mqtt_broker, "ANSWER_S", 10 * PATIENCE_S)

    async def close(reader, writer):
        await reader.readexactly(2)
        writer.transport.abort()

    async def main():
        broker = ScriptedBroker()
        async with await asyncio.start_server(close, HOST, broker.port), Service() as service:
            async with gateway(mqtt, broker, service) as found:
                await until(lambda: found.log.of("mqtt_lost"), "the end")
                assert "before it began" in found.log.of("mqtt_lost")[0]["error"]

    asyncio.run(main())


def test_announcements_of_one_client_are_bounded(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service, gateway(mqtt, broker, service) as found:
            client = await connected(service)
            for number in range(40):
                await client.write('{"announce": "sensor", "id": "s%d"}' % number)
            await until(lambda: found.counts["published_total"] == 40, "the lines")
            assert len(broker.texts(UP)) == 8 and found.counts["refused_total"] == 8
            assert "32 entities" in found.log.of("mqtt_refused")[0]["reason"]
            client.cut()

    asyncio.run(main())


@pytest.mark.parametrize("reader", ["readline", "lines"])
def test_another_reader_of_the_gateways_lines_is_told(mqtt, reader):
    async def main():
        async with ScriptedBroker() as broker, Service() as service, gateway(mqtt, broker, service):
            connection = service.connection()
            with pytest.raises(LocalProtocolError, match="read by the MQTT gateway"):
                await (connection.readline() if reader == "readline" else anext(connection.lines()))

    asyncio.run(main())
