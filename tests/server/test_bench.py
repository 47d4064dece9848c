"""The parts of `make bench-server` that could say too much: the bars, and the relay that counts statements."""

import asyncio
import os

import asyncpg
import pytest

from tests.server import bench, postgres
from tests.server.bench_bars import Bars, median
from tests.server.bench_postgres import Relay
from tests.server.peer import within


def test_missed_bars_end_the_benchmark_and_are_named(capsys):
    bars = Bars()
    bars.at_least("rate", 0.5, 0.5)
    bars.at_most("share", 0.15, 0.15)
    bars.end()
    bars.at_least("rate", 0.49, 0.5)
    bars.at_most("share", 0.151, 0.15)
    with pytest.raises(SystemExit, match="rate; share"):
        bars.end()
    assert capsys.readouterr().out.count("MISSED") == 2
    assert median([3, 1, 2]) == 2


def test_relay_counts_what_the_database_is_asked(tmp_path):
    async def main():
        true = postgres.server()
        async with Relay(str(tmp_path), true.folder) as relay:
            connection = await within(asyncpg.connect(relay.url))
            before = relay.statements, relay.round_trips
            for number in range(5):
                assert await within(connection.fetchval("SELECT $1::int", number)) == number
            # The first one is prepared, which is a round trip of its own.
            assert (relay.statements - before[0], relay.round_trips - before[1]) == (5, 6)
            await connection.close()

    asyncio.run(main())


def test_measured_process_has_the_first_core_and_the_load_the_others(tmp_path):
    before = os.sched_getaffinity(0)
    try:
        bench.leave_first_core()
        with bench.Process(["sleep", "60"], tmp_path) as process:
            measured = os.sched_getaffinity(process._process.pid)
        assert measured == {min(before)} and (len(before) == 1 or not measured & os.sched_getaffinity(0))
    finally:
        os.sched_setaffinity(0, before)
