"""The log of a server that a program starts with `run`: it prints a line for each relevant event."""

from server.core.events import CLOSED_HERE
from server.core.shown import harmless

_TEXTS = {
    "refused": "refused {peer}: {reason}",
    "refused_more": "{count} more connections refused",
    "accept_failed": "no connection can be accepted: {error} ({failures} times; at the limit of open files: ulimit -n)",
    "store_gone": "{error}",
    "store_failed": "{client}: the store failed: {error}",
    "store_rolled_back": (
        "{client}: the store is not the continuation of what the client has seen: it does not know of {lines} lines"
        " that the client had had acknowledged, nor of {unknown} that it has got"
    ),
    "line_held": (
        "{client}: a line of {bytes} bytes is held, and those behind it: the client takes {longest} bytes at most"
    ),
    "no_key": "{client}: the application waits for this client, which cannot connect: there is no key for this id",
    "same_id": "{client}: {reason} ({peer}, {other})",
    "handler_failed": (
        "{client}: the handler has failed, and is called again in {again_s} s: {error} ({at})\n{traceback}"
    ),
    "request_failed": "{client}: the handler of requests on channel {channel} has failed: {error}",
    "sensor_batch_refused": "{client}: a message on the channel of sensor data is dropped: {fault}",
    "sensor_type_unknown": "{client}: nothing is known of its sensors of type {type}: their samples have no values",
    "channel_mixed": "{client}: channel {channel} is used for {used_for} here, and differently by the client",
    "unread": (
        "{client}: {lines} lines wait for the application, which has read none of this client for {waited_s} s: {why}"
    ),
    "subscriber_failed": "a subscriber has failed at the event {of}: {error} ({at})",
    "subscriber_failed_more": "{count} more failures of subscribers",
}


class PrintedLog:
    """A subscriber of Events that prints them. verbose: also print which clients connect and disconnect."""

    def __init__(self):
        self.verbose = False

    def note(self, event, client_id, details):
        """Print a line about an event, if it is relevant."""
        if event == "connected":
            self._connected(client_id, **details)
        elif event == "disconnected":
            if self.verbose and details["reason"] != CLOSED_HERE:
                _print(harmless("! %s: %s" % (details["peer"], details["reason"])))
        elif event in _TEXTS:
            shown = {name: _harmless(name, value) for name, value in details.items()}
            _print(_TEXTS[event].format(client=harmless(client_id or ""), **shown).rstrip())

    def frame(self, text):
        """Print a line about a frame. A failure to print is ignored, so that clients are served all the same."""
        try:
            _print(harmless(text))
        except OSError:
            pass  # the reader of the output has exited

    def _connected(self, client_id, peer, expected):
        client_id = harmless(client_id)
        if self.verbose:
            _print("= %s connected from %s" % (client_id, peer))
        if not expected:
            _print("%s is not among the expected clients; served" % client_id)


def _harmless(name, value):
    """Returns a detail of an event for a terminal. A traceback keeps its lines."""
    return harmless(value, "\n" if name == "traceback" else "") if isinstance(value, str) else value


def _print(text):
    """Print a line. It may contain an id, which anybody can send and which not every terminal can show."""
    try:
        print("server:", text)
    except UnicodeError:
        print("server:", text.encode("ascii", "backslashreplace").decode())
