"""The thread that waits for the disk, so that the event loop does not wait.

A disk thread has these methods:

- `start(function, done)`: have function() called after those of earlier starts, and then done(result, error) in the
  event loop that runs now, if it still runs then;
- `orphaned()`: True if another loop runs than at the last start;
- `join()`: return when every function has been called;
- `close()`: as `join`, and then end the thread. What is started afterwards is not called: done(None, RuntimeError).
"""

import queue
import threading
from asyncio import _get_running_loop  # None if there is none: most calls come from `look`, once for a line


class DiskThread:
    """A daemon thread. It does not keep the process alive. An unclosed store is then as after a crash."""

    def __init__(self):
        self._jobs = queue.SimpleQueue()
        self._loop = None
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="pb_link store", daemon=True)
        self._thread.start()

    def start(self, function, done):
        self._loop = _get_running_loop()
        if not self._ended:
            self._jobs.put((function, self._loop, done))
        elif self._loop is not None:  # such as of calls that have waited for one that was under way at the end
            _tell(self._loop, done, None, RuntimeError("the store is closed"))

    def orphaned(self):
        return self._loop is not _get_running_loop()

    def join(self):
        reached = threading.Event()
        self._jobs.put((reached.set, None, None))
        reached.wait()

    def close(self):
        self._ended = True
        self._jobs.put(None)
        self._thread.join()

    def _work(self):
        while (job := self._jobs.get()) is not None:
            function, loop, done = job
            result = error = None
            try:
                result = function()
            except BaseException as fault:  # for `done`; a cancellation must not end the thread unseen either
                error = fault if isinstance(fault, Exception) else RuntimeError(repr(fault))
            if loop is not None:
                _tell(loop, done, result, error)


def _tell(loop, done, result, error):
    try:
        loop.call_soon_threadsafe(done, result, error)
    except RuntimeError:
        pass  # the loop has been closed: a caller that still needs the result joins
