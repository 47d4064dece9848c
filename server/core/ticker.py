"""One clock for all connections. It checks each of them at intervals, a part of them at a time.

A timer and a task for each would cost more than the keepalives themselves.
"""

SLOTS = 4  # parts that the connections are in, so that they do not all send at once


class Ticker:
    """The clock. Its owner repeatedly sleeps `wait_ms` and calls `tick`.

    Args: interval_ms: how often `look()` of each member is called."""

    def __init__(self, interval_ms):
        self._step_ms = max(1, interval_ms // SLOTS)
        self._slots = [{} for _ in range(SLOTS)]  # member -> None
        self._at = 0
        self._next = 1

    def add(self, member):
        min(self._slots, key=len)[member] = None

    def remove(self, member):
        for slot in self._slots:
            slot.pop(member, None)

    @property
    def wait_ms(self):
        """Returns the milliseconds to sleep. Call it once before each `tick`. Parts without members are skipped."""
        self._next = 1
        while self._next < SLOTS and not self._slots[(self._at + self._next) % SLOTS]:
            self._next += 1
        return self._next * self._step_ms

    def tick(self):
        self._at = (self._at + self._next) % SLOTS
        for member in list(self._slots[self._at]):
            member.look()
