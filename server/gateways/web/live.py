"""Server-sent events (HTML Living Standard, section 9.2): a view as a snapshot, and its changes at TICK_S.

A viewer has no queue: while it takes nothing, nothing is made for it. One that takes nothing for SEND_S is cut.
"""

import asyncio
import contextlib

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
    """All streams. `viewers`: how many there are; `close` ends them."""

    def __init__(self):
        self.viewers = 0
        self._closing = asyncio.Event()

    def stream(self, view, admits):
        """Returns the ASGI response that streams this view. admits: function () that is False once the viewer may
        look no more: its session has ended. Raises: Failure: there are too many."""
        if self.viewers >= MAX_VIEWERS:
            raise Failure(503, f"{MAX_VIEWERS} pages look on already: close one", {"Retry-After": "10"})
        return _Stream(self, view, admits)

    def close(self):
        """End all streams."""
        self._closing.set()

    async def pause(self):
        """Wait for the next tick. Returns False if the streams are to end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_S):
                await self._closing.wait()
        return not self._closing.is_set()


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
        quiet_s = 0.0
        while await self._live.pause():
            if not self._admits():
                await write(_event("end", {}))
                break
            change = self._view.change()
            quiet_s = quiet_s + TICK_S if change is None else 0.0
            if change is not None:
                await write(_event("change", change))
            elif quiet_s >= QUIET_S:
                quiet_s = 0.0
                await write(b":\n\n")
        await write(b"", False)


async def _left(receive):
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(name, data):
    # There are no line ends in it, so it is one field of one event.
    return b"event: %s\ndata: %s\n\n" % (name.encode(), as_json(data))
