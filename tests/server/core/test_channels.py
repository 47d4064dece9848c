"""Channels of a Connection: what is sent and received, in what order, and what waits for what, on every store."""

import asyncio

import pytest

from protocol.errors import Expired, StoreError
from server import MemoryStore, client_conn
from server.core.channel import Channel
from tests.server.all_stores import STORES, FailingStore
from tests.server.channel_peer import ChannelClient
from tests.server.peer import Service, until, within

BIG = bytes(4000)


async def joined(service, channels=(20, 21)):
    client = ChannelClient(service.port, channels)
    await within(client.connect())
    return client, await within(client_conn("a"))


def run(main, kind=MemoryStore):
    async def whole():
        async with Service(store=kind()) as service:
            await main(service)

    asyncio.run(whole())


@pytest.mark.parametrize("kind", STORES)
def test_messages_go_both_ways_in_order_and_are_bytes(kind):
    async def main(service):
        client, conn = await joined(service)
        sent = [b"%d\n\xff" % i for i in range(30)]
        for data in sent:
            await within(conn.channel(20).send(data, wait=False))
            client.send(20, data)
        await within(conn.channel(21).send("text \u00e4"))
        assert await client.messages(20, 30) == sent
        assert client.got[21] == ["text \u00e4".encode()]
        got = [await within(conn.channel(20).receive()) for _ in sent]
        assert [message.data for message in got] == sent
        assert [(message.channel, message.number) for message in got] == [(20, number) for number in range(30)]
        assert all(message.received_at > 1_600_000_000_000 for message in got)
        await client.accepted()

    run(main, kind)


@pytest.mark.parametrize("kind", STORES)
def test_message_for_an_absent_client_waits_and_one_for_a_channel_that_it_does_not_use_as_well(kind):
    async def main(service):
        conn = service.connection()
        await within(conn.channel(20).send(b"early", wait=False))
        await within(conn.channel(30).send(b"later", wait=False))
        client, _ = await joined(service)
        assert await client.messages(20, 1) == [b"early"]
        assert 30 not in client.got
        client.open(30)
        client._flush()
        assert await client.messages(30, 1) == [b"later"]
        assert client.session.resumes == 1

    run(main, kind)


@pytest.mark.parametrize("kind", STORES)
def test_send_returns_when_the_client_has_accepted_and_a_muted_channel_stops_its_own_writers_only(kind):
    async def main(service):
        client, conn = await joined(service)
        client.mute = {20}
        waiting = asyncio.create_task(conn.channel(20).send(b"muted"))
        filling = [asyncio.create_task(conn.channel(20).send(BIG, wait=False)) for _ in range(9)]
        await until(lambda: filling[2].done(), "messages in the store")
        await within(conn.channel(21).send(b"other"))
        await within(conn.write("line"))
        assert not waiting.done() and not filling[-1].done()
        assert client.got == {21: [b"other"]} and client.lines == ["line\n"]
        client.read_again()
        await within(asyncio.gather(waiting, *filling))
        assert len(await client.messages(20, 10)) == 10

    run(main, kind)


@pytest.mark.parametrize("kind", STORES)
def test_channel_that_the_application_does_not_read_stops_its_writers_at_the_client_only(kind):
    async def main(service):
        client, conn = await joined(service)
        for _ in range(12):
            client.send(20, BIG)
        client.send(21, b"other")
        await client.write("line")
        assert (await within(conn.channel(21).receive())).data == b"other"
        assert await within(conn.readline()) == "line\n"
        await asyncio.sleep(0.05)
        assert client.open(20).unacknowledged() > 2
        for _ in range(12):
            assert (await within(conn.channel(20).receive())).data == BIG
        await client.accepted()

    run(main, kind)


@pytest.mark.parametrize("kind", STORES)
def test_message_is_committed_when_the_next_one_is_asked_for(kind):
    async def main(service):
        client, conn = await joined(service)
        for i in range(5):
            client.send(20, b"%d" % i)
        await client.accepted()
        found = []
        async for message in conn.channel(20):
            found.append((message.number, message.data))
            if len(found) == 3:
                break
        again = conn.channel(20).messages(ahead=2)
        assert (await within(again.__anext__())).number == 2, "it was not committed"
        assert (await within(again.__anext__())).number == 3
        assert found == [(0, b"0"), (1, b"1"), (2, b"2")]

    run(main, kind)


