"""The table of keys: changes come one after the other, and each has another stamp. Use: service/test_key_table.py."""

import asyncio

import asyncpg
import pytest

from server.stores import postgres_keys
from server.stores.postgres_schema import quoted
from tests.server.peer import KEY, OTHER_KEY
from tests.server.reading_bed import Bed, run


def played(play):
    """Run play(change, read) on tables of its own. change: (id, function), and read, as in postgres_keys."""

    async def main():
        async with Bed() as bed:

            def change(client_id, function):
                def work(connection, schema):
                    return postgres_keys.change(connection, quoted(schema), client_id, function)

                return bed.do("", work)

            def read():
                return bed.do("", lambda connection, schema: postgres_keys.read(connection, quoted(schema)))

            await play(bed, change, read)

    run(main())


def test_each_change_has_another_stamp_and_what_changes_nothing_has_none():
    async def play(bed, change, read):
        stamps = [(await read())[0]]
        for function, keys, repl in (
            (lambda entry: (KEY, False), {"a": KEY}, set()),
            (lambda entry: ([entry[0], OTHER_KEY], True), {"a": [KEY, OTHER_KEY]}, {"a"}),
            (lambda entry: (entry[0], False), {"a": [KEY, OTHER_KEY]}, set()),
            (lambda entry: (entry[0][1], entry[1]), {"a": OTHER_KEY}, set()),
            (lambda entry: None, {}, set()),
        ):
            await change("a", function)
            stamp, *found = await read()
            assert found == [keys, repl] and stamp not in stamps
            stamps.append(stamp)
        await change("a", lambda entry: entry)
        with pytest.raises(ZeroDivisionError):
            await change("a", lambda entry: 1 / 0)
        assert await read() == (stamps[-1], {}, set())

    played(play)


def test_changes_come_one_after_the_other():
    """Also of two that add one client: the second one sees what the first one has added."""

    async def play(bed, change, read):
        seen = []

        def add(entry):
            seen.append(entry)
            return entry or (KEY, False)

        connection = await asyncpg.connect(bed.server.url)
        waiting = None
        async with connection.transaction():
            await connection.execute(postgres_keys._LOCK.format(schema=quoted(bed.schema)))
            waiting = [asyncio.create_task(change("a", add)) for _ in range(2)]
            waits = (
                "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                "AND query LIKE '%{schema}%key_change%'"
            )
            while len(await bed.do(waits)) < 2:
                await asyncio.sleep(0.02)
            assert not seen
        await connection.close()
        await asyncio.gather(*waiting)
        assert seen == [None, (KEY, False)]

    played(play)


def test_many_keys_are_added_or_none():
    async def play(bed, change, read):
        def add_all(function):
            return bed.do("", lambda connection, schema: postgres_keys.add_all(connection, quoted(schema), function))

        await change("a", lambda entry: (KEY, True))
        before = await read()
        with pytest.raises(asyncpg.UniqueViolationError):
            await add_all(lambda there: {"b": (KEY, False), "a": (OTHER_KEY, False)})
        assert await read() == before
        assert await add_all(lambda there: {}) == 0 and await read() == before
        assert await add_all(lambda there: {f"{len(there)}": ([KEY, OTHER_KEY], True), "c": (KEY, False)}) == 2
        stamp, keys, repl = await read()
        assert keys == {"a": KEY, "1": [KEY, OTHER_KEY], "c": KEY} and repl == {"a", "1"} and stamp != before[0]

    played(play)
