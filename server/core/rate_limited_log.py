"""The rate limit of log lines. Events that peers can cause at any rate do not fill the log."""

from primitives.timeout import Timeout

LOGGED = 10  # lines of a kind in a period; the rest is counted
PERIOD_MS = 10000


class RateLimitedLog:
    """Passes on at most LOGGED lines of a kind in a period, and then reports how many more there were.

    A kind is an event, or with `each` an event of one client. Use `each` only for known clients, since it
    remembers every id until the period is over.

    `look` ends the period. It must be called regularly, as `Timeout` must be. `Events.rate_limited` ensures it.
    """

    def __init__(self, log, each=False):
        """Args: log: function (event, client_id=None, **details)."""
        self._log = log
        self._each = each
        self._counts = {}  # (event, id or None) -> lines in this period
        self._period = Timeout(PERIOD_MS)

    def __call__(self, event, client_id=None, **details):
        self.look()
        if not self._counts:
            self._period.restart()
        kind = event, client_id if self._each else None
        self._counts[kind] = count = self._counts.get(kind, 0) + 1
        if count <= LOGGED:
            self._log(event, client_id, **details)

    def look(self):
        """If the period is over, report what was not logged: EVENT_more, with a count."""
        if self._counts and self._period.expired():
            counts, self._counts = self._counts, {}
            for (event, client_id), count in counts.items():
                if count > LOGGED:
                    self._log(event + "_more", client_id, count=count - LOGGED)