@pytest.mark.parametrize("kind", STORES)
def test_restarted_server_goes_on_with_its_channels(kind):
    async def main():
        service = Service(store=kind())
        async with service:
            client, conn = await joined(service)
            client.mute = {20}
            for i in range(4):
                await within(conn.channel(20).send(b"down %d" % i, wait=False))
                client.send(20, b"up %d" % i)
            await client.accepted()
            assert (await within(conn.channel(20).receive())).data == b"up 0"
            client.cut()
            client.read_again()
            await service.connection()._loaded()
            service.connection()._begin(service.store, await service.store.claim("a"))  # as a new process does
            await within(client.connect())
            assert await client.messages(20, 4) == [b"down %d" % i for i in range(4)]
            got = [await within(conn.channel(20).receive()) for _ in range(3)]
            assert [message.data for message in got] == [b"up 1", b"up 2", b"up 3"]

    asyncio.run(main())


@pytest.mark.parametrize("kind", STORES)
def test_json_goes_both_ways_and_a_message_that_is_none_is_taken(kind):
    async def main(service):
        client, conn = await joined(service)
        channel = conn.channel(20)
        await within(channel.send_json({"text": "\u00e4", "list": [1, 2.5, None, (True,)]}))
        assert client.got == {20: ['{"text":"\u00e4","list":[1,2.5,null,[true]]}'.encode()]}
        for bad, kind in (({1: 2}, TypeError), (b"", TypeError), (float("inf"), ValueError), ("x" * 9000, ValueError)):
            with pytest.raises(kind):
                await channel.send_json(bad)
        for data in (b"{'a': 1}", b'{"a": 1}', b"more"):
            client.send(20, data)
        with pytest.raises(ValueError, match="^bad JSON at byte 1: a key in double quotes is missing$"):
            await within(channel.receive_json())
        assert await within(channel.receive_json()) == {"a": 1}
        assert (await within(channel.receive())).data == b"more"
        with pytest.raises(asyncio.TimeoutError):
            await channel.receive_json(20)
        await client.accepted()

    run(main, kind)


def test_without_qos_a_message_is_lost_unless_the_client_uses_the_channel():
    async def main(service):
        conn = service.connection()
        await within(conn.channel(20).send(b"absent", qos=False))
        client, _ = await joined(service)
        await within(conn.channel(30).send(b"not used", qos=False))
        await within(conn.channel(20).send(b"here", qos=False))
        await within(conn.channel(20).send(b"last"))
        assert client.got == {20: [b"here", b"last"]}

    run(main)


@pytest.mark.parametrize("kind", STORES)
def test_late_message_is_not_delivered_and_its_sender_is_told(kind):
    async def main(service):
        conn = service.connection()
        late = asyncio.create_task(conn.channel(20).send(b"late", ttl_ms=20))
        await within(conn.channel(20).send(b"unseen", wait=False, ttl_ms=20))
        await within(conn.channel(20).send(b"in time", wait=False, ttl_ms=100000))
        with pytest.raises(Expired, match="channel 20"):
            await within(late)
        client, _ = await joined(service)
        assert [message[0][2:] for message in await client.messages(20, 1)] == [b"in time"]
        client.mute = {20}
        late = asyncio.create_task(conn.channel(20).send(b"late again", ttl_ms=300))
        await until(lambda: client.open(20).received, "the message")
        with pytest.raises(Expired):
            await within(late)
        client.read_again()
        await within(conn.channel(20).send(b"end"))
        assert client.got[20][-1] == b"end" and len(client.got[20]) == 2

    run(main, kind)


def test_message_of_a_client_that_is_late_is_not_stored():
    async def main(service):
        client, conn = await joined(service)
        client.send(20, b"late", ttl_ms=0)
        client.send(20, b"good", ttl_ms=10000)
        assert (await within(conn.channel(20).receive())).data == b"good"
        await client.accepted()
        assert client.open(20).acknowledged == 2

    run(main)


