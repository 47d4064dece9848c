"""What the server answers to a client that asks for the time. Neither the store nor the application takes part."""

import asyncio
import time

import pytest

from protocol.limits import SEND_LINES
from protocol.time_messages import TIME_CHANNEL, decode_answer, encode_question
from server.core import time_service
from server.core.time_service import ANSWERS
from tests.server.all_stores import RecordingStore, SlowStore, TemporaryStore
from tests.server.channel_peer import ChannelClient
from tests.server.peer import Service, until, within


@pytest.fixture
def clock(monkeypatch):
    """The service's clock, which a test sets."""

    class Clock:
        ms = 0

    monkeypatch.setattr(time_service, "monotonic_ms", lambda: Clock.ms)
    return Clock


def run(main, store):
    async def whole():
        async with Service(store=store) as service:
            client = ChannelClient(service.port, (TIME_CHANNEL,))
            await within(client.connect())
            await main(service, client)
            client.cut()

    asyncio.run(whole())


async def answers(client, count):
    """Returns the numbers of the answers so far, after checking the time in them."""
    found = [decode_answer(data) for data in await client.messages(TIME_CHANNEL, count)]
    assert all(abs(utc - time.time() * 1000) < 5000 for _, utc in found)
    return [number for number, _ in found]


def ask(client, *numbers, qos=False):
    for number in numbers:
        client.send(TIME_CHANNEL, encode_question(number), qos=qos)


def test_question_is_answered_and_nothing_is_stored_or_left_for_the_application():
    async def main(service, client):
        ask(client, 7, 65535)
        assert await answers(client, 2) == [7, 65535]
        assert service.store.received == [] and service.store.total == 0
        with pytest.raises(asyncio.TimeoutError):
            await service.connection().channel(TIME_CHANNEL, 1).receive(50)

    run(main, RecordingStore())


def test_answer_does_not_wait_for_the_store():
    async def main(service, client):
        service.store.gate.clear()
        await client.write("a line")
        await until(lambda: service.store.inside == "receive", "the store at work")
        ask(client, 1)
        assert await answers(client, 1) == [1]
        service.store.gate.set()
        await within(client.acknowledged())

    run(main, SlowStore())


def test_more_questions_than_the_limit_are_dropped_until_the_period_is_over(clock):
    async def main(service, client):
        ask(client, *range(2 * ANSWERS))
        assert await answers(client, ANSWERS) == list(range(ANSWERS))
        clock.ms += time_service.PERIOD_MS - 1
        ask(client, 100)
        await within(client.write("after it"))
        await within(client.acknowledged())
        assert len(client.got[TIME_CHANNEL]) == ANSWERS
        clock.ms += 1
        ask(client, 101)
        assert (await answers(client, ANSWERS + 1))[-1] == 101
        clock.ms -= 5000  # a clock that wraps
        ask(client, *range(200, 200 + ANSWERS))
        assert (await answers(client, 2 * ANSWERS + 1))[-1] == 200 + ANSWERS - 1

    run(main, RecordingStore())


def test_what_is_no_question_is_dropped(clock):
    async def main(service, client):
        for data in (b"", b"x", b"xyz", bytes(300)):
            client.send(TIME_CHANNEL, data, qos=False)
        ask(client, 3)
        assert await answers(client, 1) == [3]
        assert service.store.received == []

    run(main, RecordingStore())


def test_client_that_does_not_read_its_answers_costs_no_memory_without_end(clock):
    async def main(service, client):
        client.mute = {TIME_CHANNEL}
        for i in range(400):
            clock.ms += time_service.PERIOD_MS
            ask(client, i)
            await asyncio.sleep(0)
        await within(client.write("after it"))
        await within(client.acknowledged())
        held = service.connection()._channels.of_session(TIME_CHANNEL).unacknowledged()
        assert held <= SEND_LINES < 400
        client.read_again()
        clock.ms += time_service.PERIOD_MS
        ask(client, 999)
        await until(lambda: decode_answer(client.got[TIME_CHANNEL][-1])[0] == 999, "the last answer")

    run(main, RecordingStore())


def test_question_with_qos_is_answered_too_and_its_number_is_kept():
    async def main(service, client):
        ask(client, 5, qos=True)
        assert await answers(client, 1) == [5]
        await within(client.accepted())
        await client.write("a line, with which the store learns of it")
        await within(client.acknowledged())
        told = []
        service.events.subscribe(lambda event, *_: told.append(event))
        conn = service.connection()
        await conn.discard()  # claims the client anew, as a restart does
        await within(client.connect())
        ask(client, 6, qos=True)
        await until(lambda: decode_answer(client.got[TIME_CHANNEL][-1])[0] == 6, "the second answer")
        assert "store_rolled_back" not in told and conn.status()

    run(main, TemporaryStore())
