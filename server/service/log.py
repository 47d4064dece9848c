"""The log of `pb-link serve`: one line an event, as text or as JSON. CPython only.

    2026-01-02T03:04:05.678Z connected client=pump peer=192.0.2.7:51234 expected=true

docs/operations.md says what each event means. Lines of clients are never in it.
"""

import json
import sys
import time
from datetime import UTC, datetime

# Not worth a line each: counters and `pb-link tail` are for these.
QUIET = {"received", "acknowledged"}
LOGGED = 10  # lines of a kind in a period, for Few
PERIOD_S = 10.0


class Log:
    def __init__(self, form, file=None):
        self._as_json = form == "json"
        self._file = file or sys.stdout
        self._lost = 0  # lines that could not be written

    def __call__(self, event, client=None, **details):
        """Never raises for want of space or of a reader: clients are served all the same."""
        try:
            if self._lost:
                self._print("log_lost", lines=self._lost)
                self._lost = 0
            self._print(event, client, **details)
        except OSError:
            self._lost += 1

    def _print(self, event, client=None, **details):
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = {"client": client, **details} if client is not None else details
        if self._as_json:
            text = json.dumps({"time": now, "event": event, **fields})
        else:
            text = " ".join([now, event, *(f"{name}={_shown(value)}" for name, value in fields.items())])
        print(text, file=self._file, flush=True)


class Few:
    """A log of what others can make happen as often as they like: LOGGED of a kind in a period, and how many more.

    each: of each client, all of whom are known; otherwise of all together.
    """

    def __init__(self, log, each=False):
        self._log = log
        self._each = each
        self._told = {}  # event, or (event, client) -> [lines in this period, its end]

    def __call__(self, event, client=None, **details):
        now = time.monotonic()
        kind, whose = ((event, client), client) if self._each else (event, None)
        told = self._told.get(kind)
        if told is None or now >= told[1]:
            if told is not None and told[0] > LOGGED:
                self._log(event + "_more", whose, count=told[0] - LOGGED)
            told = self._told[kind] = [0, now + PERIOD_S]
        told[0] += 1
        if told[0] <= LOGGED:
            self._log(event, client, **details)


def _shown(value):
    """As it is where that is one word, otherwise as JSON: what a peer sends makes no second line."""
    if isinstance(value, str) and value and value.isascii() and value.isprintable() and not set(value) & set(' "='):
        return value
    return json.dumps(value)
