"""Connection: lines both ways, through outages, take-overs and failures of the store."""

import asyncio
import random

import pytest

from protocol.errors import StoreError
from protocol.limits import MAX_LINE, RECEIVE_BYTES, SEND_BYTES
from server import MemoryStore, client_conn
from server.core.store import INBOX_BYTES
from tests.server.all_stores import STORES, FailingStore, RecordingStore, SlowStore
from tests.server.peer import Client, Service, until, within
from tests.server.store_calls import held
from tests.sessions import idle


def numbered(count, size=0, prefix=""):
    return [f"{prefix}{i:06d}" + "x" * size + "\n" for i in range(count)]


async def joined(service, **how):
    """A connected Client and its Connection."""
    client = Client(service.port, **how)
    await within(client.connect())
    return client, await within(client_conn(client.client_id))


async def read(conn, count):
    return [await within(conn.readline()) for _ in range(count)]


# readline and write


@pytest.mark.parametrize("store", STORES)
def test_lines_go_both_ways_in_order(store):
    lines = numbered(300) + ["\n", "\u20ac\n", "x" * MAX_LINE + "\n", "end\n"]

    async def main():
        async with Service(store=store()) as service:
            client, conn = await joined(service)
            echo = asyncio.create_task(read(conn, len(lines)))
            for line in lines:
                await within(client.write(line))
            assert await echo == lines
            for line in lines:
                await within(conn.write(line, wait=False))
            assert await within(client.expect(len(lines))) == lines

    asyncio.run(main())


def test_write_returns_when_the_client_has_acknowledged():
    async def main():
        async with Service() as service:
            client, conn = await joined(service)
            client.reading = False
            writing = asyncio.create_task(conn.write("x"))
            await until(lambda: client.session.lines, "arrival of the line")
            for _ in range(20):
                await asyncio.sleep(0)
            assert not writing.done()
            client.read_again()
            await within(writing)
            assert client.lines == ["x\n"]

    asyncio.run(main())


@pytest.mark.parametrize("store", STORES)
def test_concurrent_writers_keep_the_order_in_which_they_called(store):
    async def main():
        async with Service(store=store()) as service:
            client, conn = await joined(service)
            rng = random.Random(3)
            lines = numbered(60)
            calls = [conn.write(line, qos=rng.random() < 0.7, wait=rng.random() < 0.5) for line in lines]
            await within(asyncio.gather(*calls))
            assert await within(client.expect(60)) == lines

    asyncio.run(main())


