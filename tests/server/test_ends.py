"""What is cancelled in the middle of something, and what waits when its store ends: nothing is lost or goes on."""

import asyncio
import threading
import time

import pytest

from primitives.task_flag import TaskFlag
from protocol.errors import StoreError
from server import MemoryStore
from server.core.registry import Registry
from server.core.resuming import Resuming
from server.core.server import Server
from server.core.store import StoreGone
from server.stores import opened, postgres_mail
from server.stores import postgres_reading_statements as statements
from server.stores.disk_thread import DiskThread
from server.stores.gathered import Gathered
from server.stores.postgres import PostgresStore
from server.stores.postgres_database import PostgresDatabase
from server.stores.sqlite import SQLiteStore
from tests.patience import PATIENCE_S
from tests.server.peer import free_port
from tests.server.reading_bed import Bed, run, until


async def cancelled(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


def connection_of(store):
    registry = Registry()
    registry.use(store)
    return registry.get("a")


# The server's core


def test_writers_go_on_after_a_call_of_discard_that_was_cancelled(tmp_path):
    async def main():
        store = SQLiteStore(tmp_path / "s.db")
        conn = connection_of(store)
        await conn.write("one", wait=False)
        discarding = asyncio.create_task(conn.discard())
        await asyncio.sleep(0)
        await cancelled(discarding)
        with pytest.raises(StoreError, match="CancelledError"):
            await conn.write("two", wait=False)
        await conn.load(store)
        async with asyncio.timeout(PATIENCE_S):
            await conn.write("three", wait=False)
        store.close()

    run(main())


def test_cancellation_that_comes_out_of_the_store_is_a_failure_of_it(tmp_path):
    class Store(SQLiteStore):
        async def put(self, *args):
            inner = asyncio.create_task(asyncio.sleep(1))
            inner.cancel()
            await inner

    async def main():
        store = Store(tmp_path / "s.db")
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(StoreError, match="the store failed"):
                await connection_of(store).write("one", wait=False)
        store.close()

    run(main())


class GoneStore(MemoryStore):
    async def watch(self):
        await asyncio.sleep(0.05)
        raise StoreGone("gone")


async def serve(server, store):
    server.prepare((), {}, store, 1500)
    await server.listener.serve("127.0.0.1", free_port())


def test_end_of_the_store_leaves_no_cancellation_behind():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                with pytest.raises(StoreGone):
                    await serve(Server(), GoneStore())
                await asyncio.sleep(PATIENCE_S)

    run(main())


def test_cancellation_that_comes_with_the_end_of_the_store_is_not_lost():
    async def main():
        server, loop = Server(), asyncio.get_running_loop()
        task = asyncio.create_task(serve(server, GoneStore()))
        server.events.subscribe(lambda event, *_: event == "store_gone" and loop.call_soon(task.cancel))
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    run(main())


def test_connections_are_closed_also_if_the_farewell_is_cancelled():
    async def main():
        server = Server()
        server.prepare((), {}, MemoryStore(), 1500)
        port, listener = free_port(), server.listener
        task = asyncio.create_task(listener.serve("127.0.0.1", port))
        await asyncio.sleep(0.1)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: listener._open)
        (transport,) = listener._open
        server.registry.finish_all = transport.finish  # as of a client that has proved itself
        task.cancel()
        await asyncio.sleep(0.05)
        await cancelled(task)
        assert transport.closed
        writer.close()

    run(main())


class JumpingLoop(asyncio.SelectorEventLoop):
    now = 0.0

    def time(self):
        return self.now

    def _run_once(self):
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0]._when)
        super()._run_once()


def test_resume_that_had_to_wait_is_answered_whatever_the_clock_makes_of_a_millisecond():
    loop = JumpingLoop()

    async def main(begin_s):
        loop.now = begin_s
        flag = TaskFlag()
        resuming = Resuming("a", None, flag, None)
        for _ in range(7):
            resuming.pace.begin()
            resuming.pace.fruitless += 1
        resuming.answer(None, None)
        await flag.wait()
        assert not resuming.pace.left_ms()

    for ms in range(1000, 1100):
        loop.run_until_complete(main(ms / 1000))
    loop.close()


# The stores


def test_result_that_a_cancelled_call_has_not_got_is_handed_over():
    async def main():
        works, told = [], []
        gathered = Gathered(lambda keys, done: works.append((keys, done)))
        call = asyncio.create_task(gathered.call("a", told.append))
        await asyncio.sleep(0)
        await cancelled(call)
        works[0][1]({"a": "found"}, None)
        await asyncio.sleep(0)
        assert told == ["found"]

    run(main())


def test_what_is_started_after_the_end_of_the_thread_is_told_so():
    async def main():
        disk, told = DiskThread(), asyncio.get_running_loop().create_future()
        disk.close()
        disk.start(lambda: None, lambda result, error: told.set_result(error))
        async with asyncio.timeout(PATIENCE_S):
            assert str(await told) == "the store is closed"

    run(main())


def test_call_that_waits_behind_another_one_ends_when_the_store_is_closed():
    async def main():
        async with Bed() as bed:
            store = bed.process().store
            first, second = (asyncio.create_task(store.peek(one)) for one in "ab")
            await asyncio.sleep(0)
            store.close()
            await first
            with pytest.raises(StoreError, match="closed"):
                await second

    run(main())


