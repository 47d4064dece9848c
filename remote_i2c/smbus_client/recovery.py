"""What to do when a call has failed: pure, with time as an argument.

- The server says what failed on the bus: that is the program's.
- The server does not know the session, since it was started again or the session has expired: nothing was done. Open
  the bus again and repeat the call, whatever it is.
- The connection failed: nobody knows whether the call was made. A call that may be made twice is repeated until
  `retry_s` is over. Any other raises ECONNABORTED, or ETIMEDOUT; the next one opens the bus again.
"""

from errno import ECONNABORTED, ESTALE

from remote_i2c.rpc.status import error_of, of_the_bus

# How long a call that may be repeated is repeated, and how long one call waits for its answer: the server's own limit
# is 7 s, MAX_WAIT_MS and MAX_HOLD_MS of ../shared.py.
RETRY_S = 10.0
TIMEOUT_S = 10.0
# Times that one call opens the bus again.
MAX_OPENS = 3
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0


class Recovery:
    """Of one call. Args: repeatable: it may be made twice; now_s; retry_s, timeout_s: see above."""

    def __init__(self, repeatable, now_s, retry_s, timeout_s):
        self._repeatable = repeatable
        self._until_s = now_s + retry_s
        self._timeout_s = timeout_s
        self._pause_s = FIRST_PAUSE_S
        self._opens = 0
        self._failures = 0

    def limit_s(self, now_s):
        """Returns how long the next attempt may take."""
        if self._failures == 0:
            return self._timeout_s
        return max(FIRST_PAUSE_S, min(self._timeout_s, self._until_s - now_s))

    def after(self, rpc_error, now_s):
        """Returns how many seconds to wait before the bus is opened again and the call repeated. Raises: BusError: it
        is not to be repeated."""
        error = error_of(rpc_error)
        if error.errno == ESTALE and of_the_bus(rpc_error):
            self._opens += 1
            if self._opens <= MAX_OPENS:
                return 0.0
        elif error.errno == ECONNABORTED and self._repeatable and now_s + self._pause_s < self._until_s:
            self._failures += 1
            pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
            return pause_s
        raise error
