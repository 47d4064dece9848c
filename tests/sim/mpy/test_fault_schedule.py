"""sim/mpy/fault_schedule.py: when faults come in a run that has no end."""

from sim.mpy.fault_schedule import APART_S, Rounds, Schedule


def played(schedule, seconds, delivered=lambda now: int(now)):
    """Returns [(second, name)] of all that is due, asked ten times a second."""
    tenths = range(int(10 * seconds))
    return [(at / 10, name) for at in tenths for name in schedule.due(at / 10, delivered(at / 10))]


def test_counted_faults_come_apart_and_end():
    schedule = Schedule({"a": 2, "b": 1}, {}, seed=1)
    times = [when for when, _ in played(schedule, 60)]
    assert len(times) == 3 and schedule.left == 0
    assert all(APART_S - 0.5 <= after - before for before, after in zip(times[1:], times[2:], strict=False))


def test_counted_faults_are_spread_over_a_run_that_has_an_end():
    assert played(Schedule({"a": 10}, {}, seed=1, seconds=11), 11)[-1][0] < 11


def test_no_counted_fault_comes_before_something_was_delivered_since_the_last():
    assert len(played(Schedule({"a": 5}, {}, seed=1), 600, delivered=lambda now: 1)) == 1
    assert played(Schedule({"a": 5}, {"b": 9.0}, seed=1), 60, delivered=lambda now: 0) == []


def test_rates_are_per_second_and_the_seed_repeats_them():
    once, again = (played(Schedule({}, {"a": 1.0}, seed=3), 400) for _ in range(2))
    assert once == again and 300 < len(once) < 500


def test_rounds_go_on_in_their_order():
    names = [name for _, name in played(Rounds(("a", "b"), 3.0), 16)]
    assert names == ["a", "b", "a", "b", "a"]
    assert played(Rounds(("a", "b"), 3.0), 60, delivered=lambda now: 5)[1:] == []
