"""A limit on the time of calls that come one after the other: asyncio.timeout for whoever makes many.

A timer for each call costs more than the rest of its way through SharedBus (25 us of 90). So there is one for all: it
is left alone when a call has ended, and looks what is under way when it fires.
"""

import asyncio


class TimeLimit:
    """Of one call at a time. `with limit.until(when_s):` raises TimeoutError in place of what is under way at this
    time of the loop's clock."""

    def __init__(self):
        self._task = None  # whose call is under way
        self._until_s = 0.0
        self._timer = None
        self._cancelling = 0
        self._over = False

    @property
    def busy(self):
        """Whether a call is under way."""
        return self._task is not None

    def until(self, when_s):
        """Returns the context manager of the next call, which is this object."""
        self._until_s = when_s
        return self

    def __enter__(self):
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling()
        self._over = False
        if self._timer is not None and self._timer.when() > self._until_s:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._set()

    def __exit__(self, kind, error, traceback):
        task, self._task = self._task, None
        if self._over and task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def close(self):
        """There is no next call."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self):
        self._timer = asyncio.get_running_loop().call_at(self._until_s, self._look)

    def _look(self):
        self._timer = None
        if self._task is None:
            return
        if asyncio.get_running_loop().time() < self._until_s:
            self._set()
            return
        self._over = True
        self._task.cancel()
