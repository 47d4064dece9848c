"""The log of `pb-link serve`: one line an event, as text or as JSON.

    2026-01-02T03:04:05.678Z connected client=pump peer=192.0.2.7:51234 expected=true

docs/operations.md describes each event. The log never contains lines of clients. It goes to stderr or to a file, since
stdout is the application's, and to `logging`.
"""

import contextlib
import io
import json
import os
import sys
from datetime import UTC, datetime

from server.core.logged_events import log_event
from server.gateways.setting import SettingsError


class Log:
    """Args: form: "text" or "json"; path: of a file to append to, or "" for `file`, or else stderr.

    Raises: SettingsError.
    """

    def __init__(self, form, file=None, path=""):
        self._as_json = form == "json"
        self._path = path
        try:
            self._file = _opened(path) if path else file or sys.stderr
        except OSError as error:
            raise SettingsError(unusable(path, error)) from None
        self._lost = 0  # lines that could not be written
        self.followers = []  # functions (event, client or None, dict of details), for each line; they raise nothing

    def __call__(self, event, client=None, **details):
        """Write a line. A full disk or a missing reader raises nothing, so that clients are served all the same."""
        log_event(event, client, **details)
        for follower in self.followers:
            follower(event, client, details)
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
        with contextlib.suppress(OSError):  # the disk may have gone
            old.close()

    def _print(self, event, client=None, **details):
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = {"client": client, **details} if client is not None else details
        if self._as_json:
            text = json.dumps({"time": now, "event": event, **fields})
        else:
            text = " ".join([now, event, *(f"{name}={_shown(value)}" for name, value in fields.items())])
        print(text + "\n", end="", file=self._file, flush=True)


def unusable(path, error):
    """Returns what to say if the file of the setting `log_file` cannot be opened."""
    folder = os.path.dirname(os.path.abspath(path))
    why = f"there is no folder {folder}" if not os.path.isdir(folder) else error.strerror or str(error)
    return f"log_file {path} cannot be opened: {why}"


def look_at_file(path):
    """Check that the log can be written into this file, and leave no new one. Raises: SettingsError."""
    if not path:
        return
    there = os.path.lexists(path)
    try:
        _opened(path).close()
        if not there:
            os.unlink(path)
    except OSError as error:
        raise SettingsError(unusable(path, error)) from None


def _opened(path):
    # No buffer: a line that a full disk did not take is lost whole, and neither comes later nor fails the close.
    raw = open(path, "ab", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o640))
    return io.TextIOWrapper(raw, encoding="utf-8", write_through=True)


def _shown(value):
    """Returns a value unchanged if it is one word, otherwise as JSON. So a peer's data cannot begin a second line."""
    if isinstance(value, str) and value and value.isascii() and value.isprintable() and not set(value) & set(' "='):
        return value
    return json.dumps(value)
