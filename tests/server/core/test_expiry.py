"""Time limits of messages at the server: what is stored, dropped and told when, with a restart at any moment."""

import asyncio

import pytest

from primitives.platform import ticks_ms
from primitives.waiting import ticks_add
from protocol.channel_records import DROPPED, EXPIRES, REQUEST
from protocol.errors import Expired
from server import MemoryStore, client_conn
from server.core import expiry
from server.core.expiry import LOOK_MS, Alarm, Come, earlier, judged
from server.core.message import DROPPED as STORED_DROPPED
from tests.server.all_stores import STORES, SlowStore
from tests.server.channel_peer import ChannelClient
from tests.server.peer import Service, until, within

BIG = bytes(4000)


async def joined(service, channels=(20, 21)):
    client = ChannelClient(service.port, channels)
    await within(client.connect())
    return client, await within(client_conn("a"))


async def restarted(service):
    """The server's process ends, and another one takes the client from the store."""
    conn = service.connection()
    await conn._loaded()
    conn._task.cancel()
    conn._begin(service.store, await service.store.claim("a"))


def run(main, kind=MemoryStore):
    async def whole():
        async with Service(store=kind()) as service:
            await main(service)

    asyncio.run(whole())


def watched(client, data, ttl_ms):
    """Send a message as a client does whose application waits for it. Returns its count."""
    channel = client.open(20)
    count = channel.append(bytes(2) + data, True, EXPIRES, ticks_add(ticks_ms(), ttl_ms), True)
    client._flush()
    return count


def state_of(service):
    return service.connection().state


# What has come


def test_messages_that_may_be_accepted_are_those_in_front_of_one_that_needs_room():
    late, good, gone = (bytes(2) + b"l", EXPIRES, 100), (bytes(2) + b"g", EXPIRES, 900), (b"", DROPPED, None)
    call = (b"id..", REQUEST, None)
    received = [late, gone, good, b"plain", call, late]
    all_of = [
        Come(None, EXPIRES, True, None),
        Come(None, DROPPED, False, None),
        Come(b"g", 0, False, 800),
        Come(b"plain", 0, False, None),
        Come(b"id..", REQUEST, False, None),
        Come(None, EXPIRES, True, None),
    ]
    assert judged(received[:], 100, True) == (all_of, None)
    assert judged(received, 100, False) == (all_of[:2], 900)
    assert received[-1] == (b"", EXPIRES, None), "what is late has given back its memory, and stays late"
    assert judged([(bytes(2), EXPIRES | REQUEST, 900)], 100, True)[0] == [Come(b"", REQUEST, False, 800)]
    assert judged([late] * 3, 99, False) == ([], 100) and judged([], 0, True) == ([], None)


def test_earlier_is_that_of_ticks_that_wrap():
    wrap = 1 << 30
    assert earlier(None, None) is None and earlier(5, None) == earlier(None, 5) == earlier(5, 9) == earlier(9, 5) == 5
    assert earlier(wrap - 5, 5) == earlier(5, wrap - 5) == wrap - 5


def test_alarm_is_one_task_and_only_while_there_is_a_time(monkeypatch):
    async def main():
        before = len(asyncio.all_tasks())
        looks = []
        alarm = Alarm(lambda: looks.append(1))
        alarm.set(None)
        assert len(asyncio.all_tasks()) == before
        now = ticks_ms()
        for at in (60000, 30, 40, 30):
            alarm.set(ticks_add(now, at))
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) == before + 1
        await until(lambda: looks, "the look")
        await asyncio.sleep(0.05)
        assert looks == [1] and len(asyncio.all_tasks()) == before
        alarm.set(now)
        alarm.clear()
        await asyncio.sleep(0.05)
        assert looks == [1] and len(asyncio.all_tasks()) == before

    monkeypatch.setattr(expiry, "LOOK_MS", 20)
    asyncio.run(main())


def test_alarm_that_its_loop_has_cancelled_is_set_again(monkeypatch):
    async def first():
        alarm.set(ticks_ms())
        await asyncio.sleep(0)

    async def second():
        alarm.set(ticks_add(ticks_ms(), 10))
        await until(lambda: looks, "the look")

    monkeypatch.setattr(expiry, "LOOK_MS", 20)
    looks = []
    alarm = Alarm(lambda: looks.append(1))
    asyncio.run(first())
    asyncio.run(second())


# Received by the server


@pytest.mark.parametrize("kind", STORES)
def test_restarted_server_still_knows_what_had_expired(kind):
    async def main(service):
        client, conn = await joined(service)
        client.answering = True
        late = watched(client, b"late", 0)
        good = watched(client, b"good", 100000)
        client.cut()  # before it is told anything
        await until(lambda: state_of(service).cursors.get(20) == 2, "the store")
        assert state_of(service).expired == {20: 2}
        await restarted(service)
        assert state_of(service).expired == {20: 2}
        await within(client.connect())
        await client.accepted()
        channel = client.open(20)
        assert (channel.has_expired(late), channel.has_expired(good)) == (True, False)
        assert (await within(conn.channel(20).receive())).data == b"good"

    run(main, kind)


