"""A sample of the crashes at every event: `make exhaustive` has them all."""

import json

import pytest

from sim import cli
from sim.virtual.exhaustive import (
    ALL,
    BYTE,
    SEGMENT,
    SHARE,
    STEP,
    TRAFFIC,
    Exchange,
    Point,
    allocations_of,
    play,
    points_of,
    replay,
    try_all,
)

# Primes: of each kind of crash another place in each round of the exchange.
EVERY = {"messages": 449, "requests": 599}


@pytest.mark.parametrize("traffic", TRAFFIC)
def test_sample_of_all_points_keeps_the_promise(report_line, traffic):
    events, points = points_of(1, every=EVERY[traffic], traffic=traffic)
    violations = try_all(points)
    assert {point.crash for point in points} == set(ALL)
    tried = f"{len(events)} events, {len(points)} points tried here"
    report_line(f"exhaustive, {traffic}: {tried}, {len(violations)} violations")
    assert not violations


def test_application_that_finds_no_memory_when_it_starts_its_tasks_repeats_it():
    started = allocations_of(1, "client-memory").index("Supervisor.start")
    points = [Point("client-memory", number, 1) for number in range(started - 3, started + 8)]
    assert not try_all(points)


def test_points_are_bytes_segments_and_steps_of_every_board():
    events, points = points_of(1)
    assert {event.kind for event in events} == {BYTE, STEP, SEGMENT}
    assert {event.name for event in events if event.kind == STEP} == {"client", "bridge", "server"}
    assert {point.crash for point in points} == set(ALL)
    assert [event.number for event in events] == list(range(1, len(events) + 1))


def test_point_that_does_not_come_is_reported():
    assert play(Point("tcp-reset", 10**6, 1))[1] == "the event did not come"


def test_command_tells_how_many_points_it_tried(capsys):
    assert cli.main(["exhaustive", "--crash", "tcp-reset", "--every", "300", "--json", "--quiet"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["points"] == result["crashes"]["tcp-reset"] > 2 and result["violations"] == 0
    assert set(result["traffic"]) == set(TRAFFIC)


def test_all_points_of_one_exchange_can_be_chosen(capsys):
    command = ["exhaustive", "--crash", "bridge-memory", "--every", "60", "--json", "--quiet"]
    assert cli.main([*command, "--traffic", "requests"]) == 0
    chosen = json.loads(capsys.readouterr().out)["traffic"]
    assert set(chosen) == {"requests"} and chosen["requests"] > 1
    assert cli.main(command) == 0
    assert json.loads(capsys.readouterr().out)["traffic"]["requests"] < chosen["requests"]
    assert SHARE["messages"] == 1


def test_exchange_of_requests_has_answers_and_failures_both_ways():
    run = Exchange(1, lambda run, event: None, traffic="requests")
    run.run()
    assert run.good and run.result["requests"] == {"answered": 4, "failed": 2}


def test_one_point_of_the_requests_is_shown(capsys):
    assert cli.main(replay(Point("server-kill", 700, 1, "requests")).split()[3:]) == 0
    said = capsys.readouterr().err
    assert "*** server-kill before event 700" in said and "c0.1" in said and "failed: channel 30: ValueError" in said


def test_one_point_is_shown(capsys):
    assert cli.main(["exhaustive", "--crash", "bridge-crash", "--at", "700"]) == 0
    assert "*** bridge-crash before event 700" in capsys.readouterr().err
