"""Calls the application's hooks: one task, one hook at a time, and never more to tell than

    each initial failure, once              bad_wifi(), bad_server()
    whether the server is up, if that is    server_ok(up)
    not what was told last
    each session that was set up, or all        resumed(kept)
    of them since the last call at once
    the newest report                       report(data)

So a hook that waits, even for the link itself, delays the others and costs no memory.

When memory is short the news stay until a hook can be called. A hook that runs out of memory itself has had them.
"""

import gc

from pb_link import limits
from primitives.platform import sleep_ms
from protocol.control import BAD_WIFI
from protocol.link_errors import LinkDown


class Notifier:
    """The one who calls the hooks.

    Args:
    app: object with the four coroutines, and perhaps resumed.
    tasks: primitives.supervisor.Supervisor; what a hook raises becomes its fault.
    """

    def __init__(self, app, tasks):
        self.app = app
        self._tasks = tasks
        self.stuck = False  # there was no memory for the task: `go_on` is to be called again
        self._telling = False  # the task runs
        self._closed = False
        self._was_up = False
        self._noted = ()  # kinds of initial failure that there have been
        self._failures = ()  # those of them that are to be told
        self._up = False
        self._told_up = False
        self._kept = None  # what is to be told of the sessions that were set up; None: nothing
        self._report = None

    def failed(self, kind):
        """Note an initial failure, control.BAD_WIFI or BAD_SERVER. After the first connection there is none."""
        if not self._was_up and kind not in self._noted:
            noted = self._noted + (kind,)
            self._failures += (kind,)
            self._noted = noted  # now that nothing can fail any more
            self.go_on()

    def server_ok(self, up, kept):
        """The server has become reachable, or unreachable. kept: see AppBase.resumed; False outlasts True."""
        self._up = up
        if up:
            if self._kept is not False:
                self._kept = kept
            self._was_up = True
            self._failures = ()
        self.go_on()

    def report(self, data):
        self._report = data
        self.go_on()

    def close(self):
        """Call no hook any more. One that runs is not interrupted: it may be what closes the link."""
        self._closed = True

    def go_on(self):
        """Tell what there is to tell, or be `stuck`."""
        if not self._telling and not self._closed:
            self.stuck = True
            try:
                self._tasks.start(self._tell())
            except MemoryError:
                return
            self.stuck = False
            self._telling = True

    async def _tell(self):
        try:
            while not self._closed:
                try:
                    if not await self._tell_next():
                        break
                except MemoryError:
                    gc.collect()
                    print("pb_link: out of memory in a hook")
                    await sleep_ms(limits.MAX_WAIT_MS)
        except LinkDown:  # the hook waited for a line when the link was closed: no fault of its own
            if not self._closed:
                raise
        finally:
            self._telling = False

    async def _tell_next(self):
        """Call the hook whose turn it is. Returns False if there is nothing to tell."""
        if self._failures:
            call = self.app.bad_wifi() if self._failures[0] == BAD_WIFI else self.app.bad_server()
            self._failures = self._failures[1:]  # now that the call is made, which takes memory
            await call
        elif self._up != self._told_up:
            call = self.app.server_ok(self._up)
            self._told_up = self._up
            await call
        elif self._kept is not None and hasattr(self.app, "resumed"):
            call = self.app.resumed(self._kept)
            self._kept = None
            await call
        elif self._report:
            call = self.app.report(self._report)
            self._report = None
            await call
        else:
            return False
        return True
