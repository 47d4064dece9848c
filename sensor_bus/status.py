"""Whether a device is there: from answers and failures to a status. Pure.

An address is online after ONLINE_AFTER answers in a row, offline after OFFLINE_AFTER failures in a row. A successful
poll, or any other answer, ends a row of failures.

    status      an answer                 a failure
    INITIAL     2 in a row: ONLINE        SPURIOUS: it was none
    ONLINE      -                         3 in a row: OFFLINE
"""

from protocol import const

ONLINE_AFTER = const(2)
OFFLINE_AFTER = const(3)

INITIAL = const(0)
ONLINE = const(1)
OFFLINE = const(2)
SPURIOUS = const(3)

# (status, answered): (counts of it that change the status, the new status)
_CHANGES = {
    (INITIAL, True): (ONLINE_AFTER, ONLINE),
    (INITIAL, False): (1, SPURIOUS),
    (ONLINE, False): (OFFLINE_AFTER, OFFLINE),
}


class Status:
    """The status of one address. Args: offline_after: failures in a row, in place of OFFLINE_AFTER."""

    def __init__(self, offline_after=None):
        self.status = INITIAL
        self._offline_after = offline_after
        self._count = 0
        self._last = None

    def note(self, answered):
        """Note a result. Returns the new status if it has changed, else None."""
        self._count = self._count + 1 if answered == self._last else 1
        self._last = answered
        change = _CHANGES.get((self.status, answered))
        if change is None:
            return None
        needed = self._offline_after if change[1] == OFFLINE and self._offline_after else change[0]
        if self._count < needed:
            return None
        self.status = change[1]
        return self.status