def test_claim_whose_caller_was_cancelled_is_given_back():
    async def main():
        async with Bed() as bed:
            owner, one, other = bed.process(), bed.process(), bed.process()
            await bed.own(owner)
            await bed.say("one")
            one.store.readings.begin()
            await asyncio.sleep(0.3)
            reads = asyncio.create_task(one.conn().readline())
            while not one.store.readings._claims._busy:
                await asyncio.sleep(0)
            await cancelled(reads)
            await one.store.backlogs()  # the thread has claimed
            async with asyncio.timeout(PATIENCE_S):
                assert await other.conn().readline() == "one\n"

    run(main())


def test_client_whose_claim_was_not_heard_of_is_served():
    async def main():
        async with Bed() as bed:
            owner, one = bed.process(), bed.process()
            await bed.own(owner)
            await bed.say("one")
            begun, lost = [], []
            sharing = one.store.readings.sharing(begun.append, None)
            plain = sharing._ask

            async def ask(statement, *args):
                found = await plain(statement, *args)
                if statement is statements.CLAIM and not lost:
                    lost.append(found)
                    raise StoreError("the answer has not come")
                return found

            sharing._ask = ask
            running = asyncio.create_task(sharing.run())
            await until(lambda: begun)
            await cancelled(running)
            assert lost and begun == ["a"]

    run(main())


def test_nothing_waits_and_nothing_goes_on_after_the_end_of_attached():
    async def main():
        async with Bed() as bed:
            await bed.own(bed.process())
            store = await asyncio.to_thread(PostgresStore, bed.server.url, 100, 100, schema=bed.schema)
            before = asyncio.all_tasks()
            clients = await Server().attach(store)
            conn = clients["a"]
            calls = [
                asyncio.create_task(call)
                for call in (conn.readline(), conn.write("x" * 60), conn.write("y" * 60, wait=False))
            ]
            await asyncio.sleep(2.0)
            assert not any(call.done() for call in calls)
            await clients.close()
            async with asyncio.timeout(PATIENCE_S):
                for call in calls:
                    with pytest.raises(StoreError, match="closed"):
                        await call
                await until(lambda: asyncio.all_tasks() <= before)

    run(main())


def test_write_whose_statement_is_under_way_when_the_store_is_closed_ends(monkeypatch):
    begun, plain = threading.Event(), PostgresDatabase.perform

    def perform(self, function, *args):
        result = plain(self, function, *args)
        if function is postgres_mail.put:
            begun.set()
            time.sleep(0.2)
        return result

    monkeypatch.setattr(PostgresDatabase, "perform", perform)

    async def main():
        async with Bed() as bed:
            await bed.own(bed.process())
            store = await asyncio.to_thread(PostgresStore, bed.server.url, schema=bed.schema)
            clients = await Server().attach(store)
            writing = asyncio.create_task(clients["a"].write("x"))
            await until(begun.is_set)
            await clients.close()
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises(StoreError, match="closed"):
                    await writing

    run(main())


def test_reader_of_a_closed_store_starts_nothing():
    async def main():
        async with Bed() as bed:
            store = bed.process().store
            reading = store.readings.of("a", 0)
            store.close()
            before = asyncio.all_tasks()
            with pytest.raises(StoreError, match="closed"):
                await store.readings.look(reading)
            assert asyncio.all_tasks() <= before

    run(main())


def test_attached_whose_end_is_cancelled_has_closed_its_store():
    async def main():
        async with Bed() as bed:
            store = await asyncio.to_thread(PostgresStore, bed.server.url, schema=bed.schema)
            clients = await Server().attach(store)
            closing = asyncio.create_task(clients.close())
            await asyncio.sleep(0)
            await cancelled(closing)
            with pytest.raises(StoreError, match="closed"):
                await store.peek("a")

    run(main())


def test_store_that_was_opened_for_nobody_is_closed(monkeypatch):
    async def main():
        async with Bed() as bed:
            plain, made = opened.open_store, []

            def open_store(address):
                made.append(plain(address, schema=bed.schema))
                return made[0]

            monkeypatch.setattr(opened, "open_store", open_store)
            opening = asyncio.create_task(opened.open_shared(bed.server.url))
            await asyncio.sleep(0)
            await cancelled(opening)
            await until(lambda: made and made[0].trouble == "the store is closed")
            assert not await bed.do("SELECT FROM {schema}.node")

    run(main())


def test_transaction_that_waits_when_the_store_is_closed_gets_no_connection():
    async def main():
        async with Bed() as bed:
            transactions = bed.process().store.transactions
            transactions._most = 1
            await transactions.connection()
            waits = asyncio.create_task(transactions.connection())
            await asyncio.sleep(0.2)
            bed.processes[0].store.close()
            with pytest.raises(StoreError, match="closed"):
                await waits
            assert transactions._pool is None

    run(main())


def test_reader_goes_on_in_another_loop_and_what_was_given_back_is():
    bed = Bed()

    async def first():
        await bed.__aenter__()
        await bed.own(bed.process())
        await bed.say("one")
        one = bed.process()
        assert await one.conn().readline() == "one\n"
        waits = asyncio.create_task(one.conn().readline())
        await asyncio.sleep(0.2)
        await cancelled(waits)
        one.store.readings.give_back_all("a")

    async def second():
        owner, one = bed.processes
        one.store.readings.begin()
        state = await owner.store.claim("a")
        bed._owners["a"] = owner.store, state.owner
        await bed.say("two")
        message = await one.store.readings.of("a", 0).take(None, lambda number, message: message)
        assert message.data == b"two"
        one.store.readings.give_back_all("a")
        statement = "SELECT FROM {schema}.reading WHERE process IS NOT NULL"
        async with asyncio.timeout(PATIENCE_S):
            while await bed.do(statement):
                await asyncio.sleep(0.05)
        await bed.__aexit__()

    run(first())
    run(second())
