"""The address to listen on, and the failures of the system to provide it or to accept connections on it."""

import asyncio
import errno

from primitives.timeout import Timeout

ACCEPT_PERIOD_MS = 10000  # one event of AcceptFailures in this time
_BOTH = ["::", "0.0.0.0"]  # asyncio's IPv6 sockets accept no IPv4
_NO_ADDRESS = getattr(errno, "EADDRNOTAVAIL", 99), getattr(errno, "EAFNOSUPPORT", 97)


class ListenError(OSError):
    """The port cannot be had. The text names the setting, the cause and the remedy. `errno` is the system's."""


def plain_host(host):
    """Returns the host without the brackets that URLs have around an IPv6 address."""
    return host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host


def hosts(host):
    """Returns what asyncio.start_server needs for this host. `::` is every address, of IPv4 too."""
    host = plain_host(host)
    return _BOTH if host == "::" else host


def listen_error(error, host, port, setting=None):
    """Returns the ListenError for an error of asyncio.start_server.

    setting: what the text names, such as "metrics = '[::1]:9123'"; None for the settings `host` and `port`.
    """
    code = getattr(error, "errno", None)
    reason = getattr(error, "strerror", None) or str(error)
    if code == errno.EADDRINUSE:
        text = "%s is in use: does a server run already? End that program, or choose another port"
        text %= setting or "port = %d (host = %r)" % (port, host)
    elif code == errno.EACCES:
        text = "%s is not for this user (%s): choose a port from 1024 on"
        text %= setting or "port = %d (host = %r)" % (port, host), reason
    elif code in _NO_ADDRESS or isinstance(error, ValueError) or type(error).__name__ == "gaierror":
        text = "%s is no address of this machine (%s): take one that `ip address` shows, 0.0.0.0 (IPv4) or :: (both)"
        text %= setting or "host = %r" % host, reason
    else:
        text = "%s cannot be listened on (%s)" % (setting or "host = %r, port = %d" % (host, port), reason)
    found = ListenError(text)
    found.errno = code
    return found


class AcceptFailures:
    """Reports that the system lets no connection in, for example at the limit of open files.

    asyncio reports each failed accept with a traceback, 64 of them at a time. Here it is the event "accept_failed", at
    most one in ACCEPT_PERIOD_MS, whichever of the process's sockets it was. For CPython only.

    Args: tell: function (event, **details).
    """

    def __init__(self, tell):
        self._tell = tell
        self._period = None  # Timeout, since the last event
        self._failures = 0  # since then
        self._loop = None
        self._previous = None

    def begin(self):
        """Begin in the running loop. Other errors go where they went before."""
        self._loop = asyncio.get_running_loop()
        self._previous = self._loop.get_exception_handler()
        self._loop.set_exception_handler(self._handle)

    def end(self):
        """End. A handler that was set since then stays."""
        if self._loop.get_exception_handler() == self._handle:
            self._loop.set_exception_handler(self._previous)
        self._loop = None

    def _handle(self, loop, context):
        error = context.get("exception")
        if self._loop is not None and isinstance(error, OSError) and "accept" in context.get("message", ""):
            self._failed(error)
        elif self._previous is not None:
            self._previous(loop, context)
        else:
            loop.default_exception_handler(context)

    def _failed(self, error):
        self._failures += 1
        if self._period is None or self._period.expired():
            self._period = Timeout(ACCEPT_PERIOD_MS)
            failures, self._failures = self._failures, 0
            self._tell("accept_failed", error=error.strerror or str(error), failures=failures)
