"""How often something may happen: a number a second, and a reserve that fills up again. Pure."""


class Rate:
    """Args: per_second: calls a second for ever; reserve: calls at once, after a rest; now: seconds of any clock."""

    def __init__(self, per_second, reserve, now):
        self._per_second = per_second
        self._reserve = reserve
        self._left = float(reserve)
        self._at = now

    def take(self, now):
        """Returns whether one more may happen, and counts it if so."""
        self._left = min(self._reserve, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
