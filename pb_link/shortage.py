"""What the link does when memory runs out: collect garbage, drop the connection, and go on with another one.

    a failed allocation            the next connection resumes at the line that was not taken
    _RETRIES of them, and no       the next one announces half of the longest line: the server holds
    line taken in between          one that is longer, says so there, and takes lines as before
    _RESTORE_MS later              if there is room, a new connection announces the full length again
"""

import gc

from primitives.timeout import Timeout
from protocol import const
from protocol.limits import MIN_LINE

# So many allocations fail at one line before a shorter one is announced.
_RETRIES = const(3)
# Then it is tried this often whether there is room again.
_RESTORE_MS = const(30000)


class Shortage:
    """The state of the shortage. Args: max_line: bytes of the longest line, when there is memory."""

    def __init__(self, max_line):
        self.max_line = max_line  # to be announced
        self.count = 0  # failed allocations
        self._full = max_line
        self._next = 0  # number of the next line, when it failed last
        # Since a line was taken, however long ago: on a slow link the same one may take long to come again. Failures
        # that have nothing to do with each other only make a client announce less for _RESTORE_MS.
        self._failures = 0
        self._restore = Timeout(_RESTORE_MS)

    def met(self, next_number):
        """An allocation has failed, with this line still to come. Allocates nothing that it cannot do without."""
        gc.collect()
        self.count += 1
        if next_number != self._next:
            self._next = next_number
            self._failures = 0
        self._failures += 1
        if self._failures >= _RETRIES:
            self._failures = 0
            self._restore.restart()
            self.max_line = max(MIN_LINE, self.max_line // 2)
        if self._failures <= 1:
            self._say()

    def _say(self):
        try:
            print("pb_link: out of memory, takes lines of up to %d bytes" % self.max_line)
        except MemoryError:
            print("pb_link: out of memory")

    def over(self):
        """True if less is announced than what there is room for, by now: a new connection would announce all of it."""
        if self.max_line == self._full or not self._restore.expired():
            return False
        self._restore.restart()
        try:
            bytearray(2 * self._full)  # the bytes of a line, and its text
        except MemoryError:
            return False
        self.max_line = self._full
        self._failures = 0
        return True
