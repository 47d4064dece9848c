"""Reading by processes that do not own the client, and beside the one that does: whose turn it is, and what is safe."""

import asyncio
import random

import pytest

from server.core.store import LINE_COST, ReadingLost
from server.stores import postgres_readings, reading
from server.stores.postgres_copy import Tables
from tests.server.reading_bed import Bed, run, until


async def read(conn, count, **how):
    """The next lines, with their numbers. The iterator is gone afterwards, without the commit of the last one."""
    found, lines = [], conn.lines(**how)
    async for line in lines:
        found.append((lines.number, line.strip()))
        if len(found) == count:
            return found


def test_process_that_does_not_own_the_client_reads_its_lines_and_the_owner_deletes_them():
    async def main():
        async with Bed() as bed:
            owner, other = bed.process(), bed.process()
            await bed.own(owner)
            await bed.say("one", "two", "three")
            assert await read(other.conn(), 3) == [(0, "one"), (1, "two"), (2, "three")]
            assert other.own.record("a") is None  # reading has claimed nothing
            await until(lambda: owner.store.unread("a") == (1, 2))
            owner.own.flush()
            await until(lambda: bed.waiting_is([2]))

    run(main())


def test_line_that_is_not_committed_comes_again_to_the_next_reader():
    async def main():
        async with Bed() as bed:
            owner, one, other = bed.process(), bed.process(), bed.process()
            await bed.own(owner)
            await bed.say("one", "two", "three")
            assert await read(one.conn(), 2) == [(0, "one"), (1, "two")]
            assert await read(other.conn(), 2) == [(1, "two"), (2, "three")]
            assert await other.conn().readline() == "three\n"

    run(main())


def test_line_whose_readline_is_cancelled_comes_once_to_whoever_reads_next(monkeypatch):
    """At whatever moment that is: the owner may have seen that it was taken, and the reader is given back soon."""
    monkeypatch.setattr(reading, "IDLE_S", 0.1)

    async def cancelled(bed, one, client_id):
        place = one.store.readings.of(client_id, 0)
        call = asyncio.create_task(one.conn(client_id).readline())
        while not (place._taking or call.done()):
            await asyncio.sleep(0)
        await asyncio.sleep(random.random() * 0.004)
        call.cancel()
        found = (await asyncio.gather(call, return_exceptions=True))[0]
        return [found] if isinstance(found, str) else []

    async def main():
        async with Bed() as bed:
            owner, one, other = bed.process(), bed.process(), bed.process()
            names = [f"c{number}" for number in range(60)]
            for name in names:
                await bed.own(owner, name)
                await bed.say("one", "two", client_id=name)
            found = await asyncio.gather(*(cancelled(bed, one, name) for name in names))
            for name, lines in zip(names, found):
                while len(lines) < 2:
                    lines.append(await other.conn(name).readline())
            assert found == [["one\n", "two\n"]] * len(names)

    run(main())


def test_owner_does_not_delete_a_line_that_is_being_given_back(monkeypatch):
    async def main():
        async with Bed() as bed:
            owner, one, other = bed.process(), bed.process(), bed.process()
            await bed.own(owner)
            await bed.say("one", "two")
            moves, move = [], one.own.move_reader
            monkeypatch.setattr(one.own, "move_reader", lambda *args: moves.append(args) if moves else move(*args))
            call = asyncio.create_task(one.conn().readline())
            place = one.store.readings.of("a", 0)
            while not place._taking:
                await asyncio.sleep(0)
            moves.append(None)  # it is moved on, and from here on nothing is moved
            call.cancel()
            await asyncio.wait([call])
            await until(lambda: place.next == 1)
            for _ in range(5):
                owner.store.readings.heard("read", None)
                await asyncio.sleep(0.05)
            owner.own.flush()
            monkeypatch.undo()
            one.own.move_reader(*moves[-1])
            await until(lambda: place.next == 0)
            one.store.readings.give_back(place)
            assert await other.conn().readline() == "one\n"

    run(main())


