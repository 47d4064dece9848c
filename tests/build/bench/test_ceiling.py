"""build/bench/ceiling.py: the most that the layout allows."""

from build.bench import ceiling
from build.bench.bed import COSTS
from build.bench.wire import DIRECTIONS, SIZES


def test_ceiling_grows_with_the_line():
    for direction in DIRECTIONS:
        for costs in COSTS.values():
            rates = [ceiling.stream(direction, size, costs) for size in SIZES]
            assert rates == sorted(rates)
