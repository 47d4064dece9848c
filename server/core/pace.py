"""Slows down a client that repeatedly connects without transferring a line, whatever the cause.

A connection is fruitless if it ended within GOOD_MS and no line was received or acknowledged on it. After FREE of them
in a row, the server delays the client's RESUME. A healthy client that reconnects after an outage is not affected.
"""

from primitives.timeout import Timeout
from server.core.clock import monotonic_ms

FREE = 5  # fruitless connections in a row without a pause
FIRST_MS = 500  # the pause after them; it doubles with each further one
LAST_MS = 4000  # the longest pause: well below what the client allows for the handshake
GOOD_MS = 5000


class Pace:
    def __init__(self, clock=monotonic_ms):
        self._clock = clock
        self.fruitless = 0  # connections in a row
        self._began = 0  # the present connection, by the clock
        self._pause = Timeout(0)
        self._moved = True  # a line, on the present connection

    def begin(self, may_wait=True):
        """Note that a connection begins. may_wait: True if its client does not give up before LAST_MS."""
        beyond = self.fruitless - FREE if may_wait else -1
        self._pause = Timeout(min(FIRST_MS << min(beyond, 8), LAST_MS) if beyond >= 0 else 0)
        self._began = self._clock()
        self._moved = False

    def left_ms(self):
        """Returns how many milliseconds the client still has to wait for its RESUME."""
        return self._pause.left()

    def moved(self):
        """Note that a line was received or acknowledged.

        Returns the number of fruitless connections before, if it has just ended a row of more than FREE, else 0.
        """
        self._moved = True
        row, self.fruitless = self.fruitless, 0
        return row if row > FREE else 0

    def end(self):
        """Note that the connection has ended. Returns what `moved` does."""
        if self._moved or 0 <= self._clock() - self._began < GOOD_MS:
            self.fruitless += not self._moved
            return 0
        return self.moved()

    @property
    def worth_a_line(self):
        """True if this connection is to be logged: the first ones of a row are, and then ever fewer."""
        return self.fruitless <= FREE or not self.fruitless & (self.fruitless - 1)
