"""The events of one server, reported to all subscribers: a log, counters, a gateway, an operator's tool."""

from server.core.failures import where
from server.core.rate_limited_log import RateLimitedLog

# Why connections are refused: authentication failed; a proof that a later connection has overtaken; bytes that break
# the protocol; not in time; ended in the middle; a flood; the store has failed.
REFUSALS = ("identity", "late", "protocol", "time", "gone", "flood", "store")
# The reason of "disconnected" where no fault ended the connection.
CLOSED_HERE = "closed by the server"
FAILED = "subscriber_failed"


class Events:
    """Any number of subscribers: functions (event, client_id or None, dict of details).

    docs/operations.md lists the events. A subscriber is called while the event is being handled, so it must return
    at once. If it raises, neither the link nor the other subscribers are affected. It stays subscribed, and all get
    "subscriber_failed", with the event (`of`), the error, and under CPython the line (`at`).
    """

    def __init__(self):
        self.refusals = {kind: 0 for kind in REFUSALS}  # connections refused, reported or not
        self._subscribers = []
        self._limits = []
        self._tell_some = self.rate_limited(self.tell)

    def subscribe(self, subscriber):
        """Call subscriber(event, client_id, details) for each event from now on."""
        self._subscribers.append(subscriber)

    def unsubscribe(self, subscriber):
        """Stop calling this subscriber. Raises: ValueError if it is not subscribed."""
        self._subscribers.remove(subscriber)

    def tell(self, event, client_id=None, **details):
        """Report an event to all subscribers. Exceptions of subscribers are not passed on."""
        for subscriber in self._subscribers[:]:
            try:
                subscriber(event, client_id, details)
            except Exception as error:  # a subscriber is foreign code
                if not event.startswith(FAILED):  # else the reports would never end
                    self._tell_some(FAILED, client_id, of=event, error=text_of(error), at=where(error))

    def refused(self, peer, reason, kind):
        """Report a refused connection, within the rate limit. kind: one of REFUSALS."""
        self.refusals[kind] += 1
        self._tell_some("refused", peer=peer, reason=reason)

    def rate_limited(self, log, each=False):
        """Returns a RateLimitedLog whose periods `look` ends."""
        limited = RateLimitedLog(log, each)
        self._limits.append(limited)
        return limited

    def look(self):
        """Report what rate limits have suppressed, once their periods are over. The listener calls it regularly."""
        for limited in self._limits:
            limited.look()


def text_of(error):
    """Returns NAME: TEXT of an exception, or its name alone if it has no usable text."""
    name = type(error).__name__
    try:
        text = str(error)
        return "%s: %s" % (name, text) if text else name
    except Exception:  # its __str__ is foreign code too
        return name
