"""Messages on channels at a broker that does what the test says: bytes, both ways, and what waits for what."""

import asyncio

import pytest

from protocol.errors import LocalProtocolError
from server import MemoryStore
from server.core.logged_events import level_of
from tests.server.gateways.mqtt.bed import DOWN, STATUS, UP, gateway, with_channels
from tests.server.gateways.mqtt.test_lines import maximum_packet_size
from tests.server.peer import Service, until, within
from tests.server.scripted_broker import ScriptedBroker

CH = "pb_link/a/ch/20"
OTHER = "pb_link/a/ch/21"
ODD = [b"", b"\n", b"two\nlines\n", b"\xff\xfe\x00", bytes(range(256)), "\u00e9".encode()]
BIG = bytes(4000)


def payloads(broker, topic):
    return [payload for found, payload, _, _ in broker.published if found == topic]


async def subscribed(broker, *bases):
    await until(lambda: all(f"{base}/down" in broker.subscribers for base in bases), f"subscriptions of {bases}")


def test_bytes_are_the_same_in_both_directions(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service, gateway(mqtt, broker, service) as found:
            client = await with_channels(service, 20)
            await subscribed(broker, CH)
            for packet_id, data in enumerate(ODD, 1):
                client.send(20, data)
                broker.publish(packet_id, f"{CH}/down", data)
            await client.write("a line")
            assert await client.messages(20, len(ODD)) == ODD
            await until(lambda: len(broker.acknowledged) == len(ODD), "the acknowledgements")
            await until(lambda: payloads(broker, f"{CH}/up") == ODD, "the publications")
            await broker.has(UP, ["a line"])
            told = [one for (topic, *_), one in zip(broker.published, broker.properties) if topic == f"{CH}/up"]
            numbers = [int(one["number"]) for one in told]
            assert numbers == sorted(set(numbers)) and len(numbers) == len(ODD)
            await until(lambda: found.counts["published_total"] == len(ODD) + 1, "the counter")
            assert found.counts["received_total"] == len(ODD) and not client.lines
            client.cut()

    asyncio.run(main())


def test_client_without_channels_has_one_connection_and_each_channel_that_is_used_has_one_more(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service, gateway(mqtt, broker, service) as found:
            client = await with_channels(service)
            await client.write("line")
            await broker.has(UP, ["line"])
            assert broker.names == ["pb_link/a"]
            client.open(20)
            client._flush()
            await subscribed(broker, CH)
            client.open(21)
            client.open(127)
            client._flush()
            await subscribed(broker, OTHER, "pb_link/a/ch/127")
            assert sorted(broker.names) == ["pb_link/a", "pb_link/a/ch/127", CH, OTHER]
            assert found.counts["connected"] == 4
            client.cut()
            await within(client.connect())  # nothing is begun twice
            await client.write("end")
            await broker.has(UP, ["line", "end"])
            assert broker.connections == 4
            client.cut()

    asyncio.run(main())


def test_message_leaves_the_store_when_the_broker_has_acknowledged_it_and_is_else_published_again(mqtt):
    async def main():
        store = MemoryStore()
        answers = {STATUS: 0, f"{CH}/up": None}
        async with ScriptedBroker(answer=answers.get) as broker, Service(store=store) as service:
            async with gateway(mqtt, broker, service):
                client = await with_channels(service, 20)
                for data in (b"0", b"1", b"2"):
                    client.send(20, data)
                await until(lambda: payloads(broker, f"{CH}/up") == [b"0"], "the first one")
                await client.accepted()
                assert store.unread("a", 20)[0] == 3
                broker.acknowledge()
                await until(lambda: payloads(broker, f"{CH}/up") == [b"0", b"1"], "the second one")
                assert store.unread("a", 20)[0] == 2
                answers[f"{CH}/up"] = 0
                broker.cut()
                await until(lambda: payloads(broker, f"{CH}/up") == [b"0", b"1", b"1", b"2"], "all")
                await until(lambda: not store.unread("a", 20)[0], "the empty store")
                told = [one for (topic, *_), one in zip(broker.published, broker.properties) if topic == f"{CH}/up"]
                assert [one["number"] for one in told] == ["0", "1", "1", "2"]
                client.cut()

    asyncio.run(main())


def test_channel_that_the_client_does_not_read_stops_neither_its_lines_nor_its_other_channels(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service, gateway(mqtt, broker, service) as found:
            client = await with_channels(service, 20, 21)
            client.mute = {20}
            await subscribed(broker, CH, OTHER)
            sent = [b"%d" % number + BIG for number in range(20)]
            for number, data in enumerate(sent):
                broker.publish(1 + number, f"{CH}/down", data)
            await until(lambda: found.counts["received_total"] >= 4, "messages in the store")
            await asyncio.sleep(0.1)
            stored = found.counts["received_total"]
            assert stored < 10 and broker.acknowledged == list(range(1, stored + 1)), "the rest waits at the broker"
            for number in range(40):
                broker.publish(100 + number, f"{OTHER}/down", b"%d" % number)
                broker.publish(200 + number, DOWN, b"%d" % number)
            assert await client.messages(21, 40) == [b"%d" % number for number in range(40)]
            await within(client.expect(40))
            client.send(20, b"up")
            await until(lambda: payloads(broker, f"{CH}/up") == [b"up"], "the other direction")
            client.read_again()
            assert await client.messages(20, 20) == sent
            await until(lambda: len(broker.acknowledged) == 100, "acknowledgements")
            client.cut()

    asyncio.run(main())


def test_refused_publication_holds_its_own_channel_only(mqtt):
    async def main():
        answers = {STATUS: 0, UP: 0, f"{OTHER}/up": 0, f"{CH}/up": 0x87}  # "Not authorized"
        async with ScriptedBroker(answer=answers.get) as broker, Service() as service:
            async with gateway(mqtt, broker, service) as found:
                client = await with_channels(service, 20, 21)
                client.send(20, b"refused")
                client.send(20, b"behind it")
                await until(lambda: len(found.log.of("mqtt_lost")) >= 2, "attempts")
                for number in range(10):
                    await client.write(str(number))
                    client.send(21, b"%d" % number)
                await broker.has(UP, [str(number) for number in range(10)])
                await until(lambda: len(payloads(broker, f"{OTHER}/up")) == 10, "the other channel")
                assert set(payloads(broker, f"{CH}/up")) == {b"refused"} and broker.names.count("pb_link/a") == 1
                told = found.log.of("mqtt_lost")[0]
                assert told["channel"] == 20 and f"publication to {CH}/up: Not authorized" in told["error"]
                answers[f"{CH}/up"] = 0
                await until(lambda: payloads(broker, f"{CH}/up")[-2:] == [b"refused", b"behind it"], "the rest")
                client.cut()

    asyncio.run(main())


def test_channel_outlives_the_gateway_without_the_client(mqtt):
    """The broker keeps what is published meanwhile, for the session whose name is the same."""

    async def main():
        store = MemoryStore()
        async with ScriptedBroker() as broker, Service(store=store) as service:
            async with gateway(mqtt, broker, service):
                client = await with_channels(service, 20, 25)
                await subscribed(broker, CH, "pb_link/a/ch/25")
                client.cut()
        async with ScriptedBroker() as broker, Service(store=store) as service:
            async with gateway(mqtt, broker, service):
                await subscribed(broker, CH, "pb_link/a/ch/25")
                assert sorted(broker.names) == ["pb_link/a", CH, "pb_link/a/ch/25"]
                broker.publish(1, f"{CH}/down", b"for later")
                await until(lambda: broker.acknowledged == [1], "the acknowledgement")
                client = await with_channels(service, 20)
                assert await client.messages(20, 1) == [b"for later"]
                client.cut()
        async with ScriptedBroker() as broker, Service(store=store) as service:
            async with gateway(mqtt, broker, service, channels="20"):
                await subscribed(broker, CH)
                assert sorted(broker.names) == ["pb_link/a", CH]

    asyncio.run(main())


def test_channel_that_was_used_while_the_gateway_had_not_begun_with_the_client_is_mapped(mqtt):
    async def main():
        store = MemoryStore()
        async with ScriptedBroker() as broker, Service(store=store) as service:
            async with gateway(mqtt, broker, service) as found:
                await until(lambda: found.counts["connected"] == 1, "the gateway")
                found.host.served = set
                found.served_changed()
                client = await with_channels(service, 20)
                client.send(20, b"early")
                await client.accepted()
                found.host.served = lambda: {"a"}
                found.served_changed()
                await until(lambda: payloads(broker, f"{CH}/up") == [b"early"], "the message")
                assert service.connection().notes.get("mqtt_channels") == "20"
                client.cut()

    asyncio.run(main())


@pytest.mark.parametrize("announced", [True, False])
def test_message_that_is_longer_than_the_broker_takes_is_published_in_parts(mqtt, announced):
    data = bytes(range(256)) * 12

    async def main():
        connack = maximum_packet_size(1000) if announced else b""
        async with ScriptedBroker(connack, payload_limit=1000) as broker, Service() as service:
            async with gateway(mqtt, broker, service) as found:
                client = await with_channels(service, 20)
                for message in (b"before", data, b"after"):
                    client.send(20, message)
                await until(lambda: found.counts["published_total"] == 3, "the messages")
                pairs = list(zip(broker.published, broker.properties))
                parts = [(one[1], told) for one, told in pairs if one[0] == f"{CH}/parts"]
                parts = parts[-int(parts[-1][1]["part"].split("/")[1]) :]  # the last try, whose parts were small enough
                assert b"".join(payload for payload, _ in parts) == data
                assert {told["number"] for _, told in parts} == {"1"} and parts[0][1]["part"].startswith("1/")
                assert [one for one in payloads(broker, f"{CH}/up") if len(one) < 10] == [b"before", b"after"]
                told = found.log.of("mqtt_parts")
                assert len(told) == 1 and told[0]["channel"] == 20 and told[0]["bytes"] == len(data)
                client.cut()

    asyncio.run(main())


def test_message_that_is_too_long_for_the_client_is_refused_and_one_with_a_limit_expires(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service, gateway(mqtt, broker, service) as found:
            client = await with_channels(service, 20)
            await subscribed(broker, CH)
            broker.publish(1, f"{CH}/down", bytes(8187))
            await until(lambda: broker.acknowledged == [1], "the acknowledgement")
            assert found.log.of("mqtt_refused") == [
                {"what": "message", "reason": "the message has 8187 bytes, the longest is 8186", "channel": 20}
            ]
            client.cut()
            broker.publish(2, f"{CH}/down", b"late", properties=b"\x02\0\0\0\1")  # Message Expiry Interval: 1 s
            broker.publish(3, f"{CH}/down", b"in time", properties=b"\x02\0\0\4\0")
            broker.publish(4, f"{CH}/down", b"whenever", properties=b"\x02\xff\xff\xff\xff")
            await until(lambda: broker.acknowledged == [1, 2, 3, 4], "the acknowledgements")
            await asyncio.sleep(1.1)
            await within(client.connect())
            got = await client.messages(20, 2)
            assert [message[0][2:] if isinstance(message, tuple) else message for message in got] == [
                b"in time", b"whenever",
            ]  # fmt: skip
            client.cut()

    asyncio.run(main())


def test_channels_that_are_not_mapped_are_the_applications(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service:
            async with gateway(mqtt, broker, service, channels="20, 22-23"):
                client = await with_channels(service, 20, 21)
                await subscribed(broker, CH)
                conn = service.connection()
                client.send(21, b"for the application")
                assert (await within(conn.channel(21).receive())).data == b"for the application"
                client.send(21, b"[1]")
                assert await within(conn.channel(21).receive_json()) == [1]
                reads = conn.channel(20).receive, conn.channel(20).receive_json, conn.channel(23).messages().__anext__
                for read in reads:
                    with pytest.raises(LocalProtocolError, match="messages on channel 2[03] of a are read by the MQTT"):
                        await within(read())
                await within(conn.channel(20).send(b"it may send"))
                assert client.got[20] == [b"it may send"]
                assert sorted(broker.names) == ["pb_link/a", CH]
                client.cut()

    asyncio.run(main())


def test_client_that_uses_more_channels_than_the_gateway_connects_is_told_of(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service, gateway(mqtt, broker, service) as found:
            client = await with_channels(service, *range(20, 20 + mqtt.MAX_CHANNELS + 2))
            await until(lambda: len(broker.names) == 1 + mqtt.MAX_CHANNELS, "the connections")
            found.restore_channels("a", service.registry.get("a").notes)  # when the client is claimed again
            refused = found.log.of("mqtt_refused")
            assert [one["channel"] for one in refused] == [36, 37] and "16 others" in refused[0]["reason"]
            assert found.counts["refused_total"] == 2
            client.cut()

    asyncio.run(main())


def test_end_of_the_gateway_waits_for_the_broker(mqtt):
    async def main():
        store = MemoryStore()
        answers = {STATUS: 0, f"{CH}/up": None}
        async with ScriptedBroker(answer=answers.get) as broker, Service(store=store) as service:
            async with gateway(mqtt, broker, service) as found:
                client = await with_channels(service, 20)
                client.send(20, b"in flight")
                await until(lambda: broker.unanswered, "the publication")
                asyncio.get_running_loop().call_later(0.1, broker.acknowledge)
            assert not store.unread("a", 20)[0] and found.counts["published_total"] == 1
            assert not found._tasks
            client.cut()

    asyncio.run(main())


def test_client_that_may_no_longer_connect_has_no_channels_either(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service, gateway(mqtt, broker, service) as found:
            client = await with_channels(service, 20)
            await subscribed(broker, CH)
            found.host.served = set
            found.served_changed()
            await until(lambda: not found._tasks, "the end of both sessions")
            client.open(21)
            client._flush()
            await asyncio.sleep(0.05)
            assert not found._tasks and found.counts["connected"] == 0 and not found.log.of("mqtt_lost")
            client.cut()

    asyncio.run(main())


def test_use_of_a_channel_is_an_event_of_the_normal_course_told_once():
    async def main():
        told = []
        async with Service() as service:
            service.events.subscribe(lambda event, client_id, details: told.append((event, client_id, details)))
            client = await with_channels(service, 20)
            client.send(20, b"x")
            await client.accepted()
            client.cut()
            await within(client.connect())
            client.send(20, b"y")
            await client.accepted()
            assert [one for one in told if one[0] == "channel_used"] == [("channel_used", "a", {"channel": 20})]
            client.cut()

    asyncio.run(main())
    assert level_of("channel_used") == "INFO"


def test_files_of_mapped_channels_are_counted(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service, gateway(mqtt, broker, service) as found:
            counts = []
            found.host.more_files = counts.append
            client = await with_channels(service, 20, 21)
            await subscribed(broker, CH, OTHER)
            assert counts == [1, 1]
            found.host.served = set
            found.served_changed()
            assert counts == [1, 1, -2]
            client.cut()

    asyncio.run(main())


def test_channel_on_which_an_application_answers_before_the_gateway_begins_is_left_to_it(mqtt):
    async def main():
        async with ScriptedBroker() as broker, Service() as service:
            service.connection().on_request(20, lambda data: b"answer")
            async with gateway(mqtt, broker, service) as found:
                client = await with_channels(service, 20, 21)
                await subscribed(broker, OTHER)
                told = found.log.of("mqtt_refused")
                assert [(one["what"], one["channel"]) for one in told] == [("channel", 20)]
                assert "channel 20 is used for requests" in told[0]["reason"]
                assert f"{CH}/down" not in broker.subscribers
                client.cut()

    asyncio.run(main())
