"""What happens at one server, told to all who subscribe: a log, counters, a gateway, a person who looks."""

from server.core.rate_limited_log import RateLimitedLog

# Why connections are refused: no proof of who it is; bytes that break the protocol; not in time; gone in the middle; a
# flood; the store has failed.
REFUSALS = ("identity", "protocol", "time", "gone", "flood", "store")
# The reason of "disconnected" where no fault ended the connection.
CLOSED_HERE = "closed by the server"
FAILED = "subscriber_failed"


class Events:
    """Any number of subscribers: functions (event, client_id or None, dict of details).

    docs/operations.md lists the events. A subscriber is called in the middle of what it is told of: it must return
    at once. One that raises harms neither the link nor the other subscribers. It stays subscribed, and all are told
    "subscriber_failed", with the event (`of`), the error, and under CPython the line (`at`).
    """

    def __init__(self):
        self.refusals = {kind: 0 for kind in REFUSALS}  # connections refused, however many of them are told
        self._subscribers = []
        self._limits = []
        self._tell_some = self.rate_limited(self.tell)

    def subscribe(self, subscriber):
        """Call subscriber(event, client_id, details) for each event from now on."""
        self._subscribers.append(subscriber)

    def unsubscribe(self, subscriber):
        """Call it no more. Raises: ValueError if it is not subscribed."""
        self._subscribers.remove(subscriber)

    def tell(self, event, client_id=None, **details):
        """Tell all subscribers of an event. Raises nothing that a subscriber raises."""
        for subscriber in self._subscribers[:]:
            try:
                subscriber(event, client_id, details)
            except Exception as error:  # it may be anybody's code
                if not event.startswith(FAILED):  # else there would be no end
                    self._tell_some(FAILED, client_id, of=event, error=text_of(error), at=place_of(error))

    def refused(self, peer, reason, kind):
        """Tell of a refused connection, within the rate limit. kind: one of REFUSALS."""
        self.refusals[kind] += 1
        self._tell_some("refused", peer=peer, reason=reason)

    def rate_limited(self, log, each=False):
        """Returns a RateLimitedLog that `look` takes care of."""
        limited = RateLimitedLog(log, each)
        self._limits.append(limited)
        return limited

    def look(self):
        """Say what rate limits have held back, once their periods are over. The listener calls it now and then."""
        for limited in self._limits:
            limited.look()


def text_of(error):
    """Returns NAME: TEXT of an exception, or its name alone if it cannot say more."""
    name = type(error).__name__
    try:
        return "%s: %s" % (name, error)
    except Exception:  # its own text is anybody's code too
        return name


def place_of(error):
    """Returns FILE:LINE of what has raised the exception, or None under MicroPython, which does not tell."""
    place = None
    entry = getattr(error, "__traceback__", None)
    while entry is not None:
        place = "%s:%d" % (entry.tb_frame.f_code.co_filename, entry.tb_lineno)
        entry = entry.tb_next
    return place
