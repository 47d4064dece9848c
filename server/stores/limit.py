"""The limit of the cost of all messages in all stores that count for it: one, or the parts of a sharded one."""


class Limit:
    """Args: total_bytes: as `cost` (core/store.py) counts. stores: those that count: each has a `total`."""

    def __init__(self, total_bytes):
        self.stores = []
        self._total_bytes = total_bytes
        self._was_full = False

    def reached(self):
        """Whether no store has room. `left` will tell when they have."""
        full = self._total() >= self._total_bytes
        self._was_full = self._was_full or full
        return full

    def left(self):
        """Returns True when there is room again, once for each time at which `reached` has said that there is none."""
        if not self._was_full or self._total() >= self._total_bytes:
            return False
        self._was_full = False
        return True

    def _total(self):
        return sum([store.total for store in self.stores])
