"""The parts of `make bench-server` that could say too much: the bars, and the relay that counts statements."""

import asyncio
import os

import asyncpg
import pytest

from tests.server import bench, postgres
from tests.server.bench_bars import Bars, median
from tests.server.bench_beside import STEADY_S, Machine
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


def test_commits_beside_a_load_are_counted_until_they_are_ended(tmp_path):
    for store in ("durable", postgres.server().url):
        with bench.Beside(store, tmp_path) as beside:
            beside.wait()
            found = beside.end()
        assert found["commits"] and all(0 < took_s for _, took_s in found["commits"])
        assert 0 <= Machine(found).slow <= 1


def machine(slow_at=(), still=(), commit=()):
    """A Machine of 12 s, which is slow at these times, and stands still from one time to another; commit: likewise."""
    looks = []
    for at in (number / 100 for number in range(1200)):
        if still and still[0] <= at < still[1] or commit and commit[0] < at < commit[1]:
            continue
        pause = commit[1] - 0.01 if commit and at == commit[0] else at + 0.0001
        looks.append((at, 0.001 if at in slow_at else 0.00003, pause))
    return Machine({"looks": looks, "ahead": True})


def test_lines_of_a_slow_machine_do_not_count():
    one = machine(slow_at=[3.0], still=(6.0, 6.2))
    assert one.slow == 2 / 1180
    times = (1, 2.9, 2.995, 3.1, 2.95 + STEADY_S, 3.05 + STEADY_S, 6.1, 6.3, 6.25 + STEADY_S)
    timed = [(at, took_s) for at in times for took_s in (0.01, 0.2)]
    assert one.steady(timed) == [0.01, 0.2, 0.01, 0.01, 0.2, 0.01, 0.2]


def test_lines_that_the_server_holds_up_count():
    assert machine(slow_at=[3.0]).steady([(2.5, 3.0), (2.95, 3.0)]) == [3.0]
    assert machine(commit=(3.0, 3.5)).steady([(2.9, 0.7)]) == [0.7]  # a commit that takes long is none of the machine


@pytest.mark.parametrize(("took_s", "missed"), [(0.01, 0), (0.2, 1)])
def test_latency_is_held_against_that_of_a_bare_commit(took_s, missed):
    lines = [(1 + at / 100, took_s) for at in range(100)]
    bars = Bars()
    bench.hold_latency(bars, "p99", [bench.Round(lines, 0.5, 0, 0, machine(), [(1, 0.001)])])
    assert len(bars.missed) == missed and bars.figures["p99"]["value"] == took_s * 1000


def test_latency_on_a_machine_that_is_never_steady_is_a_missed_bar():
    bars = Bars()
    never = machine(slow_at=[number / 10 for number in range(120)])
    bench.hold_latency(bars, "p99", [bench.Round([(5, 0.001)], 0.5, 0, 0, never, [(5, 0.001)])])
    assert bars.missed == ["p99"]
