"""Places for requests that wait for a client: a bounded number, so that nobody can pile them up."""

import contextlib

from server.gateways.web.routes import Failure


class Places:
    """Args: most: at a time; what: that waits, for people."""

    def __init__(self, most, what):
        self._most = most
        self._what = what
        self._taken = 0

    @contextlib.contextmanager
    def taken(self):
        """A request has a place in this block. Raises: Failure: there is none."""
        if self._taken >= self._most:
            raise Failure(503, f"{self._most} {self._what} wait already: try again", {"Retry-After": "10"})
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
