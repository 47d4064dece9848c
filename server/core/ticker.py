"""One clock for all connections: each of them is looked at now and then, a part of them at a time.

A timer and a task for each would cost more than the keepalives themselves.
"""

SLOTS = 8  # parts that the connections are in, so that they do not all send at once


class Ticker:
    """The clock. Its owner sleeps `wait_ms` and calls `tick`, again and again.

    Args: interval_ms: how often `look()` of each member is called."""

    def __init__(self, interval_ms):
        self._step_ms = max(1, interval_ms // SLOTS)
        self._slots = [[] for _ in range(SLOTS)]
        self._at = 0
        self._next = 1

    def add(self, member):
        min(self._slots, key=len).append(member)

    def remove(self, member):
        for slot in self._slots:
            if member in slot:
                slot.remove(member)

    @property
    def wait_ms(self):
        """Milliseconds to sleep. Ask for it once before each `tick`: parts without members are left out."""
        self._next = 1
        while self._next < SLOTS and not self._slots[(self._at + self._next) % SLOTS]:
            self._next += 1
        return self._next * self._step_ms

    def tick(self):
        self._at = (self._at + self._next) % SLOTS
        for member in self._slots[self._at][:]:
            member.look()
