"""The time of day in seconds, for people: a system's clock that may be set, so nothing is measured by it."""

from server.core.clock import system_utc_ms


def utc_s():
    """Returns UTC in s since 1970."""
    return system_utc_ms() / 1000
