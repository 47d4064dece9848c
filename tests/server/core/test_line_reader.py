"""Connection.lines: which line an application sees again, and which it does not. Cancelled calls of readline."""

import asyncio
import random

import pytest

from server import client_conn
from server.stores.sqlite import SQLiteStore
from tests.server.all_stores import STORES, TemporaryStore
from tests.server.peer import Client, Service, until, within


async def joined(service, lines=()):
    client = Client(service.port)
    await within(client.connect())
    for line in lines:
        await within(client.write(line))
    await within(client.acknowledged())
    return client, await within(client_conn("a"))


async def first(lines, count):
    return [await within(lines.__anext__()) for _ in range(count)]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("how", [{}, {"commit": "before"}, {"ahead": 10}])
def test_lines_come_in_order_and_once(store, how):
    async def main():
        async with Service(store=store()) as service:
            _, conn = await joined(service, map(str, range(30)))
            got = []
            async for line in conn.lines(**how):
                got.append(line)
                if len(got) == 30:
                    break
            assert got == [f"{i}\n" for i in range(30)]

    asyncio.run(main())


@pytest.mark.parametrize("store", STORES)
def test_line_that_an_application_died_with_comes_again(store):
    async def main():
        async with Service(store=store()) as service:
            _, conn = await joined(service, "abcd")
            lines = conn.lines()
            assert await first(lines, 2) == ["a\n", "b\n"] and lines.number == 1
            again = conn.lines()
            assert await first(again, 2) == ["b\n", "c\n"] and again.number == 2
            assert await within(conn.readline()) == "c\n"
            assert await within(conn.readline()) == "d\n"

    asyncio.run(main())


@pytest.mark.parametrize("store", STORES)
def test_cancelled_iteration_commits_nothing_more(store):
    async def main():
        async with Service(store=store()) as service:
            client, conn = await joined(service, "a")
            lines = conn.lines()
            assert await first(lines, 1) == ["a\n"]
            waiting = asyncio.create_task(lines.__anext__())  # done with a
            await asyncio.sleep(0.1)
            waiting.cancel()
            await client.write("b")
            assert await first(lines, 1) == ["b\n"]
            assert await first(conn.lines(), 1) == ["b\n"]

    asyncio.run(main())


def test_numbers_are_the_same_in_the_next_process():
    store = TemporaryStore()
    asyncio.run(run_of(store, ["a", "b"], ["a\n", "b\n"], 1))
    store.close()
    again = SQLiteStore(store.path)
    asyncio.run(run_of(again, [], ["b\n"], 1))
    again.close()


async def run_of(store, sent, expected, number):
    """A process in which the client sends lines and the application sees others."""
    async with Service(store=store) as service:
        _, conn = await joined(service, sent)
        lines = conn.lines()
        assert await first(lines, len(expected)) == expected
        assert lines.number == number


def test_other_commit_is_an_error():
    async def main():
        async with Service() as service:
            with pytest.raises(ValueError, match="commit must be"):
                service.connection().lines(commit="never")

    asyncio.run(main())


@pytest.mark.parametrize("store", STORES[1:])
def test_line_taken_for_a_reader_that_was_cancelled_goes_back(store):
    async def main():
        async with Service(store=store()) as service:
            lines = [f"{i}\n" for i in range(40)]
            client, conn = await joined(service)
            sending = asyncio.create_task(send(client, lines))
            rng = random.Random(1)
            got = []
            while len(got) < len(lines):
                readers = [asyncio.create_task(conn.readline()) for _ in range(rng.randrange(1, 4))]
                await asyncio.sleep(rng.random() * 0.01)
                for reader in readers:
                    reader.cancel()
                await asyncio.wait(readers)
                got += [reader.result() for reader in readers if not reader.cancelled()]
                if rng.random() < 0.3:
                    await until(lambda: not conn.inbox.reader.taken, "all lines to go back")
            assert got == lines
            await sending

    asyncio.run(main())


async def send(client, lines):
    for line in lines:
        await within(client.write(line))
