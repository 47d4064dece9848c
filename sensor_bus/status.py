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


class Status:
    """The status of one address."""

    status = INITIAL
    offline_after = OFFLINE_AFTER
    _row = 0  # so many answers in a row; negative: failures

    def note(self, answered):
        """Note a result. Returns the new status if it has changed, else None."""
        self._row = row = max(self._row, 0) + 1 if answered else min(self._row, 0) - 1
        if self.status == INITIAL and (not answered or row >= ONLINE_AFTER):
            self.status = ONLINE if answered else SPURIOUS
        elif self.status == ONLINE and -row >= self.offline_after:
            self.status = OFFLINE
        else:
            return None
        return self.status
