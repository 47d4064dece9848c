"""When the faults of a run without an end are due. Pure: time is an argument, in seconds."""

import random

APART_S = 10.0  # between counted faults, in a run that has no end
EASE_S = 4.0  # of undisturbed traffic before the first


class Schedule:
    """Counted faults come one after the other, each after something was delivered since the one before; a rate is per
    second.

    Args: counts, rates: name -> number, of sim/faults.py; seed: of their order; seconds: of the whole run, over which
    they are spread, or None: one in APART_S.
    """

    def __init__(self, counts, rates, seed, seconds=None):
        self._random = random.Random(f"when faults strike {seed}")
        self._names = [name for name, count in sorted(counts.items()) for _ in range(count)]
        self._random.shuffle(self._names)
        self._apart_s = seconds / (len(self._names) + 1) if seconds else APART_S
        self._rates = dict(rates)
        self._next_counted = min(EASE_S, self._apart_s)
        self._next_of_rate = None
        self._delivered = 0

    @property
    def left(self):
        """Returns how many counted faults have not come yet."""
        return len(self._names)

    def due(self, seconds, delivered):
        """Returns the names of the faults that are to begin now. delivered: lines, until now."""
        names = []
        if self._names and seconds >= self._next_counted and delivered > self._delivered:
            names.append(self._names.pop(0))
            self._delivered = delivered
            self._next_counted = max(self._next_counted + self._apart_s, seconds)
        if delivered:
            names += self._due_of_rates(seconds)
        return names

    def _due_of_rates(self, seconds):
        if self._next_of_rate is None:
            self._next_of_rate = {name: seconds + self._gap(name) for name in self._rates}
        names = [name for name, when in self._next_of_rate.items() if seconds >= when]
        for name in names:
            self._next_of_rate[name] = seconds + self._gap(name)
        return names

    def _gap(self, name):
        return self._random.expovariate(self._rates[name])


class Rounds:
    """The same faults again and again. Args: names: in their order; apart_s: between two, if something was delivered
    since."""

    def __init__(self, names, apart_s):
        self._names = names
        self._apart_s = apart_s
        self._count = 0
        self._next = apart_s
        self._delivered = 0

    def due(self, seconds, delivered):
        """As that of Schedule."""
        if seconds < self._next or delivered <= self._delivered:
            return []
        name = self._names[self._count % len(self._names)]
        self._count += 1
        self._delivered = delivered
        self._next = seconds + self._apart_s
        return [name]
