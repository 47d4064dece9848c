"""The log of `pb-link serve`: one line an event, as text or as JSON.

    2026-01-02T03:04:05.678Z connected client=pump peer=192.0.2.7:51234 expected=true

docs/operations.md describes each event. The log never contains lines of clients.
"""

import json
import sys
from datetime import UTC, datetime

# Events that are not logged. Counters and `pb-link tail` show them.
QUIET = {"received", "acknowledged"}


class Log:
    def __init__(self, form, file=None):
        self._as_json = form == "json"
        self._file = file or sys.stdout
        self._lost = 0  # lines that could not be written

    def __call__(self, event, client=None, **details):
        """Write a line. A full disk or a missing reader raises nothing, so that clients are served all the same."""
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


def _shown(value):
    """Returns a value unchanged if it is one word, otherwise as JSON. So a peer's data cannot begin a second line."""
    if isinstance(value, str) and value and value.isascii() and value.isprintable() and not set(value) & set(' "='):
        return value
    return json.dumps(value)
