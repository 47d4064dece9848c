"""`serve` in several processes: each client has its handler in one of them, and in another one when that ends."""

import asyncio

import pytest

from server.core.serving import Serving
from server.stores import postgres_sharing
from server.stores.postgres_reading_statements import rows_of
from tests.server.reading_bed import Bed, run, until

COUNT = 12  # clients


class Consumer:
    """A process that serves. running: clients whose handler runs in it; seen: (id, line) that it has read."""

    def __init__(self, process, seen):
        self.process = process
        self.running = set()
        self._seen = seen
        self._serving = Serving(self._handler, process.registry)
        self.task = asyncio.create_task(self._serving.run())

    async def _handler(self, conn):
        self.running.add(conn.client_id)
        try:
            async for line in conn.lines():
                await asyncio.sleep(0)
                self._seen.append((conn.client_id, line.strip()))
        finally:
            self.running.discard(conn.client_id)

    async def end(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class SharedBed(Bed):
    """A Bed whose clients c0 .. are connected to a process that serves none."""

    async def __aenter__(self):
        await super().__aenter__()
        self.owner = self.process()
        self.ids = [f"c{number}" for number in range(COUNT)]
        self.seen = []
        self.consumers = []
        for client_id in self.ids:
            await self.own(self.owner, client_id)
        return self

    async def __aexit__(self, *error):
        for consumer in self.consumers:
            await consumer.end()
        await super().__aexit__(*error)

    def consumer(self):
        self.consumers.append(Consumer(self.process(), self.seen))
        return self.consumers[-1]

    async def say_all(self, text):
        for client_id in self.ids:
            await self.say(f"{text} of {client_id}", client_id=client_id)

    async def shared(self, *consumers):
        """Return when these have all clients, each its part."""
        most = -(-COUNT // len(consumers))

        def fairly():
            parts = [consumer.running for consumer in consumers]
            every = [client_id for part in parts for client_id in part]
            return sorted(every) == sorted(self.ids) and all(len(part) <= most for part in parts)

        await until(fairly)

    async def read_once(self, *texts):
        """Return when each client's lines were read, each once and in order."""
        wanted = {client_id: [f"{text} of {client_id}" for text in texts] for client_id in self.ids}

        def found():
            return {one: [line for client_id, line in self.seen if client_id == one] for one in self.ids}

        await until(lambda: len(self.seen) >= COUNT * len(texts))
        assert found() == wanted


def test_processes_share_the_clients_and_again_when_one_joins_or_ends():
    async def main():
        async with SharedBed() as bed:
            one = bed.consumer()
            await bed.shared(one)
            await bed.say_all("first")
            await bed.read_once("first")
            other, third = bed.consumer(), bed.consumer()
            await bed.shared(one, other, third)
            await bed.say_all("second")
            await bed.read_once("first", "second")
            await other.end()
            await bed.shared(one, third)
            await bed.say_all("third")
            await bed.read_once("first", "second", "third")

    run(main())


def test_clients_of_a_process_that_has_died_are_taken_by_the_others():
    async def main():
        async with SharedBed() as bed:
            one, other = bed.consumer(), bed.consumer()
            await bed.shared(one, other)
            other.task.cancel()
            await asyncio.gather(other.task, return_exceptions=True)
            for client_id in bed.ids[::2]:  # as they are when it was killed
                await bed.do(
                    f"UPDATE {{schema}}.reading SET process = {other.process.store.node} WHERE channel = -1 AND "
                    f"client = (SELECT key FROM {{schema}}.client WHERE id = '{client_id}') AND process IS NULL"
                )
            await bed.stop(other.process)
            await bed.shared(one)

    run(main())


def test_process_that_was_given_up_ends_its_handlers():
    async def main():
        async with SharedBed() as bed:
            one = bed.consumer()
            await bed.shared(one)
            other = bed.process()
            await bed.do(
                f"UPDATE {{schema}}.reading SET process = {other.store.node}, reader = reader + 1 WHERE channel = -1"
            )
            await until(lambda: not one.running)

    run(main())


def test_handler_in_the_middle_of_a_line_ends_behind_it_when_another_process_is_to_serve(monkeypatch):
    """So that a line is not begun by two."""

    async def main():
        async with SharedBed() as bed:
            begun, go_on, ended = set(), asyncio.Event(), []

            async def slow(conn):
                async for _ in conn.lines():
                    begun.add(conn.client_id)
                    await go_on.wait()
                    ended.append(conn.client_id)

            process = bed.process()
            serving = asyncio.create_task(Serving(slow, process.registry).run())
            await bed.say_all("first")
            await until(lambda: len(begun) == COUNT)
            other = bed.consumer()
            await asyncio.sleep(2.5)
            assert not other.running and not ended
            go_on.set()
            await until(lambda: len(other.running) == COUNT // 2)
            assert sorted(ended) == sorted(bed.ids) and not bed.seen
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    monkeypatch.setattr(postgres_sharing, "PARK_S", 60.0)
    run(main())


def test_handler_that_reads_nothing_is_cancelled_when_another_process_is_to_serve(monkeypatch):
    monkeypatch.setattr(postgres_sharing, "PARK_S", 0.1)

    async def main():
        async with SharedBed() as bed:
            process, running = bed.process(), set()

            async def idle(conn):
                running.add(conn.client_id)
                try:
                    await asyncio.Event().wait()
                finally:
                    running.discard(conn.client_id)

            serving = asyncio.create_task(Serving(idle, process.registry).run())
            await until(lambda: len(running) == COUNT)
            other = bed.consumer()
            await until(lambda: len(running) == COUNT // 2 == len(other.running))
            assert not running & other.running
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    run(main())


def test_clients_that_are_connected_here_are_taken_first_and_kept():
    async def main():
        async with SharedBed() as bed:
            one, other = bed.consumer(), bed.consumer()
            await bed.shared(one, other)
            for at, client_id in enumerate(bed.ids):
                await bed.own(one.process if at % 2 else other.process, client_id)
            # Whoever joins takes part, and is told by what he leaves behind.
            third = bed.consumer()
            await bed.shared(one, other, third)

    run(main())


# The statement that shows who serves

CASES = {
    # what is there: (rows of serving, rows of reading); and what process 1 sees: processes, held, mine, free, ids
    "nobody serves": (([1], []), (1, 0, 0, 2, ["a", "b"])),
    "one serves a": (([1, 2], [(1, 2)]), (2, 1, 0, 1, ["b"])),
    "this one serves a": (([1], [(1, 1)]), (1, 1, 1, 1, ["b"])),
    "a dead one served c, which is not connected": (([1, 3], [(3, 3)]), (1, 0, 0, 3, ["a", "b", "c"])),
    "one that does not serve any more has a": (([1], [(1, 2)]), (1, 0, 0, 2, ["a", "b"])),
    "c was given back": (([1], [(3, None)]), (1, 0, 0, 3, ["a", "b", "c"])),
    "c has lines": (([1], [], 3), (1, 0, 0, 3, ["a", "b", "c"])),
}
CONDITIONS = [
    ("n.id = s.process\n", "true\n", "a dead one served c, which is not connected"),
    ("WHERE n.seen > clock_timestamp() - $2::interval", "WHERE $2::interval IS NOT NULL",
     "a dead one served c, which is not connected"),
    ("r.process IN (SELECT process FROM alive)", "true", "one that does not serve any more has a"),
    ("WHERE r.channel = -1),", "),", "this one serves a"),
    ("s.client = c.key", "true", "one serves a"),
    ("s.held IS NOT TRUE AND", "true AND", "one serves a"),
    ("c.connected OR ", "", "nobody serves"),
    ("s.client IS NOT NULL OR ", "", "a dead one served c, which is not connected"),
    (" OR EXISTS (SELECT FROM {schema}.inbox i WHERE i.client = c.key)", "", "c has lines"),
    ("i.client = c.key", "true", "c has lines"),
    ("FROM served WHERE held", "FROM served", "one that does not serve any more has a"),
    ("FROM served WHERE process = $1", "FROM served", "one serves a"),
]  # fmt: skip


def seen_by_one(case, change=("", "")):
    """What process 1 sees. Client a is connected to process 1, b to 2, c to none; d was never connected."""

    async def main():
        async with Bed() as bed:
            serving, reading, *lines = CASES[case][0]
            await bed.do(
                "INSERT INTO {schema}.client (id, epoch, connected, node) VALUES ('a', '', true, 1), "
                "('b', '', true, 2), ('c', '', false, 2), ('d', '', false, 0)"
            )
            await bed.do(
                "INSERT INTO {schema}.node (name, version, seen) VALUES ('', '', clock_timestamp()), "
                "('', '', clock_timestamp()), ('', '', clock_timestamp() - interval '1 minute')"
            )
            for process in serving:
                await bed.do(f"INSERT INTO {{schema}}.serving VALUES ({process})")
            for client, process in reading:
                await bed.do(f"INSERT INTO {{schema}}.reading VALUES ({client}, -1, 1, {process or 'NULL'}, 0)")
            await bed.do("INSERT INTO {schema}.reading VALUES (1, 0, 1, 1, 0)")  # who reads is another matter
            for client in lines:
                await bed.do(f"INSERT INTO {{schema}}.inbox VALUES ({client}, 0, 0, 0, 0, '')")
            before, after = change
            assert before in postgres_sharing.SHARES
            statement = postgres_sharing.SHARES.replace(before, after)

            async def ask(connection, schema):
                return await rows_of(connection, schema, statement, 1, postgres_sharing.LEASE, 10)

            (row,) = await bed.do("", ask)
            return (*tuple(row)[:4], sorted(row["ids"]))

    return run(main())


@pytest.mark.parametrize("case", CASES)
def test_each_process_sees_who_serves(case):
    assert seen_by_one(case) == CASES[case][1]


@pytest.mark.parametrize("before, after, case", CONDITIONS, ids=range(len(CONDITIONS)))
def test_each_condition_is_needed(before, after, case):
    assert seen_by_one(case, (before, after)) != CASES[case][1]


def test_own_clients_come_first():
    async def main():
        async with Bed() as bed:
            await bed.do(
                "INSERT INTO {schema}.client (id, epoch, connected, node) "
                "SELECT 'c' || n, '', true, n % 2 FROM generate_series(1, 20) AS n"
            )

            async def ask(connection, schema):
                return await rows_of(connection, schema, postgres_sharing.SHARES, 1, postgres_sharing.LEASE, 10)

            (row,) = await bed.do("", ask)
            assert sorted(row["ids"]) == sorted(f"c{number}" for number in range(1, 20, 2))

    run(main())
