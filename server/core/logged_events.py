"""Events for Python's `logging`, under CPython: the logger `pb_link`, beside what this project prints itself.

The message is the event's name with its details. A record has the attributes `event`, `client` and `details`, for
formatters and filters. Lines of clients are never logged.
"""

import logging

# Each line of a client makes one of these; their details contain the lines.
QUIET = {"received", "acknowledged"}
INFO = {
    "started", "stopped", "ended", "listening", "connected", "disconnected", "connected_more", "disconnected_more",
    "keys_read", "new_key_used",
}  # fmt: skip
ERRORS = {
    "failed", "handler_failed", "store_failed", "store_gone", "subscriber_failed", "keys_unreadable", "keys_unwritable",
}  # fmt: skip

_logger = logging.getLogger("pb_link")
_logger.addHandler(logging.NullHandler())  # without a handler of the program, `logging` would print to stderr itself


def level_of(event):
    """Returns the level: INFO for the normal course, ERROR where something has failed, WARNING for all between."""
    return logging.INFO if event in INFO else logging.ERROR if event in ERRORS else logging.WARNING


def log_event(event, client_id=None, **details):
    """Pass an event to `logging`. It raises nothing: handlers are foreign code."""
    level = level_of(event)
    if event in QUIET or not _logger.isEnabledFor(level):
        return
    fields = {"client": client_id, **details} if client_id is not None else details
    text = " ".join([event, *("%s=%r" % field for field in fields.items())])
    try:
        _logger.log(level, "%s", text, extra={"event": event, "client": client_id, "details": details})
    except Exception:  # logging reports what its handlers raise itself, as the program has set it
        pass
