"""A back-off for addresses that repeatedly fail to authenticate.

A key of 32 bytes cannot be guessed. But each attempt costs a handshake, and a
client with a wrong key fills the log.
"""

import time

FREE = 5  # failures in a row without a delay
FIRST_S = 0.5  # the delay after them; it doubles with each further failure
LONGEST_S = 60.0
ADDRESSES = 1024  # the most that are remembered; beyond it, those that failed first are forgotten


def _seconds():
    return time.monotonic()  # CPython's: under MicroPython nobody makes this class without a clock of its own


class AddressBackoff:
    """Refuses connections from an address for increasing times, until one of them succeeds.

    Many clients may share an address behind a router. One success among them clears its failures.
    """

    def __init__(self, clock=_seconds):
        self.kept_out = 0  # connections that were refused
        self._clock = clock
        self._failures = {}  # address -> (count, time from which it may try again)

    def refuses(self, address):
        """Returns True if a connection from this address is to be closed at once, and counts it."""
        wait_s = self._failures.get(address, (0, 0.0))[1] - self._clock()
        out = 0 < wait_s <= LONGEST_S  # more only if the clock was set back
        self.kept_out += out
        return out

    def failed(self, address):
        """Note that a connection ended without a valid proof."""
        count = self._failures.pop(address, (0, 0.0))[0] + 1
        wait_s = min(FIRST_S * 2 ** min(count - FREE - 1, 20), LONGEST_S) if count > FREE else 0.0
        self._failures[address] = (count, self._clock() + wait_s)
        if len(self._failures) > ADDRESSES:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, address):
        """Note that a client at this address has authenticated. The address's failures are forgotten."""
        self._failures.pop(address, None)
