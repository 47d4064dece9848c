"""Calls of one kind that are made together: those that come while one is under way are the next one."""

import asyncio

MOST = 500  # of one work: after an outage all clients come at once, each with all that it has


class Gathered:
    """Args: work: function (list of keys, done). It begins the work for these keys, and has done(results, error) called
    in the loop when it has ended; results: {key: anything, an exception among that is raised}.

    most: keys of one work. One event loop at a time may use it, and another one when that has ended."""

    def __init__(self, work, most=MOST):
        self._work = work
        self._most = most
        self._loop = None
        self._waiting = {}  # key -> Future, of the next work
        self._busy = {}  # likewise, of the one that is under way

    async def call(self, key, forsaken=None):
        """Returns (the result for this key, whether this call is the first that asked for it).

        A call for a key that waits already waits with it. Cancelling a call does not end the work: forsaken(result) is
        called with the result that it has not got."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # the former one has ended, and nobody waits
            self._loop, self._waiting, self._busy = loop, {}, {}
        future = self._waiting.get(key)
        first = future is None
        if first:
            future = self._waiting[key] = loop.create_future()
            self._begin()
        try:
            return await asyncio.shield(future), first
        except asyncio.CancelledError:
            if forsaken is not None:
                future.add_done_callback(lambda done: done.cancelled() or done.exception() or forsaken(done.result()))
            raise

    def _begin(self):
        if self._waiting and not self._busy:
            first = list(self._waiting)[: self._most]
            busy = self._busy = {key: self._waiting.pop(key) for key in first}
            self._work(list(busy), lambda results, error: self._done(busy, results, error))

    def _done(self, busy, results, error):
        for key, future in busy.items():
            result = error or results[key]
            if isinstance(result, Exception):
                future.set_exception(type(result)(str(result)))
                future.exception()  # it is no news if all who waited are gone
            else:
                future.set_result(result)
        if busy is self._busy:
            self._busy = {}
            self._begin()
