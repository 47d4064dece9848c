"""sim/faults.py: what is asked for is understood or refused, and counts are spread over the run."""

import re
from pathlib import Path

import pytest

from sim import faults
from sim.virtual.faults import FAULTS

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "simulator.md"


def test_counts_and_rates():
    assert faults.parse("bridge-kill=3, wifi-outage=0.5/s", 100) == ({"bridge-kill": 3}, {"wifi-outage": 0.5})
    assert faults.parse("", 100) == ({}, {})


@pytest.mark.parametrize(
    "text",
    [
        "bridge-kil=1", "bridge-kill", "bridge-kill=", "bridge-kill=0", "bridge-kill=-1", "bridge-kill=1.5",
        "bridge-kill=x/s", "bridge-kill=0/s", "bridge-kill=1000/s", "bridge-kill=1,bridge-kill=2",
        "bridge-kill=1,bridge-kill=1/s", "=3", "bridge-kill=200",
    ],
)  # fmt: skip
def test_nonsense_is_refused(text):
    with pytest.raises(ValueError):
        faults.parse(text, 100)


def test_counts_come_at_milestones_and_never_twice_without_progress():
    plan = faults.Plan({"bridge-kill": 2, "wifi-outage": 1}, {}, seed=1)
    assert plan.total == plan.left == 3
    came = [plan.due(progress / 100, progress) for progress in range(101)]
    at = [progress for progress, names in enumerate(came) if names]
    assert at == [25, 50, 75] and sorted(sum(came, [])) == ["bridge-kill", "bridge-kill", "wifi-outage"]
    plan = faults.Plan({"bridge-kill": 2}, {}, seed=1)
    assert plan.due(0.9, 1) and not plan.due(0.9, 2) and plan.due(0.95, 3)


def test_rates_are_about_right_and_begin_with_the_first_line():
    plan = faults.Plan({}, {"wifi-outage": 2.0}, seed=1)
    assert plan.due(0, None) == []
    came = sum(len(plan.due(0, tick / 100)) for tick in range(20000))
    assert 300 < came < 500


def test_the_same_seed_gives_the_same_order():
    def order(seed):
        plan = faults.Plan({"bridge-kill": 5, "wifi-outage": 5}, {}, seed)
        return [plan.due(progress / 100, 0) for progress in range(101)]

    assert order(3) == order(3) and order(3) != order(4)


def listed_after(heading):
    """Returns the names in the first column of the first table after these words of the page."""
    _, found, rest = PAGE.read_text(encoding="utf-8").partition(heading)
    assert found, f"docs/simulator.md has no {heading!r}"
    rows = re.search(r"(?:^\|.*\n)+", rest, re.MULTILINE).group().splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row.split("|")[1])]


def test_the_page_lists_every_fault_of_each_bed():
    of_mpy, of_virtual = listed_after("**Faults of a run**"), listed_after("**Faults**, in addition")
    assert sorted(of_mpy) == sorted(faults.BED_MPY)
    assert set(of_mpy) | set(of_virtual) == set(FAULTS)
