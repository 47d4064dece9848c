"""A histogram of durations."""

from bisect import bisect_left


class Histogram:
    """A histogram. Args: bounds: of the buckets, seconds, rising. The last bucket has no bound, for longer times."""

    def __init__(self, bounds):
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum_s = 0.0

    def add(self, seconds):
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum_s += seconds
