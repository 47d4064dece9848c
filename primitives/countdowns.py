"""Several time-outs that run down together, for a board that has no heap to spare for a `Timeout` each."""

from primitives.platform import ticks_diff, ticks_ms


class Countdowns:
    """Countdowns, each of which is over at the first `tick` that comes at least `ms` milliseconds after its `start`.

    `tick` must be called at least once in 6 days: `ticks_diff` sees no further. Before its first `start` one is over.
    Args: count: how many; they are named 0 .. count - 1.
    """

    def __init__(self, count):
        self._left = [0] * count
        self._ticked = ticks_ms()

    def start(self, which, ms):
        self._left[which] = ms + ticks_diff(ticks_ms(), self._ticked)

    def over(self, which):
        return self._left[which] <= 0

    def tick(self):
        """Let the time since the last call pass."""
        now = ticks_ms()
        passed = ticks_diff(now, self._ticked)
        self._ticked = now
        left = self._left
        for which in range(len(left)):
            if left[which] > 0:
                left[which] -= passed
