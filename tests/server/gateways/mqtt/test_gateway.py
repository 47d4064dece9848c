"""The gateway beside a broker that does what the test says; tests/peers has a real one."""

import asyncio
import contextlib
import random

import pytest

from protocol.errors import LocalProtocolError
from server import MemoryStore
from server.gateways.mqtt.settings import DESCRIPTION, TITLE
from tests.patience import PATIENCE_S
from tests.server.gateways.host import make_host, settings_of
from tests.server.peer import HOST, Client, Service, until, within
from tests.server.scripted_broker import ScriptedBroker

UP, DOWN, STATUS = "pb_link/a/up", "pb_link/a/down", "pb_link/a/status"


@pytest.fixture(autouse=True)
def mqtt(missing_tool, monkeypatch):
    """The module, which needs the extra. It tries again sooner, and gives up later: a machine may be slow."""
    try:
        from server.gateways.mqtt import gateway as mqtt
    except ImportError as error:
        missing_tool(f"{error}: pip install '.[mqtt]'")
    monkeypatch.setattr(mqtt, "FIRST_S", 0.05)
    monkeypatch.setattr(mqtt, "LEAVE_S", PATIENCE_S)
    return mqtt


@pytest.fixture
def arrived(mqtt, monkeypatch):
    """The payloads of the messages that the gateway has got from the broker, whatever it did with them."""
    from server.gateways.mqtt.broker import Broker

    payloads, take = [], Broker._on_message

    def on_message(self, client, userdata, message):
        take(self, client, userdata, message)
        payloads.append(message.payload)

    monkeypatch.setattr(Broker, "_on_message", on_message)
    return payloads


class Log(list):
    def __call__(self, event, client=None, **details):
        self.append((event, details))

    def of(self, event):
        return [details for found, details in self if found == event]


@contextlib.asynccontextmanager
async def gateway(mqtt, broker, service, **settings):
    """A Gateway for the client "a", running."""
    host = make_host(
        registry=service.registry, secrets={"password": lambda: None}, served=lambda: {"a"}, log=Log(),
        subscribe=service.events.subscribe,
    )  # fmt: skip
    found = mqtt.Gateway(settings_of(DESCRIPTION, host=HOST, port=broker.port, **settings), host)
    service.registry.readers.reserve(TITLE, settings.get("clients"))
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await within(task)


async def connected(service):
    client = Client(service.port)
    await within(client.connect())
    return client


def test_line_leaves_the_store_when_the_broker_has_acknowledged_it(mqtt):
    async def main():
        store = MemoryStore()
        answers = {STATUS: 0, UP: None}
        async with ScriptedBroker(answer=answers.get) as broker, Service(store=store) as service:
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                for number in range(3):
                    await client.write(str(number))
                await broker.has(UP, ["0", "1", "2"])
                assert len(store._record("a").inbox) == 3 and found.counts["in_flight"] == 3
                broker.acknowledge()
                await until(lambda: not store._record("a").inbox, "the empty store")
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
                await broker.has(UP, ["0", "1", "2"])
                answers[UP] = 0
                broker.cut()
                await client.write("3")
                await broker.has(UP, ["0", "1", "2", "0", "1", "2", "3"])
                assert not any(dup for _, _, _, dup in broker.published)
                client.cut()

    asyncio.run(main())


def test_refused_publication_ends_the_connection_and_the_line_stays(mqtt):
    async def main():
        answers = {STATUS: 0, UP: 0x97}
        async with ScriptedBroker(answer=answers.get) as broker, Service() as service:
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                await client.write("kept")
                await until(lambda: broker.connections >= 3, "attempts")
                assert "refused a publication: Quota exceeded" in found.log.of("mqtt_lost")[0]["error"]
                assert found.counts["published_total"] == 0
                answers[UP] = 0
                await until(lambda: found.counts["published_total"] == 1, "the publication")
                client.cut()

    asyncio.run(main())


@pytest.mark.parametrize(("allowed", "in_flight", "most"), [(3, 20, 3), (1, 20, 1), (None, 5, 5)])
def test_publications_in_flight_are_bounded_by_us_and_by_the_broker(mqtt, allowed, in_flight, most):
    connack = b"" if allowed is None else b"\x21" + allowed.to_bytes(2, "big")  # Receive Maximum
    answers = {STATUS: None, UP: None}

    async def main():
        async with ScriptedBroker(connack, answers.get) as broker, Service() as service:
            async with gateway(mqtt, broker, service, in_flight=in_flight) as found:
                client = await connected(service)
                for number in range(30):
                    await client.write(str(number))
                await until(lambda: len(broker.unanswered) == most, "as many as are allowed")

                def all_published():
                    broker.acknowledge()
                    return found.counts["published_total"] == 30

                await until(all_published, "the publications")
                assert broker.texts(UP) == [str(number) for number in range(30)]
                assert broker.most_unanswered == most
                answers[STATUS] = 0
                client.cut()

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
            assert store._record("a").outbox == [b"one", b"two"]
            assert found.log.of("mqtt_refused")[0]["reason"] == "a line must not contain an inner newline"
            broker.cut()
            await until(lambda: found.counts["repeated_total"] == 1, "the count")

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
            assert broker.acknowledged == [1] and len(store._record("a").outbox) == 1
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
            client = await connected(service)
            await until(lambda: len(client.lines) == 21, "the line that was stored, and those held")
            await until(lambda: broker.connections == 2, "another connection")
            assert "send the rest again" in found.log.of("mqtt_lost")[0]["error"]
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
                await broker.has(UP, ["0", "1", "2", "3", "4"])
                asyncio.get_running_loop().call_later(0.3, broker.acknowledge)
            assert found.counts["published_total"] == 5 and not store._record("a").inbox and broker.left
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
    monkeypatch.setattr(mqtt, "LEAVE_S", 0.2)

    async def main():
        store = MemoryStore()
        answers = {STATUS: 0, UP: None}
        async with ScriptedBroker(answer=answers.get) as broker, Service(store=store) as service:
            async with gateway(mqtt, broker, service) as found:
                client = await connected(service)
                await client.write("kept")
                await broker.has(UP, ["kept"])
            assert store._record("a").inbox == [b"kept"]
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


def test_whatever_is_published_is_a_line_or_refused_with_a_reason(mqtt):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(2000):
        payload = rng.randbytes(rng.randrange(4)) + rng.choice([b"", b"a\nb", "\u00e9\U0001f600".encode(), b"x" * 8190])
        try:
            line = mqtt.message_line(payload)
        except ValueError as error:
            assert str(error)
        else:
            assert line.encode() == payload and "\n" not in line[:-1] and len(payload) <= 8193


def test_topics_of_different_ids_are_different_and_have_one_level(mqtt):
    ids = ["a", "A", "a/b", "a%2Fb", "a%2fb", "+", "#", "%", "%25", " ", "\x00", "\u00e9", "e\u0301", "\u2028", "a\t"]
    levels = [mqtt.base_topic("x", one).removeprefix("x/") for one in ids]
    assert len(set(levels)) == len(ids)
    assert not any(set(level) & set("/+#\0\t\u2028") for level in levels)


def test_line_that_is_no_text_is_not_published_and_one_of_an_older_store_as_it_is(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service:
            conn = service.connection("a")
            await conn.load(service.store)
            old = [b'{"announce": "sensor", "id": "\xff"}', b"a\nb \xff"]
            await service.store.receive("a", conn.state.owner, b"e" * 8, 2, old)
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