def test_bad_arguments_are_refused_with_words():
    async def main(service):
        conn = service.connection()
        for number in (0, 1, 3, 15, True, 128, -1, "20", 20.0, None, []):  # 1 to 15 are not for applications
            with pytest.raises(ValueError, match="a number from 16 to 127"):
                conn.channel(number)
            with pytest.raises(ValueError, match="a number from 16 to 127"):  # also if the project's own has it
                assert conn.channel(3, 1).number == 3
                conn.channel(number)
        assert (conn.channel(16).number, conn.channel(127).number) == (16, 127)
        channel = conn.channel(20)
        assert channel is conn.channel(20) and isinstance(channel, Channel)
        for bad, kind, words in ((5, TypeError, "bytes or a str"), (bytes(8187), ValueError, "longest is 8186")):
            with pytest.raises(kind, match=words):
                await channel.send(bad)
        for ttl, kind in ((0, ValueError), (-1, ValueError), (1 << 30, ValueError), (1.5, TypeError)):
            with pytest.raises(kind):
                await channel.send(b"", ttl_ms=ttl)
        with pytest.raises(ValueError, match="commit"):
            channel.messages("never")

    run(main)


def test_longest_message_arrives_with_a_limit_too():
    async def main(service):
        client, conn = await joined(service)
        await within(conn.channel(20).send(bytes(8186), ttl_ms=100000))
        assert len(client.got[20][0][0]) == 8188

    run(main)


def test_cancelled_receive_takes_nothing_and_receive_times_out():
    async def main(service):
        client, conn = await joined(service)
        with pytest.raises(asyncio.TimeoutError):
            await conn.channel(20).receive(10)
        reading = asyncio.create_task(conn.channel(20).receive())
        await asyncio.sleep(0)
        reading.cancel()
        client.send(20, b"kept")
        await client.accepted()
        assert (await within(conn.channel(20).receive())).data == b"kept"

    run(main)


def test_store_that_fails_is_told_to_those_who_send_and_receive():
    async def main():
        store = FailingStore()
        async with Service(store=store) as service:
            client, conn = await joined(service)
            client.mute = {20}
            waiting = asyncio.create_task(conn.channel(20).send(b"x"))
            reading = asyncio.create_task(conn.channel(20).receive())
            await until(lambda: client.open(20).received, "the message")
            store.failing = "put"
            with pytest.raises(StoreError):
                await within(conn.channel(20).send(b"y"))
            for task in (waiting, reading):
                with pytest.raises(StoreError):
                    await within(task)

    asyncio.run(main())


@pytest.mark.parametrize("kind", STORES)
def test_messages_that_are_taken_at_once_are_not_stored_and_their_numbers_are(kind):
    async def main(service):
        taken = []
        service.registry.taken_at_once[3] = lambda client_id, data: taken.append((client_id, data))
        client, conn = await joined(service, (3, 20))
        for i in range(200):  # more than there is room for in the store
            client.send(3, b"%d" % i + bytes(200), qos=i % 2 == 0)
        client.send(20, b"stored")
        await within(client.accepted())
        await until(lambda: len(taken) == 200, "all messages")
        assert taken == [("a", b"%d" % i + bytes(200)) for i in range(200)]
        assert service.store.unread("a", 3)[0] == 0 and conn.state.cursors[3] == 100
        assert (await within(conn.channel(20).receive())).data == b"stored"
        client.cut()
        await within(client.connect())
        client.send(3, b"once more")
        await within(client.accepted())
        assert taken[200:] == [("a", b"once more")]

    run(main, kind)


def test_client_that_only_prints_is_seen_to_flap():
    async def main(service):
        taken = []
        service.registry.taken_at_once[3] = lambda client_id, data: taken.append(data)
        client, conn = await joined(service, (3,))
        for count in range(1, 4):
            client.send(3, b"printed", qos=False)
            await until(lambda count=count: len(taken) == count, "the message")
            client.cut()
            await until(lambda: not conn.status(), "the end")
            await within(client.connect())
        assert conn.pace.fruitless >= 3

    run(main)
