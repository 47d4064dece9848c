"""The log of `pb-link serve`: one line an event, as text or as JSON.

    2026-01-02T03:04:05.678Z connected client=pump peer=192.0.2.7:51234 expected=true

docs/operations.md describes each event. The log never contains lines of clients. It goes to stderr or to a file, since
stdout is the application's, and to `logging`.
"""

import json
import os
import sys
from datetime import UTC, datetime

from server.core.logged_events import log_event


class Log:
    """Args: form: "text" or "json"; path: of a file to append to, or "" for `file`, or else stderr. Raises: OSError."""

    def __init__(self, form, file=None, path=""):
        self._as_json = form == "json"
        self._path = path
        self._file = _opened(path) if path else file or sys.stderr
        self._lost = 0  # lines that could not be written

    def __call__(self, event, client=None, **details):
        """Write a line. A full disk or a missing reader raises nothing, so that clients are served all the same."""
        log_event(event, client, **details)
        try:
            if self._lost:
                self._print("log_lost", lines=self._lost)
                self._lost = 0
            self._print(event, client, **details)
        except OSError:
            self._lost += 1

    def reopen(self):
        """Open the log's file again, if it has a name: it may have been renamed. A stream stays as it is.

        If it cannot be opened, the log goes on in the old file, and says so.
        """
        if not self._path:
            return
        try:
            file = _opened(self._path)
        except OSError as error:
            self("log_not_reopened", error=str(error))
            return
        self._file, old = file, self._file
        old.close()

    def _print(self, event, client=None, **details):
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = {"client": client, **details} if client is not None else details
        if self._as_json:
            text = json.dumps({"time": now, "event": event, **fields})
        else:
            text = " ".join([now, event, *(f"{name}={_shown(value)}" for name, value in fields.items())])
        print(text, file=self._file, flush=True)


def _opened(path):
    return open(path, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o640))


def _shown(value):
    """Returns a value unchanged if it is one word, otherwise as JSON. So a peer's data cannot begin a second line."""
    if isinstance(value, str) and value and value.isascii() and value.isprintable() and not set(value) & set(' "='):
        return value
    return json.dumps(value)
