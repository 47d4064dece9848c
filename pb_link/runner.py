"""`AppBase.run`: runs the link for ever, and the application, however often that fails.

    the ESP8266, Wi-Fi or the server is absent    it is said once; the link waits for it without end
    client and ESP8266 are synchronised           start() is called
    the application raises something              shown with its traceback; the tasks of create_task are cancelled, and
                                                  after a pause start() is called again. Link and session stay
    so often that a restart does not help,        a board is reset; elsewhere the next pause is _PAUSE_LAST_MS
    a task that does not end when it is           a board is reset; elsewhere it comes out of `run`
    cancelled, or a fault of the link itself
    the application calls close()                 `run` returns

Every _LOOK_MS the watchdog is fed, if the link has shown its beat to the ESP8266 or is resetting it. docs/client.md
has it from the user's side. Only who calls `run` has this module in memory.
"""

import gc
from asyncio import CancelledError, create_task

from primitives.platform import sleep_ms
from primitives.timeout import Timeout
from protocol import const
from protocol.link_errors import LinkDown

try:
    from machine import reset
except ImportError:  # no board
    reset = None
try:
    from sys import print_exception
except ImportError:  # CPython
    from traceback import print_exception

# The watchdog is fed, and the tasks are looked after, this often.
_LOOK_MS = const(250)
# A beat is due every 500 ms, at a step of the link's loop: three of them are missing.
_LINK_SILENT_MS = const(2000)
# From a failure to the next start(): doubled after each, until the application has run for _HEALTHY_MS.
_PAUSE_FIRST_MS = const(1000)
_PAUSE_LAST_MS = const(60000)
_HEALTHY_MS = const(60000)
# After so many failures in a row, 15 s of pauses, a board is reset: memory in pieces, or a device that is stuck.
_FAILURES = const(5)
# Time for the `finally` clauses of tasks that are cancelled.
_STOP_MS = const(5000)
# Time to read why, and to interrupt it.
_RESET_PAUSE_MS = const(5000)


class Runner:
    """What the link has for its application.

    Args: app: AppBase; link: its Link; watchdog: object with feed(), or None. Raises: TypeError.
    """

    def __init__(self, app, link, watchdog):
        if watchdog is not None and not hasattr(watchdog, "feed"):
            raise TypeError("watchdog has no feed()")
        self._app = app
        self._link = link
        self._watchdog = watchdog
        self._running = None  # the link's task
        self._tasks = []  # (the application's coroutine, its task)
        self._started = False  # client and ESP8266 are synchronised
        self._failed = False

    def start(self):
        self._started = True

    def __getattr__(self, name):
        """The hook of this name: that of the application, but what it raises does not end the link."""
        hook = getattr(self._app, name)

        def call(*news):  # all that takes memory, before the notifier ticks it off
            try:
                return self._call(name, hook(*news))
            except MemoryError:
                raise
            except Exception as error:  # the hook is a function
                return self._call(name, None, error)

        return call

    async def _call(self, name, coroutine, error=None):
        try:
            if coroutine is None:
                raise error or TypeError("%s() must be async def" % name)
            await coroutine
        except (LinkDown, MemoryError):
            raise  # the notifier knows what to do
        except Exception as error:
            # Of these two hooks, a text is what AppBase raises, and a number some other error.
            text = isinstance(error, OSError) and error.args and isinstance(error.args[0], str)
            if text and name in ("bad_wifi", "bad_server"):
                # Up to the reason, which the link has printed.
                print("pb_link: %s: the link keeps trying" % error.args[0].split(":")[0])
            else:
                self._caught(error)

    def create_task(self, coroutine):
        """As AppBase.create_task. Raises: TypeError."""
        if not hasattr(coroutine, "send"):
            raise TypeError("create_task takes a coroutine: call the function")
        tasks = self._tasks
        for entry in list(tasks):
            if entry[1].done():
                tasks.remove(entry)
        task = create_task(self._guard(coroutine))
        try:
            tasks.append((coroutine, task))
        except MemoryError:  # it could not be cancelled later
            task.cancel()
            raise
        return task

    async def _guard(self, coroutine):
        try:
            return await coroutine
        except Exception as error:
            self._caught(error)
            raise CancelledError

    def _caught(self, error):
        """The application has raised this."""
        if self._link.closed and isinstance(error, LinkDown):
            return  # of a call that waited for the link
        self._failed = True
        gc.collect()
        print("pb_link: the application has failed")
        print_exception(error)

    async def run(self):
        link = self._link
        link.raise_if_closed()
        link.serve(self)
        self._running = create_task(link.run())
        try:
            try:
                await self._serve()
            except LinkDown:  # it has ended: by `close`, or by what comes out of it now
                await self._stop()
                await self._running
        except Exception as error:
            if not reset:
                raise
            print_exception(error)
            print("pb_link: the board is reset in 5 s")  # this must not need memory
            await sleep_ms(_RESET_PAUSE_MS)
            reset()
        finally:
            link.close()
            for _, task in self._tasks:
                task.cancel()
            if not self._running.done():
                await self._running  # it ends at its next step

    def _look(self):
        """To be called every _LOOK_MS. Allocates nothing. Raises: LinkDown when the link has ended."""
        if self._running.done():
            raise LinkDown
        self._feed()

    def _feed(self):
        if self._watchdog is not None and (self._link.resetting or self._link.beat.elapsed() < _LINK_SILENT_MS):
            self._watchdog.feed()

    async def _serve(self):
        """Start the application whenever it has failed. Raises: RuntimeError if that does not help."""
        while not self._started:
            await sleep_ms(_LOOK_MS)
            self._look()
        failures = pause_ms = 0
        while True:
            self._failed = False
            healthy = Timeout(_HEALTHY_MS)
            try:
                started = self._app.start()
                if hasattr(started, "send"):  # a coroutine
                    self.create_task(started)
            except Exception as error:
                self._caught(error)
            while not self._failed:
                await sleep_ms(_LOOK_MS)
                self._look()
                if healthy.expired():
                    failures = pause_ms = 0
            failures += 1
            pause_ms = min(2 * pause_ms or _PAUSE_FIRST_MS, _PAUSE_LAST_MS)
            pause = Timeout(pause_ms)
            await self._stop()
            if reset and failures >= _FAILURES:
                raise RuntimeError("the application has failed %d times" % failures)
            print("pb_link: the application is started again in %d s" % (pause_ms // 1000))
            while not pause.expired():
                await sleep_ms(_LOOK_MS)
                self._look()

    async def _stop(self):
        """End the application's tasks. Raises: RuntimeError if one goes on."""
        limit = Timeout(_STOP_MS)
        while self._tasks:
            tasks, self._tasks = self._tasks, []
            for _, task in tasks:
                task.cancel()
            for coroutine, task in tasks:
                while not task.done():
                    if limit.expired():
                        raise RuntimeError("a task of the application goes on after it was cancelled")
                    await sleep_ms(_LOOK_MS)
                    self._feed()
                coroutine.close()  # if it has not begun