def test_rivals_wait_for_their_turn_and_get_it_when_the_reader_ends():
    async def main():
        async with Bed() as bed:
            owner, one, other = bed.process(), bed.process(), bed.process()
            await bed.own(owner)
            lines = one.conn().lines()
            await bed.say("one")
            assert await anext(lines) == "one\n"
            waits = asyncio.create_task(read(other.conn(), 2))
            await bed.say("two")
            assert await anext(lines) == "two\n"
            fence = one.store.readings.of("a", 0).fence
            await asyncio.sleep(2 * postgres_readings.LOOK_S)  # the rival looks meanwhile
            assert not waits.done() and one.store.readings.of("a", 0).fence == fence
            del lines
            await bed.say("three")
            assert await waits == [(1, "two"), (2, "three")]
            assert not one.lost()

    run(main())


def test_rival_takes_over_from_a_process_that_has_died_and_that_one_commits_nothing_any_more():
    async def main():
        async with Bed() as bed:
            owner, one, other = bed.process(), bed.process(), bed.process()
            await bed.own(owner)
            await bed.say("one", "two", "three")
            lines = one.conn().lines()
            assert await anext(lines) == "one\n"
            await bed.stop(one)
            assert await read(other.conn(), 2) == [(0, "one"), (1, "two")]
            with pytest.raises(ReadingLost, match="another process reads"):
                await one.conn().done_with((one.store, 0), 0)
            assert one.lost() == ["a"]
            await bed.go_on(one)
            assert await anext(lines) == "two\n"  # `lines` has waited for its turn
            assert await anext(lines) == "three\n"

    run(main())


def test_closing_the_store_gives_everything_back_at_once():
    async def main():
        async with Bed() as bed:
            owner, one, other = bed.process(), bed.process(), bed.process()
            await bed.own(owner)
            await bed.say("one")
            lines = one.conn().lines()
            assert await anext(lines) == "one\n"
            one.store.close()
            assert await read(other.conn(), 1) == [(0, "one")]

    run(main())


def test_reader_that_is_idle_lets_others_in(monkeypatch):
    monkeypatch.setattr(reading, "IDLE_S", 0.2)

    async def main():
        async with Bed() as bed:
            owner, one, other = bed.process(), bed.process(), bed.process()
            await bed.own(owner)
            await bed.say("one", "two")
            assert await one.conn().readline() == "one\n"
            assert await other.conn().readline() == "two\n"

    run(main())


def test_client_that_is_not_known_yet_is_waited_for():
    async def main():
        async with Bed() as bed:
            owner, one = bed.process(), bed.process()
            waits = asyncio.create_task(one.conn().readline())
            await asyncio.sleep(0)
            await bed.own(owner)
            await bed.say("one")
            assert await waits == "one\n"

    run(main())


def test_line_that_came_with_the_client_while_the_table_was_asked_is_read():
    """Nothing tells of it again: the client says no more, and is connected where it is read."""

    async def main():
        async with Bed() as bed:
            owner, reader = bed.process(), bed.process()
            await bed.own(owner)
            asked, answer = asyncio.Event(), asyncio.Event()
            fetch = reader.store.readings.fetch

            async def late(*args):
                found = await fetch(*args)
                asked.set()
                await answer.wait()
                return found

            reader.store.readings.fetch = late
            call = asyncio.create_task(reader.conn().readline())
            await asked.wait()
            await bed.own(reader)
            await bed.say("one")
            answer.set()
            assert await call == "one\n"

    run(main())


def test_reader_goes_on_when_the_client_moves_to_another_server():
    async def main():
        async with Bed() as bed:
            servers = bed.process(), bed.process()
            reader = bed.process()
            lines, found = reader.conn().lines(), []
            for turn in range(6):
                await bed.own(servers[turn % 2])
                await bed.say(f"first of {turn}", f"second of {turn}")
                for _ in range(2):
                    found.append((await anext(lines)).strip())
            assert found == [f"{which} of {turn}" for turn in range(6) for which in ("first", "second")]

    run(main())


