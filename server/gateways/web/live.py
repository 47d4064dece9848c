"""Server-sent events (HTML Living Standard, section 9.2): a view as a snapshot, and its changes at TICK_S.

A viewer has no queue: while it takes nothing, nothing is made for it. One that takes nothing for SEND_S is cut. All
have the same ticks, so what is new is found once for all of them, and viewers of the same page get the same bytes.
What a tick needs is done in many passes of the loop, so that thousands of clients do not hold up the link. A snapshot
is made at once.
"""

import asyncio

from server.gateways.web.routes import Failure, as_json
from server.gateways.web.utc import utc_s

MAX_VIEWERS = 32
TICK_S = 0.4
QUIET_S = 15.0  # then a comment, so that no proxy takes the stream for dead
SEND_S = 20.0
_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold it back
)


class Live:
    """All streams. `viewers`: how many there are; `close` ends them.

    Args: refresh: generator function that brings what the views show up to date, a little at each step. It is run
    before each tick."""

    def __init__(self, refresh=lambda: ()):
        self.viewers = 0
        self._refresh = refresh
        self._closed = False
        self._tick = asyncio.Event()  # the next one
        self._ticking = None  # the task that ends with it, while somebody waits
        self._fault = None  # of the last refresh
        self._turn = asyncio.Lock()  # of one stream after the other
        self._encoded = {}  # id of a change -> (change, its event as bytes), of the last tick

    def stream(self, view, admits):
        """Returns the ASGI response that streams this view. admits: function () that is False once the viewer may
        look no more: its session has ended. Raises: Failure: there are too many."""
        if self.viewers >= MAX_VIEWERS:
            raise Failure(503, f"{MAX_VIEWERS} pages look on already: close one", {"Retry-After": "10"})
        return _Stream(self, view, admits)

    def close(self):
        """End all streams."""
        self._closed = True
        self._tick.set()
        if self._ticking is not None:
            self._ticking.cancel()

    async def pause(self):
        """Wait for the next tick. Returns False if the streams are to end. Raises: what the refresh has raised."""
        if self._ticking is None and not self._closed:
            self._ticking = asyncio.create_task(self._until_tick())
            self._ticking.add_done_callback(self._begin_tick)
        await self._tick.wait()
        async with self._turn:
            await asyncio.sleep(0)
        if self._fault is not None:
            raise self._fault
        return not self._closed

    async def _until_tick(self):
        await asyncio.sleep(TICK_S)
        async with self._turn:  # after the streams of the tick before
            for _ in self._refresh():
                await asyncio.sleep(0)

    def _begin_tick(self, task):
        self._ticking = None
        self._fault = None if task.cancelled() else task.exception()
        self._encoded = {}
        self._tick.set()
        if not self._closed:
            self._tick = asyncio.Event()

    def event_of(self, change):
        """Returns the event (bytes) of a change. It is made once for those whose views return the same object."""
        found = self._encoded.get(id(change))
        if found is None:
            found = self._encoded[id(change)] = change, _event("change", change)
        return found[1]


class _Stream:
    def __init__(self, live, view, admits):
        self._live = live
        self._view = view
        self._admits = admits

    async def __call__(self, scope, receive, send):
        self._live.viewers += 1
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            scope["state"]["lasts"]()
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        except TimeoutError:
            scope["state"]["abort"]()
        finally:
            self._live.viewers -= 1
            self._view.close()
            sending.cancel()
            leaving.cancel()

    async def _send(self, send):
        async def write(data, more=True):
            async with asyncio.timeout(SEND_S):
                await send({"type": "http.response.body", "body": data, "more_body": more})

        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        await write(_event("snapshot", {**self._view.snapshot(), "now": round(utc_s(), 3)}))
        clock = asyncio.get_running_loop().time
        sent = clock()
        while await self._live.pause():
            if not self._admits():
                await write(_event("end", {}))
                break
            change = self._view.change()
            if change is not None:
                await write(self._live.event_of(change))
                sent = clock()
            elif clock() - sent >= QUIET_S:
                await write(b":\n\n")
                sent = clock()
        await write(b"", False)


async def _left(receive):
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(name, data):
    # There are no line ends in it, so it is one field of one event.
    return b"event: %s\ndata: %s\n\n" % (name.encode(), as_json(data))
