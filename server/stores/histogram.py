"""How often something took how long."""

from bisect import bisect_left


class Histogram:
    """Args: bounds: of the buckets, seconds, rising; what is longer is in the last one, without a bound."""

    def __init__(self, bounds):
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum_s = 0.0

    def add(self, seconds):
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum_s += seconds