@pytest.mark.parametrize("kind", STORES)
def test_number_of_a_late_message_is_stored_before_it_is_told(kind):
    """Else the next connection looks as if the store had lost an acknowledged message."""

    async def main(service):
        told = []
        service.registry.events.subscribe(lambda event, client_id, details: told.append(event))
        client, _ = await joined(service)
        count = watched(client, b"late", 0)
        await client.accepted()
        assert client.open(20).has_expired(count) and state_of(service).cursors[20] == 1
        for restart in (False, True):
            client.cut()
            if restart:
                await restarted(service)
            await within(client.connect())
        assert "connected" in told and "store_rolled_back" not in told and state_of(service).expired == {20: 1}

    run(main, kind)


@pytest.mark.parametrize("kind", STORES)
def test_message_that_has_no_room_expires_without_a_reader(kind):
    async def main(service):
        client, conn = await joined(service)
        for _ in range(5):  # more than the store takes
            client.send(20, BIG)
        await client.accepted()
        count = watched(client, b"late", 100)
        client.send(20, b"behind")
        await until(lambda: client.open(20).has_expired(count), "Expired")
        assert not service.store.inbox_room("a", 20) and client.open(20).unacknowledged() == 1
        for _ in range(5):
            assert (await within(conn.channel(20).receive())).data == BIG
        assert (await within(conn.channel(20).receive())).data == b"behind"
        assert service.connection()._session.channels.get(20).expirations == 1

    run(main, kind)


def test_message_whose_time_ends_while_it_is_stored_was_in_time():
    """So nothing needs to hold it: only the storing task accepts what the server has received."""

    async def main(service):
        client, conn = await joined(service)
        service.store.gate.clear()
        first, second = watched(client, b"first", 60), watched(client, b"second", 60)
        await until(lambda: service.store.inside == "receive", "the store")
        third = watched(client, b"third", 30)  # late when the store is ready
        await asyncio.sleep(0.1 + LOOK_MS / 1000)
        service.store.gate.set()
        await client.accepted()
        assert [client.open(20).has_expired(count) for count in (first, second, third)] == [False, False, True]
        assert [(await within(conn.channel(20).receive())).data for _ in range(2)] == [b"first", b"second"]
        assert service.store.received == [b"first", b"second"] and state_of(service).expired == {20: 1}

    run(main, SlowStore)


# Sent by the server


def outbox(service):
    box = service.store._clients["a"].outbox[20]
    return [box.row(at)[1] for at in range(len(box.numbers))]


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("sent", [False, True])
def test_restored_message_is_dropped_in_its_time_while_the_client_is_away(kind, sent):
    async def main(service):
        conn = service.connection()
        if sent:  # the client may have accepted it: nobody waits to know
            client, _ = await joined(service)
            client.mute = {20}
        await within(conn.channel(20).send(b"late", wait=False, ttl_ms=400))
        await within(conn.channel(20).send(b"stays", wait=False))
        if sent:
            await until(lambda: client.open(20).received, "the message")
            client.cut()
        await restarted(service)
        assert [message.data for message in outbox(service)] == [b"late", b"stays"]
        await until(lambda: outbox(service)[0].kind == STORED_DROPPED, "the drop")
        assert [message.data for message in outbox(service)] == [b"", b"stays"]
        await restarted(service)
        client, _ = await joined(service)
        assert await client.messages(20, 1) == [b"stays"]

    run(main, kind)


def test_expiry_makes_room_for_those_who_wait():
    async def main(service):
        conn = service.connection()
        for _ in range(30):
            await within(conn.channel(20).send(b"late", wait=False, ttl_ms=100000))
        waiting = [asyncio.create_task(conn.channel(20).send(b"x", ttl_ms=100000)) for _ in range(2)]
        other = asyncio.create_task(conn.channel(21).send(b"late", ttl_ms=100))
        with pytest.raises(Expired):
            await within(other)
        assert not any(task.done() for task in waiting)

    run(main)


def test_client_with_no_message_that_can_expire_has_no_alarm():
    async def main(service):
        client, conn = await joined(service)
        await within(conn.channel(20).send(b"plain"))
        client.send(20, b"plain")
        await within(conn.channel(20).receive())
        assert conn._channels.alarm._task is None
        await within(conn.channel(20).send(b"timed", ttl_ms=100))
        await until(lambda: conn._channels.alarm._task is None, "the end of the alarm")

    run(main)


def test_cancelled_send_leaves_nothing_that_waits_for_its_expiry():
    async def main(service):
        conn = service.connection()
        await within(conn._loaded())
        service.store.gate.clear()
        sending = asyncio.create_task(conn.channel(20).send(b"x", ttl_ms=60000))
        await until(lambda: service.store.inside == "put")
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        service.store.gate.set()
        channel = conn._channels.of_session(20)
        await until(lambda: channel.unacknowledged() == 1)
        assert channel.has_expired(1) is None

    run(main, SlowStore)