def test_reader_on_a_server_goes_on_when_the_client_has_left_it():
    async def main():
        async with Bed() as bed:
            one, other = bed.process(), bed.process()
            await bed.own(one)
            await bed.say("here")
            lines = one.conn().lines()
            assert await anext(lines) == "here\n"
            await bed.own(other)
            await bed.say("there")
            assert await anext(lines) == "there\n"

    run(main())


def test_claim_knows_what_was_read_elsewhere_and_not_deleted_yet():
    async def main():
        async with Bed() as bed:
            one, other, reader = bed.process(), bed.process(), bed.process()
            await bed.own(one)
            await bed.say("one", "two")
            one.store.readings.stop()  # it does not look any more
            assert await read(reader.conn(), 2) == [(0, "one"), (1, "two")]
            place = reader.store.readings.of("a", 0)
            await until(lambda: place.next == 1)  # it is committed
            await bed.own(other)
            assert other.store.unread("a") == (1, 1)

    run(main())


def test_copy_has_what_was_not_processed():
    async def main():
        async with Bed() as bed:
            owner, reader = bed.process(), bed.process()
            await bed.own(owner)
            await bed.say("one", "two", "three")
            owner.store.readings.stop()  # it deletes nothing
            assert await read(reader.conn(), 3) == [(0, "one"), (1, "two"), (2, "three")]
            place = reader.store.readings.of("a", 0)
            await until(lambda: place.next == 2)  # it is committed
            return await asyncio.to_thread(copied, bed)

    def copied(bed):
        tables = Tables(bed.server.url, bed.schema)
        try:
            (record,) = tables.read(["a"])
            return record.inbox[0].numbers, record.cost
        finally:
            tables.close()

    assert run(main()) == ([2], LINE_COST + len("three"))


def test_full_inbox_has_room_again_when_it_was_read_elsewhere():
    async def main():
        async with Bed() as bed:
            owner, reader = bed.process(), bed.process()
            await bed.own(owner)
            count = 0
            while owner.store.inbox_room("a"):
                await bed.say("x" * 4000)
                count += 1
            woken = []
            owner.store.on_read = woken.append
            await read(reader.conn(), count)
            await until(lambda: owner.store.inbox_room("a"))
            assert set(woken) == {"a"}

    run(main())


def test_many_readers_have_few_statements():
    """Claims, messages and cursors of all clients go together."""

    async def main():
        async with Bed() as bed:
            owner, reader = bed.process(), bed.process()
            ids = [f"c{number}" for number in range(100)]
            await asyncio.gather(*(bed.own(owner, client_id) for client_id in ids))
            await asyncio.gather(*(bed.say("one", "two", client_id=client_id) for client_id in ids))
            before, statements = reader.store.commits, 0
            start = reader.own.start

            def counted(*args):
                nonlocal statements
                statements += 1
                return start(*args)

            reader.own.start = counted
            found = await asyncio.gather(*(read(reader.conn(client_id), 2) for client_id in ids))
            assert found == [[(0, "one"), (1, "two")]] * 100
            assert statements <= 10 and reader.store.commits - before <= 10

    run(main())


def test_cancelled_readline_loses_nothing():
    """Whatever the moment of the cancellation: the line comes again, once."""

    async def main():
        async with Bed() as bed:
            owner, reader = bed.process(), bed.process()
            await bed.own(owner)
            lines = [f"line {number}" for number in range(40)]
            await bed.say(*lines)
            found = []
            for pause in range(200):
                call = asyncio.create_task(reader.conn().readline())
                await asyncio.sleep(0.0005 * (pause % 12))
                call.cancel()
                try:
                    found.append((await call).strip())
                except asyncio.CancelledError:
                    pass
                if len(found) == len(lines):
                    break
            while len(found) < len(lines):
                found.append((await reader.conn().readline()).strip())
            assert found == lines

    run(main())


def test_time_limit_of_readline_also_holds_while_another_process_reads():
    async def main():
        async with Bed() as bed:
            owner, one, other = bed.process(), bed.process(), bed.process()
            await bed.own(owner)
            await bed.say("one")
            lines = one.conn().lines()
            assert await anext(lines) == "one\n"
            with pytest.raises(asyncio.TimeoutError):
                await other.conn().readline(100)

    run(main())
