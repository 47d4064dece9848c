"""Time-outs that work across the wrap of `ticks_ms`, and what `timeout_ms` of the public API means."""

from primitives.platform import ticks_diff, ticks_ms

LONGEST_MS = (1 << 29) - 1  # 6.2 days: what differences of ticks_ms can tell


class Timeout:
    """Expires ms milliseconds after `restart`, and then stays expired.

    It must be asked at least once in 6 days while it runs: `ticks_diff` sees
    no further. Once seen to have expired it may be left alone for ever.
    """

    def __init__(self, ms):
        self.ms = ms
        self._start = ticks_ms()  # None once it has expired: the bridge counts bytes

    def restart(self):
        self._start = ticks_ms()

    def expire(self):
        """Be expired from now on."""
        self._start = None

    def elapsed(self):
        """Milliseconds since `restart`, `ms` once it was seen to have expired."""
        return self.ms if self._start is None else ticks_diff(ticks_ms(), self._start)

    def expired(self):
        if self._start is None:
            return True
        if ticks_diff(ticks_ms(), self._start) < self.ms:
            return False
        self._start = None
        return True

    def left(self):
        """Milliseconds until it expires, 0 if it has."""
        return max(0, self.ms - self.elapsed())


def wait_limit(timeout_ms):
    """The Timeout of a call that begins now; None for None: no limit. Raises: TypeError, ValueError."""
    if timeout_ms is None:
        return None
    if not isinstance(timeout_ms, int):
        raise TypeError("timeout_ms must be an int or None")
    if not 0 <= timeout_ms <= LONGEST_MS:
        raise ValueError("timeout_ms must be 0..%d or None" % LONGEST_MS)
    return Timeout(timeout_ms)
