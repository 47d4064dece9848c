"""How long a call may wait: what `timeout_ms` of the public API means."""

from primitives.timeout import Timeout

LONGEST_MS = (1 << 29) - 1  # 6.2 days: what differences of ticks_ms can tell


def wait_limit(timeout_ms):
    """The Timeout of a call that begins now; None for None: no limit. Raises: ValueError."""
    if timeout_ms is None:
        return None
    if not 0 <= timeout_ms <= LONGEST_MS:
        raise ValueError("timeout_ms must be 0..%d or None" % LONGEST_MS)
    return Timeout(timeout_ms)
