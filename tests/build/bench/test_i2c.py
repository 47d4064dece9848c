"""build/bench/i2c.py: what it measures is the same every time, and a batch is shorter than its calls."""

from build.bench.bed import COSTS
from build.bench.i2c import Calls


def test_same_calls_take_the_same_time():
    one, again = (Calls(COSTS["model"], count=10).measure() for _ in range(2))
    assert one == again and len(one) == 10


def test_calls_of_a_batch_share_their_round_trip():
    one, many = Calls(COSTS["model"], count=10).measure(), Calls(COSTS["model"], 30, count=10).measure()
    assert many[5] < 6 * one[5]