def test_bad_line_is_an_error_and_is_not_sent():
    async def main():
        async with Service() as service:
            client, conn = await joined(service)
            for qos in (True, False):
                for line in ("a\nb", "\n\n", "x" * (MAX_LINE + 1), "\u20ac" * (MAX_LINE // 3 + 1)):
                    with pytest.raises(ValueError):
                        await conn.write(line, qos)
                for line in (b"x", None, 5):
                    with pytest.raises(TypeError):
                        await conn.write(line, qos)
            await within(conn.write("good"))
            assert client.lines == ["good\n"]

    asyncio.run(main())


def test_line_of_qos_0_is_dropped_while_the_client_is_absent():
    async def main():
        async with Service() as service:
            conn = service.connection()
            await within(conn.write("never met", qos=False))
            client, _ = await joined(service)
            client.cut()
            await until(lambda: not conn.status(), "the end of the connection")
            await within(conn.write("gone", qos=False))
            await within(client.connect())
            await within(conn.write("back", qos=False))
            assert await within(client.expect(1)) == ["back\n"]

    asyncio.run(main())


def test_line_for_an_absent_client_waits_and_is_delivered():
    async def main():
        async with Service() as service:
            conn = service.connection()
            writing = asyncio.create_task(conn.write("early"))
            await asyncio.sleep(0)
            client, _ = await joined(service)
            await within(writing)
            client.cut()
            await until(lambda: not conn.status(), "the end of the connection")
            await within(conn.write("late", wait=False))
            await within(client.connect())
            assert await within(client.expect(2)) == ["early\n", "late\n"]

    asyncio.run(main())


@pytest.mark.parametrize("store", STORES)
def test_cancelled_readline_loses_nothing(store):
    async def main():
        async with Service(store=store()) as service:
            client, conn = await joined(service)
            rng = random.Random(5)
            lines = numbered(150)
            sending = asyncio.create_task(send(client, lines))
            got = []
            while len(got) < len(lines):
                reading = asyncio.create_task(conn.readline())
                for _ in range(rng.randrange(6)):
                    await asyncio.sleep(0)
                reading.cancel()
                await asyncio.wait([reading])
                if not reading.cancelled():
                    got.append(reading.result())
                elif rng.random() < 0.3:
                    got.append(await within(conn.readline()))
            assert got == lines
            await within(sending)

    asyncio.run(main())


def test_line_stays_in_the_store_until_its_reader_has_it(monkeypatch):
    """The process may be killed between any two steps of its tasks."""
    store = RecordingStore()
    got, faults = [], []
    run = asyncio.Handle._run

    def run_and_check(handle):
        run(handle)
        inboxes = [held(record.inbox) for record in store._clients.values()]
        if len(store.received) != len(got) + sum(map(len, inboxes)):
            faults.append((store.received[:], got[:], inboxes))

    async def main():
        async with Service(store=store) as service:
            client, conn = await joined(service)
            lines = numbered(20)
            reading = asyncio.create_task(read_into(got, conn, len(lines)))
            await send(client, lines)
            await reading
            assert got == lines

    monkeypatch.setattr(asyncio.Handle, "_run", run_and_check)
    asyncio.run(main())
    assert not faults


async def read_into(got, conn, count):
    while len(got) < count:
        got.append(await within(conn.readline()))


async def send(client, lines):
    for line in lines:
        await within(client.write(line))


@pytest.mark.parametrize("store", STORES)
def test_cancelled_write_is_sent_wholly_and_once_or_not_at_all(store):
    async def main():
        async with Service(store=store()) as service:
            client, conn = await joined(service)
            rng = random.Random(7)
            lines = numbered(100)
            certain = set()
            for line in lines:
                writing = asyncio.create_task(conn.write(line))
                for _ in range(rng.randrange(8)):
                    await asyncio.sleep(0)
                if rng.random() < 0.6:
                    writing.cancel()
                await within(asyncio.wait([writing]))
                if not writing.cancelled():
                    certain.add(line)
            await within(conn.write("last"))
            await until(lambda: not held(service.store._clients["a"].outbox), "the acknowledgement of all")
            assert client.lines[-1] == "last\n"
            got = client.lines[:-1]
            assert got == sorted(set(got)) and certain <= set(got)

    asyncio.run(main())


def test_store_that_suspends_is_used_by_one_at_a_time():
    async def main():
        store = SlowStore()
        async with Service(store=store) as service:
            client, conn = await joined(service)
            readers = [asyncio.create_task(conn.readline()) for _ in range(5)]
            writers = [asyncio.create_task(conn.write(line)) for line in numbered(20)]
            await send(client, numbered(5))
            await within(asyncio.gather(*readers, *writers))
            assert sorted(task.result() for task in readers) == numbered(5)
            assert store.most_at_work == 1

    asyncio.run(main())


# Back-pressure


def test_application_that_does_not_read_stops_the_client_and_loses_nothing():
    async def main():
        store = RecordingStore()
        async with Service(store=store) as service:
            client, conn = await joined(service)
            lines = numbered(600, 300)
            sending = asyncio.create_task(send(client, lines))
            held = await settled(lambda: len(store.received))
            bound = INBOX_BYTES + RECEIVE_BYTES
            assert INBOX_BYTES / 2 < sum(len(line) for line in store.received) < bound
            assert len(conn._session.lines) * 300 < RECEIVE_BYTES
            assert not sending.done() and held < len(lines) and conn.status()
            assert await read(conn, len(lines)) == lines
            await within(sending)

    asyncio.run(main())


def test_client_that_does_not_read_stops_the_writer_and_loses_nothing():
    async def main():
        async with Service() as service:
            client, conn = await joined(service)
            client.reading = False
            lines = numbered(600, 300)
            written = []

            async def writer():
                for line in lines:
                    await conn.write(line, wait=False)
                    written.append(line)

            writing = asyncio.create_task(writer())
            held = await settled(lambda: len(written))
            assert held < len(lines) and conn.status()
            client.read_again()
            assert await within(client.expect(len(lines))) == lines
            await within(writing)

    asyncio.run(main())


def test_lines_of_qos_0_wait_for_a_slow_client_in_bounded_space():
    async def main():
        async with Service() as service:
            client, conn = await joined(service)
            client.reading = False
            lines = numbered(300, 300)

            async def writer():
                for line in lines:
                    await conn.write(line, qos=False)

            writing = asyncio.create_task(writer())
            await settled(lambda: conn._carrier.queued)
            assert conn._carrier.queued <= SEND_BYTES and not writing.done()
            client.read_again()
            assert await within(client.expect(len(lines))) == lines
            await within(writing)

    asyncio.run(main())


async def settled(measure, calm_s=0.3):
    """The value that measure() keeps for a while, once it is not 0."""
    last, since = None, 0
    for _ in range(6000):
        value = measure()
        since = since + 1 if value and value == last else 0
        last = value
        if since * 0.01 >= calm_s:
            return value
        await asyncio.sleep(0.01)
    raise AssertionError("it never settles")


# Outages


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_or_doubled_when_connections_are_cut(store, seed):
    async def main():
        async with Service(store=store()) as service:
            client, conn = await joined(service)
            rng = random.Random(seed)
            lines = numbered(400, 100)
            up = asyncio.create_task(read(conn, len(lines)))
            down = asyncio.create_task(write_all(conn, lines))
            sending = asyncio.create_task(send(client, lines))
            for _ in range(8):
                await asyncio.sleep(rng.random() * 0.02)
                if rng.random() < 0.5:
                    client.cut()
                await within(client.connect())
            assert await up == lines
            assert await within(client.expect(len(lines))) == lines
            await within(asyncio.gather(down, sending))
            assert len(client.lines) == len(lines)

    asyncio.run(main())


async def write_all(conn, lines):
    for line in lines:
        await conn.write(line, wait=False)


def test_listener_may_stop_and_start_with_the_same_store():
    async def main():
        async with Service() as service:
            client, conn = await joined(service)
            lines = numbered(300, 50)
            up = asyncio.create_task(read(conn, len(lines)))
            down = asyncio.create_task(write_all(conn, lines))
            sending = asyncio.create_task(send(client, lines))
            for _ in range(3):
                await until(lambda: client.lines, "some lines")
                await service.stop()
                assert not conn.status()
                await client.ended()
                service.start()
                await within(client.connect())
            assert await up == lines
            assert await within(client.expect(len(lines))) == lines
            await within(asyncio.gather(down, sending))
            assert await within(client_conn("a")) is conn and conn.nconns == 4

    asyncio.run(main())


def test_what_one_life_of_the_client_did_not_acknowledge_reaches_the_next():
    async def main():
        async with Service() as service:
            first, conn = await joined(service)
            first.reading = False
            for line in numbered(10):
                await within(conn.write(line, wait=False))
            await until(lambda: len(first.session.lines) == 10, "arrival at the first life")
            first.session.accept(4, 0)  # the first life's application takes 4
            first._flush()
            await until(lambda: len(held(service.store._clients["a"].outbox)) == 6, "their acknowledgement")
            await first.write("from the first life")
            assert await within(conn.readline()) == "from the first life\n"
            first.cut()
            second, _ = await joined(service)
            await second.write("from the second life")
            assert await within(second.expect(6)) == numbered(10)[4:]
            assert await within(conn.readline()) == "from the second life\n"

    asyncio.run(main())


def test_lines_of_an_old_life_are_read_before_those_of_the_new():
    async def main():
        async with Service() as service:
            first, conn = await joined(service)
            await send(first, numbered(5, prefix="old"))
            await within(first.acknowledged())
            first.cut()
            second, _ = await joined(service)
            await send(second, numbered(5, prefix="new"))
            assert await read(conn, 10) == numbered(5, prefix="old") + numbered(5, prefix="new")

    asyncio.run(main())


def test_old_client_meets_a_server_with_a_fresh_store():
    async def main():
        async with Service() as service:
            client, conn = await joined(service)
            await send(client, numbered(20))
            assert await read(conn, 20) == numbered(20)
            await within(conn.write("old"))
            await within(client.acknowledged())
            await service.stop()
            for line in numbered(3, prefix="between"):
                await client.write(line)
            service.store = MemoryStore()
            service.start()
            await within(client.connect())
            assert await read(conn, 3) == numbered(3, prefix="between")
            await within(conn.write("new"))
            assert client.lines == ["old\n", "new\n"]

    asyncio.run(main())


def test_writer_learns_that_the_store_with_its_line_was_replaced():
    async def main():
        async with Service() as service:
            client, conn = await joined(service)
            client.cut()
            await until(lambda: not conn.status(), "the end of the connection")
            writing = asyncio.create_task(conn.write("in the old store"))
            await until(lambda: held(service.store._clients["a"].outbox), "the line in the store")
            await service.stop()
            service.store = MemoryStore()
            service.start()
            await within(client.connect())
            with pytest.raises(StoreError, match="another store"):
                await within(writing)

    asyncio.run(main())


def test_silent_client_is_given_up_after_the_timeout():
    async def main():
        async with Service(timeout=300) as service:
            client, conn = await joined(service)
            client.answering = False
            await client.ended()
            assert not conn.status()
            client.answering = True
            await within(client.connect())
            assert conn.status() and conn.nconns == 2

    asyncio.run(main())


def test_server_shows_a_quiet_client_that_it_is_there():
    async def main():
        async with Service(timeout=400) as service:
            client, conn = await joined(service)
            seen = len(client.received)
            await until(lambda: client.received[seen:].count(bytes(2)) >= 3, "keepalives")
            assert conn.nconns == 1 and conn.status()

    asyncio.run(main())


# Failures of the store


@pytest.mark.parametrize("store", [FailingStore, SlowStore])
def test_line_that_was_not_stored_is_not_acknowledged(capsys, store):
    async def main():
        store_ = store()
        async with Service(store=store_) as service:
            client, conn = await joined(service)
            store_.failing = "receive"
            reading = asyncio.create_task(conn.readline())
            await client.write("precious")
            await client.ended()
            assert not idle(client.session) and not conn.status()
            with pytest.raises(StoreError, match="disk full"):
                await within(reading)
            store_.failing = None
            await within(client.connect())
            assert await within(conn.readline()) == "precious\n"
            await within(client.acknowledged())
            assert store_.received == [b"precious"]

    asyncio.run(main())
    assert capsys.readouterr().out.count("store failed: disk full") == 1


@pytest.mark.parametrize("store", [FailingStore, SlowStore])
@pytest.mark.parametrize("method", ["put", "take", "acknowledge"])
def test_connection_recovers_from_a_failure_of_the_store(method, store):
    async def main():
        store_ = store()
        async with Service(store=store_) as service:
            client, conn = await joined(service)
            store_.failing = method
            try:
                await within(conn.readline() if method == "take" else conn.write("x"))
            except StoreError as error:
                assert "disk full" in str(error)
            else:
                assert method == "acknowledge"  # the client has the line
            await client.ended()
            store_.failing = None
            await within(client.connect())
            await within(conn.write("y"))
            await client.write("z")
            assert await within(conn.readline()) == "z\n"
            expected = ["x\n", "y\n"] if method == "acknowledge" else ["y\n"]
            assert client.lines == expected

    asyncio.run(main())


@pytest.mark.parametrize("method", ["peek", "claim"])
def test_failing_claim_is_a_refusal_that_says_so(capsys, method):
    async def main():
        store = FailingStore()
        store.failing = method
        async with Service(store=store) as service:
            client = Client(service.port)
            await client.refused()
            await service.refusals(1)
            store.failing = None
            await within(client.connect())

    asyncio.run(main())
    assert "store failed: disk full" in capsys.readouterr().out


def test_take_over_while_the_store_is_at_work_stores_nothing_twice():
    async def main():
        store = SlowStore()
        async with Service(store=store) as service:
            client, conn = await joined(service)
            store.gate.clear()
            await send(client, numbered(5))
            await until(lambda: store.inside == "receive", "the store at work")
            client.cut()  # the lines are in the store, their acknowledgement is not yet on its way
            await within(client.connect())
            assert conn.nconns == 2
            await send(client, numbered(5, prefix="more"))
            store.gate.set()
            lines = numbered(5) + numbered(5, prefix="more")
            assert await read(conn, 10) == lines
            await within(client.acknowledged())
            assert [line.decode() + "\n" for line in store.received] == lines

    asyncio.run(main())


def test_new_life_of_the_client_while_the_store_is_at_work():
    async def main():
        store = SlowStore()
        async with Service(store=store) as service:
            first, conn = await joined(service)
            conn.state.was_received(conn.state.peer_epoch, {5: 7})  # of another channel
            store.gate.clear()
            await send(first, numbered(5, prefix="old"))
            await until(lambda: store.inside == "receive", "the store at work")
            first.cut()
            second, _ = await joined(service)
            await send(second, numbered(5, prefix="new"))
            store.gate.set()
            assert await read(conn, 10) == numbered(5, prefix="old") + numbered(5, prefix="new")
            await within(second.acknowledged())
            assert (await store.claim("a")).cursors == {0: 5}, "the new life has sent nothing on that channel"

    asyncio.run(main())


def test_server_that_died_before_storing_acknowledgements_resumes_where_the_client_is():
    async def main():
        store = MemoryStore()
        async with Service(store=store) as service:
            client, conn = await joined(service)
            store.acknowledge = forgetful
            lines = numbered(200)
            await within(write_all(conn, lines))
            await within(client.expect(200))
            await service.stop()
            del store.acknowledge
            again = Service(store=store)  # another process: nothing but the store is left
            again.port = client.port
            async with again:
                await within(client.connect())
                await within(again.connection().write("next"))
                assert client.lines == [*lines, "next\n"]

    async def forgetful(*args):
        """Killed before it has done anything."""

    asyncio.run(main())
