"""build/bench/wire.py: what it measures is the same every time."""

from build.bench.bed import COSTS
from build.bench.wire import Traffic


def test_same_traffic_gives_the_same_figures():
    one, again = (Traffic("up", 180, False, COSTS["zero"]).measure(0.5) for _ in range(2))
    assert one == again
