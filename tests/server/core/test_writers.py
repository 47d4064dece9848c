"""The order of calls of `Connection.write` and what they wait for; `readline` with a limit."""

import asyncio
import random

import pytest

from protocol.errors import StoreError
from server import MemoryStore, client_conn
from server.core.store import LINE_COST
from tests.server.all_stores import STORES, FailingStore, SlowStore
from tests.server.peer import Client, Service, until, within


async def joined(service):
    client = Client(service.port)
    await within(client.connect())
    return client, await within(client_conn("a"))


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


def store_of_two_lines(kind=MemoryStore):
    """Its outbox is full with two lines of a byte."""
    return kind(65536, 2 * (1 + LINE_COST))


@pytest.mark.parametrize("kind", STORES)
def test_line_of_qos_0_does_not_wait_for_anybody_while_the_client_is_absent(kind):
    async def main():
        async with Service(store=store_of_two_lines(kind)) as service:
            client, conn = await joined(service)
            client.cut()
            await until(lambda: not conn.status(), "the end of the connection")
            writing = [asyncio.create_task(conn.write(line, wait=False)) for line in "abc"]
            await until(lambda: writing[1].done(), "a full outbox")
            await within(conn.write("lost", qos=False))
            assert not writing[2].done()
            await within(client.connect())
            assert await within(client.expect(3)) == ["a\n", "b\n", "c\n"]

    asyncio.run(main())


@pytest.mark.parametrize("kind", STORES)
def test_line_of_qos_0_that_waits_leaves_when_the_connection_ends(kind):
    async def main():
        async with Service(store=store_of_two_lines(kind)) as service:
            client, conn = await joined(service)
            client.reading = False
            writing = [asyncio.create_task(conn.write(line, wait=False)) for line in "abc"]
            await until(lambda: writing[1].done(), "a full outbox")
            behind = [asyncio.create_task(conn.write("lost", qos=False)) for _ in range(3)]
            await settle()
            assert not any(task.done() for task in behind)  # it would overtake c
            client.cut()
            await within(asyncio.gather(*behind))
            assert not writing[2].done()
            client.reading = True
            await within(client.connect())
            assert await within(client.expect(3)) == ["a\n", "b\n", "c\n"]
            assert not conn._writers

    asyncio.run(main())


@pytest.mark.parametrize("qos", [True, False])
def test_line_of_a_cancelled_write_that_the_store_has_in_hand_keeps_its_place(qos):
    async def main():
        store = SlowStore()
        async with Service(store=store) as service:
            client, conn = await joined(service)
            store.gate.clear()
            first = asyncio.create_task(conn.write("first"))
            await until(lambda: store.inside == "put", "the store at work")
            first.cancel()
            await settle()
            second = asyncio.create_task(conn.write("second", qos=qos, wait=False))
            await settle()
            store.gate.set()
            await within(second)
            assert await within(client.expect(2)) == ["first\n", "second\n"]

    asyncio.run(main())


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("seed", range(4))
def test_calls_keep_their_order_when_others_are_cancelled(kind, seed):
    async def main():
        async with Service(store=store_of_two_lines(kind)) as service:
            client, conn = await joined(service)
            rng = random.Random(seed)
            tasks = []
            for i in range(80):
                line, qos, wait = f"{i:02d}", rng.random() < 0.6, rng.random() < 0.3
                tasks.append(asyncio.create_task(conn.write(line, qos=qos, wait=wait)))
                for _ in range(rng.choice((0, 0, 1, 5))):
                    await asyncio.sleep(0)
                if rng.random() < 0.3:
                    tasks[rng.randrange(len(tasks))].cancel()
            await within(asyncio.wait(tasks))
            await within(conn.write("99"))
            certain = {f"{i:02d}\n" for i, task in enumerate(tasks) if not task.cancelled()}
            assert client.lines == sorted(set(client.lines)) and certain <= set(client.lines)
            assert not conn._writers

    asyncio.run(main())


@pytest.mark.parametrize("kind", STORES)
def test_line_for_a_client_that_never_connected_waits_in_the_store(kind):
    async def main():
        async with Service(store=store_of_two_lines(kind)) as service:
            conn = service.connection()
            for line in "ab":
                await within(conn.write(line, wait=False))
            third = asyncio.create_task(conn.write("c"))
            client, _ = await joined(service)
            await within(third)
            assert client.lines == ["a\n", "b\n", "c\n"]

    asyncio.run(main())


def test_write_may_be_called_before_the_server_runs():
    async def main():
        service = Service()
        writing = asyncio.create_task(service.connection().write("early", wait=False))
        await settle()
        assert not writing.done()
        async with service:
            await within(writing)
            client, _ = await joined(service)
            assert await within(client.expect(1)) == ["early\n"]

    asyncio.run(main())


def test_failing_store_is_an_error_for_a_client_that_never_connected():
    async def main():
        store = FailingStore()
        async with Service(store=store) as service:
            conn = service.connection()
            store.failing = "claim"
            with pytest.raises(StoreError, match="disk full"):
                await within(conn.write("x", wait=False))
            with pytest.raises(StoreError, match="disk full"):
                await within(conn.readline())
            store.failing = None
            await within(conn.write("y", wait=False))
            client, _ = await joined(service)
            assert await within(client.expect(1)) == ["y\n"]

    asyncio.run(main())


def test_cancelled_first_use_of_a_client_leaves_it_to_others():
    async def main():
        store = SlowStore()
        async with Service(store=store) as service:
            conn = service.connection()
            store.gate.clear()
            writing = asyncio.create_task(conn.write("never begun"))
            await until(lambda: store.inside == "claim", "the store at work")
            client = Client(service.port)
            connecting = asyncio.create_task(client.connect())
            await settle()
            writing.cancel()
            store.gate.set()
            await within(connecting)
            await within(conn.write("x"))
            assert client.lines == ["x\n"]

    asyncio.run(main())


@pytest.mark.parametrize("store", STORES)
def test_readline_with_a_limit_leaves_the_line_for_the_next_call(store):
    async def main():
        async with Service(store=store()) as service:
            client, conn = await joined(service)
            for timeout_ms in (0, 20):
                with pytest.raises(asyncio.TimeoutError):
                    await within(conn.readline(timeout_ms))
            await within(client.write("a"))
            assert await within(conn.readline(timeout_ms=10000)) == "a\n"
            with pytest.raises(ValueError, match="timeout_ms must be 0..536870911 or None"):
                await conn.readline(-1)

    asyncio.run(main())


@pytest.mark.parametrize("kind", STORES)
def test_each_line_to_a_client_is_shown_once_to_who_follows(kind):
    async def main():
        async with Service(store=kind()) as service:
            followed = []
            service.registry.line_followers.append(lambda client_id, line: followed.append((client_id, line)))
            conn = service.connection()
            await within(conn.write("while it is away", wait=False))
            client, _ = await joined(service)
            await within(conn.write("stored"))
            await within(conn.write("quick", qos=False))
            await within(client.expect(3))
            client.cut()
            await until(lambda: not conn.status(), "the end of the connection")
            await within(conn.write("lost", qos=False))
            assert followed == [("a", b"while it is away"), ("a", b"stored"), ("a", b"quick")]

    asyncio.run(main())
