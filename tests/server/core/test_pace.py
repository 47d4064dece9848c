"""A client that comes again and again to no purpose is slowed down, and fills no log."""

import asyncio

import pytest

from primitives import timeout
from server.core.pace import FREE, GOOD_MS, LAST_MS, Pace
from tests.server.peer import Client, Service, until, within


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        ms = 0

    monkeypatch.setattr(timeout, "ticks_ms", lambda: Clock.ms)
    return Clock


def fruitless(pace, count):
    pauses = []
    for _ in range(count):
        pace.begin()
        pauses.append(pace.left_ms())
        pace.end()
    return pauses


def test_pause_grows_up_to_its_bound(clock):
    assert fruitless(Pace(lambda: clock.ms), FREE + 5) == [0] * FREE + [500, 1000, 2000, LAST_MS, LAST_MS]


def test_line_that_moves_ends_the_row(clock):
    pace = Pace(lambda: clock.ms)
    fruitless(pace, FREE + 3)
    pace.begin()
    assert pace.moved() == FREE + 3 and pace.moved() == 0
    pace.end()
    assert fruitless(pace, 1) == [0]


def test_connection_that_lasts_ends_the_row(clock):
    pace = Pace(lambda: clock.ms)
    fruitless(pace, FREE + 3)
    pace.begin()
    clock.ms += GOOD_MS
    assert pace.end() == FREE + 3
    assert fruitless(pace, 1) == [0]


def test_connection_that_lasts_for_days_ends_the_row(clock):
    for days in (5, 7, 13):
        pace = Pace(lambda: clock.ms)
        fruitless(pace, FREE + 3)
        pace.begin()
        clock.ms += days * 86400000
        assert pace.end() == FREE + 3


def test_client_that_would_give_up_meanwhile_does_not_wait(clock):
    """One of micropython-iot sends its message again on a new connection: it would never have it acknowledged."""
    pace = Pace(lambda: clock.ms)
    fruitless(pace, FREE + 5)
    pace.begin(may_wait=False)
    assert pace.left_ms() == 0


def test_few_of_many_fruitless_connections_are_worth_a_line_of_log(clock):
    pace = Pace(lambda: clock.ms)
    lines = 0
    for _ in range(10000):
        fruitless(pace, 1)
        lines += pace.worth_a_line
    assert lines <= FREE + 12


def test_client_that_has_to_wait_is_served_then():
    async def main():
        async with Service() as service:
            events = []
            service.events.subscribe(lambda event, client_id, details: events.append((event, details)))
            client = Client(service.port)
            await within(client.connect())
            pace = service.connection().pace
            pace.fruitless = FREE + 1
            client.cut()
            await until(lambda: not service.connection().status(), "the end")
            begin = asyncio.get_running_loop().time()
            await within(client.connect())
            assert asyncio.get_running_loop().time() - begin > 0.9
            await client.write("line")
            await within(client.acknowledged())
            assert ("steady", {"connections": FREE + 2}) in events and pace.fruitless == 0

    asyncio.run(main())


def test_connection_that_takes_over_while_its_client_waits_is_answered():
    async def main():
        async with Service() as service:
            client = Client(service.port)
            service.connection().pace.fruitless = FREE
            first = asyncio.create_task(client.connect())
            await until(lambda: service.connection().nconns == 1, "the first one")
            first.cancel()
            client.cut()
            await within(client.connect())
            await client.write("line")
            await within(client.acknowledged())

    asyncio.run(main())
