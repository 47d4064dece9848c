"""Keeps those out for a while who fail to prove who they are, again and again. CPython only.

A key of 32 bytes is not guessed. But a peer that tries costs a handshake each
time, and a client with a wrong key fills the log.
"""

import time

FREE = 5  # failures in a row that an address has for nothing
FIRST_S = 0.5  # it then waits for so long, and twice as long after each further failure
LONGEST_S = 60.0
ADDRESSES = 1024  # that are remembered; of more, those that failed first are forgotten


class Guard:
    """By address: many clients may share one behind a router, and one success among them frees it."""

    def __init__(self, clock=time.monotonic):
        self.kept_out = 0  # connections
        self._clock = clock
        self._failures = {}  # address -> (count, time from which it may try again)

    def keeps_out(self, address):
        """True if a connection from this address is to be closed at once."""
        out = self._clock() < self._failures.get(address, (0, 0.0))[1]
        self.kept_out += out
        return out

    def failed(self, address):
        count = self._failures.pop(address, (0, 0.0))[0] + 1
        wait_s = min(FIRST_S * 2 ** min(count - FREE - 1, 20), LONGEST_S) if count > FREE else 0.0
        self._failures[address] = (count, self._clock() + wait_s)
        if len(self._failures) > ADDRESSES:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, address):
        self._failures.pop(address, None)
