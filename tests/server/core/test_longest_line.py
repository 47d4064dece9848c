"""The longest line that a client announces, and readers that run out of memory."""

import asyncio

import pytest

from protocol.limits import MAX_LINE
from server import MemoryStore, client_conn
from server.core import line_reader as reading_module
from tests.server.all_stores import STORES
from tests.server.core.test_connection import joined
from tests.server.peer import Client, Service, until, within
from tests.server.store_calls import held


def recorded(service):
    """The events named line_held, as they come."""
    events = []
    service.events.subscribe(lambda name, client_id, details: name == "line_held" and events.append(details))
    return events


@pytest.mark.parametrize("qos", [True, False])
def test_line_longer_than_the_client_takes_is_an_error_and_is_not_stored(qos):
    async def main():
        store = MemoryStore()
        async with Service(store=store) as service:
            client, conn = await joined(service, max_line=1000)
            with pytest.raises(ValueError, match="1001 bytes, the longest is 1000"):
                await conn.write("x" * 1001, qos=qos)
            with pytest.raises(ValueError):
                await conn.write("\u20ac" * 334, qos=qos)
            assert not held(store._clients["a"].outbox)
            await within(conn.write("x" * 1000))
            assert await within(client.expect(1)) == ["x" * 1000 + "\n"]

    asyncio.run(main())


@pytest.mark.parametrize("store", STORES)
def test_line_stored_before_the_client_took_less_is_held_said_and_delivered_when_it_takes_it(store):
    async def main():
        async with Service(store=store()) as service:
            events = recorded(service)
            conn = service.connection()
            for line in ("first", "x" * 3000, "last"):  # for a client that has never been here
                await within(conn.write(line, wait=False))
            client = Client(service.port, max_line=2048)
            await within(client.connect())
            assert await within(client.expect(1)) == ["first\n"]
            assert events == [{"bytes": 3000, "longest": 2048}]
            await within(client.write("up"))  # the other direction is not held up
            assert await within(conn.readline()) == "up\n"
            await asyncio.sleep(0.05)
            assert len(client.lines) == 1 and client.up
            client.max_line = MAX_LINE
            client.cut()
            await within(client.connect())
            assert await within(client.expect(3)) == ["first\n", "x" * 3000 + "\n", "last\n"]
            assert len(events) == 1

    asyncio.run(main())


def test_held_line_can_be_discarded():
    async def main():
        async with Service() as service:
            conn = service.connection()
            await within(conn.write("x" * 3000, wait=False))
            client = Client(service.port, max_line=2048)
            await within(client.connect())
            assert await conn.discard() == 1
            await within(client.ended())
            await within(client.connect())
            await within(conn.write("short"))
            assert await within(client.expect(1)) == ["short\n"]

    asyncio.run(main())


class Failing:
    """decode_line, which fails the first time."""

    def __init__(self, error):
        self._error = error
        self._original = reading_module.decode_line

    def __call__(self, data):
        if self._error is None:
            return self._original(data)
        error, self._error = self._error, None
        raise error


async def read_again(conn, reader, error):
    """The next line, by a call after the one that has failed."""
    if reader == "readline":
        with pytest.raises(type(error)):
            await within(conn.readline())
        return await within(conn.readline())
    if reader == "readline with a limit":
        with pytest.raises(type(error)):
            await within(conn.readline(1000))
        return await within(conn.readline(1000))
    lines = conn.lines(commit="before" if reader == "before" else "after")
    with pytest.raises(type(error)):
        await within(lines.__anext__())
    if reader == "another iterator":
        lines = conn.lines()
    return await within(lines.__anext__())


@pytest.mark.parametrize("reader", ["readline", "readline with a limit", "before", "after", "another iterator"])
@pytest.mark.parametrize("store", STORES)
def test_line_that_cannot_be_decoded_for_want_of_memory_is_not_accepted(store, reader, monkeypatch):
    async def main():
        async with Service(store=store()) as service:
            client, conn = await joined(service)
            for line in ("first", "second"):
                await within(client.write(line))
            await within(client.acknowledged())
            failing = Failing(MemoryError())
            monkeypatch.setattr(reading_module, "decode_line", failing)
            assert await read_again(conn, reader, MemoryError()) == "first\n"
            if reader in ("readline", "readline with a limit", "before"):
                assert await within(conn.readline()) == "second\n"

    asyncio.run(main())


def test_connection_is_known_by_what_the_client_said_last():
    async def main():
        async with Service() as service:
            conn = service.connection()
            assert conn.max_line == MAX_LINE
            client, _ = await joined(service, max_line=500)
            assert (await within(client_conn("a"))).max_line == 500
            client.max_line = 600
            client.cut()
            await within(client.connect())
            await until(lambda: conn.max_line == 600, "the new limit")

    asyncio.run(main())
