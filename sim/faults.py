"""Faults of a counted run: which can be requested, and when each comes.

A number of faults is spread over the progress of the run (delivered lines, 0..1). So no fault comes after the last
line. None comes before the link has recovered far enough to deliver something since the previous one. A rate is per
second.
"""

import random

BED_MPY = ("bridge-kill", "wifi-outage", "server-restart", "i2c-bitflip")
MAX_COUNT = 10000
MAX_RATE = 10.0  # per second: with more the link would never come up


class Plan:
    """The faults of one run, and when each is due. Args: counts, rates: name to number."""

    def __init__(self, counts, rates, seed):
        self._random = random.Random(f"faults {seed}")
        events = [name for name, count in sorted(counts.items()) for _ in range(count)]
        self._random.shuffle(events)
        self._milestones = [((i + 1) / (len(events) + 1), name) for i, name in enumerate(events)]
        self._last_progress = 0.0
        self._rates = dict(rates)
        self._next = None
        self.total = len(events)

    @property
    def left(self):
        """Returns the number of counted faults that have not come yet."""
        return len(self._milestones)

    def due(self, progress, seconds):
        """Returns names of the faults to inject now. `seconds`: since the first line was delivered, None before."""
        names = []
        if self._milestones and progress >= self._milestones[0][0] and progress > self._last_progress:
            names.append(self._milestones.pop(0)[1])
            self._last_progress = progress
        if seconds is not None and self._rates:
            names += self._due_rates(seconds)
        return names

    def _due_rates(self, seconds):
        if self._next is None:
            self._next = {name: seconds + self._gap(name) for name in self._rates}
        names = []
        for name, when in self._next.items():
            if seconds >= when:
                names.append(name)
                self._next[name] = seconds + self._gap(name)
        return names

    def _gap(self, name):
        return self._random.expovariate(self._rates[name])


def parse(text, lines, known=BED_MPY):
    """Parses `NAME=N,NAME=R/s`. Returns (counts, rates). Raises: ValueError that says what is wrong."""
    counts, rates = {}, {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if name not in known:
            raise ValueError(f"unknown fault {name!r}; this bed knows {', '.join(known)}")
        if not equals or not number:
            raise ValueError(f"{name}: write {name}=N for a count or {name}=R/s for a rate")
        if name in counts or name in rates:
            raise ValueError(f"{name} is given twice")
        if number.endswith("/s"):
            rates[name] = _rate(name, number[:-2])
        else:
            counts[name] = _count(name, number)
    if sum(counts.values()) >= 2 * lines:
        raise ValueError(f"{sum(counts.values())} faults cannot be spread over {lines} lines each way")
    return counts, rates


def _count(name, number):
    if not number.isdigit() or not 0 < int(number) <= MAX_COUNT:
        raise ValueError(f"{name}: {number!r} is not a count of 1..{MAX_COUNT}")
    return int(number)


def _rate(name, number):
    try:
        rate = float(number)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= MAX_RATE:
        raise ValueError(f"{name}: {number + '/s'!r} is not a rate above 0 and up to {MAX_RATE:g}/s")
    return rate
