"""Events for Python's `logging`: the logger `pb_link`, beside what this project prints itself.

Nothing is logged unless the program has imported `logging` and set up a handler. So under MicroPython, which has no
such module of its own, nothing is needed. The message is the event's name with its details. A record has the
attributes `event`, `client` and `details`, for formatters and filters. Lines of clients are never logged.
"""

import sys

# Each line of a client makes one of the first two, whose details contain the lines; the third comes every few seconds.
QUIET = {"received", "acknowledged", "bridge_report"}
INFO = {
    "started", "stopped", "ended", "listening", "connected", "disconnected", "connected_more", "disconnected_more",
    "keys_read", "new_key_used", "channel_used", "new_life", "taken_over", "steady", "repl_opened", "repl_closed",
    # Of gateways.
    "mqtt_connected", "i2c_bus_usable", "smbus_listening", "smbus_session", "smbus_call", "web_i2c_listening",
    "web_i2c_opened", "web_i2c_closed", "web_listening", "web_login", "web_line_sent", "web_key_changed", "web_devman",
    "web_typed", "web_bus_used",
}  # fmt: skip
ERRORS = {
    "failed", "handler_failed", "store_failed", "store_gone", "subscriber_failed", "keys_unreadable", "keys_unwritable",
}  # fmt: skip


def level_of(event):
    """Returns "INFO" for the normal course, "ERROR" where something has failed, "WARNING" for all between."""
    return "INFO" if event in INFO else "ERROR" if event in ERRORS else "WARNING"


def log_event(event, client_id=None, **details):
    """Pass an event to `logging`. It raises nothing: handlers are foreign code."""
    logging = sys.modules.get("logging")
    if logging is None or event in QUIET:
        return
    try:
        logger = logging.getLogger("pb_link")
        level = getattr(logging, level_of(event))
        if logger.isEnabledFor(level) and logger.hasHandlers():
            fields = [] if client_id is None else ["client=%r" % client_id]
            fields += ["%s=%r" % field for field in details.items()]
            extra = {"event": event, "client": client_id, "details": details}
            logger.log(level, "%s", " ".join([event] + fields), extra=extra)
    except Exception:  # what handlers raise `logging` reports itself, as the program has set it
        pass
