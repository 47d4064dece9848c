"""Requests of a client: loaded when `request` or `on_request` is called first.

    answer = await self.request(30, b"..", 2000)
    self.on_request(31, handler)

A channel of requests has one end that asks, and one that answers. What comes on it is handed out by whoever waits for
something of it: it is in order, so nothing may be left at its front. docs/requests.md has the contract.
"""

import asyncio

from pb_link import limits
from pb_link.channels import bytes_of, ticks_add
from primitives.platform import sleep_ms, ticks_ms
from primitives.timeout import Timeout
from protocol import const
from protocol.channel_records import ANSWER, EXPIRES, FAILURE, FIELD, FIELDS, LIMIT, REQUEST
from protocol.link_errors import LinkDown
from protocol.requests import (
    RequestFailed,  # noqa: F401 - applications take both errors from here
    RequestTimeout,
    call_of,
    check_timeout,
    failure_of,
    ident,
    ident_of,
    result_of,
)

# So many requests of a channel wait for their answers. Others wait for one of them to end.
MAX_REQUESTS = const(8)

_LEFT = bytes(LIMIT)  # in front of a request: the ms that are left are set when it is sent
# The answer of a handler until it has another one. It is sent if the handler is cancelled.
_INTERRUPTED = (FAILURE, b"the handler was interrupted: the application was started again, or memory ran out")


def refuse(channel, entry, why):
    """Something has come that does not belong there: if it is a request, answer that, if there is room for it.

    Args: channel: the protocol's Channel; entry: as received."""
    if call_of(entry) == REQUEST:
        data = ident_of(entry) + ("channel %d " % channel.number).encode() + why.encode()
        if channel.room_for(len(data)):
            channel.append(data, True, FAILURE)
    else:
        print("pb_link: something that is not for it has come on channel %d, which %s" % (channel.number, why))


class Requests:
    """The requests of one channel. Args: user: its ClientChannel; channel: the protocol's."""

    def __init__(self, link, user, channel):
        self._link = link
        self._user = user
        self._channel = channel
        # No other life of this client may have asked with the same ids: its answers may still come.
        self._number = int.from_bytes(link.nonces.draw(FIELD), "big")
        self._waiting = {}  # id of a request -> None, or its answer: (ANSWER or FAILURE, bytes)
        self._handler = None
        self._task = None  # runs the handler
        self._begun = None  # id of the request that was accepted and is not answered
        self._answer = _INTERRUPTED  # its answer
        self._returned = None  # what an async handler has returned
        self._raised = None  # .. or raised

    async def ask(self, data, timeout_ms, wait=True):
        """Returns the answer of the server's handler to data, bytes or a str: bytes. Waits through outages.

        Args: timeout_ms: the longest wait for the answer; wait: False: raise LinkDown at once if the server cannot be
            reached now.

        Several may be asked at once. Cancelling it does not stop the handler; the answer is thrown away.
        Raises: RequestFailed, RequestTimeout (protocol/requests.py); LinkDown after `close`; TypeError, ValueError:
        nothing was asked; MemoryError: nothing was asked, or the time is up.
        """
        data = bytes_of(data)
        check_timeout(timeout_ms)
        if self._handler is not None:
            raise ValueError("channel %d answers requests here: ask on another one" % self._user.number)
        self._check_size(data)
        link = self._link
        link.raise_if_closed()
        if not (wait or link.up):
            raise LinkDown("the server cannot be reached now")
        limit = Timeout(timeout_ms)
        deadline = ticks_add(ticks_ms(), timeout_ms)
        self._number += 1
        name = ident(self._number)
        data = _LEFT + name + data
        try:
            while len(self._waiting) >= MAX_REQUESTS:
                await link.changed.wait(limit)
                link.raise_if_closed()
            self._waiting[name] = None
            await self._user.place(len(data), True, True, limit)
            self._channel.append(data, True, EXPIRES | REQUEST, deadline)
            link.flag.set()
            data = None  # it is the session's now
            while True:  # it has been asked: that is not to be told by a MemoryError
                try:
                    self._hand_out()
                    if self._waiting[name] is not None:
                        return result_of(self._waiting[name], self._user.number)
                    await link.changed.wait(limit)
                except MemoryError:
                    if limit.expired():
                        raise
                    await sleep_ms(limits.MAX_WAIT_MS)
                link.raise_if_closed()
        except asyncio.TimeoutError:
            raise RequestTimeout("no answer on channel %d within %d ms" % (self._user.number, timeout_ms))
        finally:
            self._waiting.pop(name, None)
            link.changed.pulse()  # for those that wait for a place

    def _check_size(self, data):
        longest = self._link.session.peer_max_line - FIELDS
        if len(data) > longest:
            raise ValueError("%d bytes for channel %d, the longest is %d" % (len(data), self._user.number, longest))

    def _hand_out(self):
        """Give the answers that have come to those that wait for them. The others are late, and thrown away."""
        channel = self._channel
        while True:
            entry = channel.front(ticks_ms())
            if entry is None:
                return
            kind = call_of(entry)
            if kind in (ANSWER, FAILURE):
                name = ident_of(entry)
                if name in self._waiting:
                    self._waiting[name] = (kind, channel.front_data())
            else:
                refuse(channel, entry, "has no handler of requests at the client")
            self._accept()

    def _accept(self):
        self._link.channels.accept(self._channel, ticks_ms())
        self._link.flag.set()

    # Answering

    def serve(self, handler):
        """Answer the server's requests, one at a time, by handler(data), with data bytes.

        handler: a function or async function. It returns bytes, a str, or None for b"". What it raises reaches the
        caller as RequestFailed. It replaces the one before. Raises: TypeError; ValueError while `ask` waits here.

        The task is one of the application's: when `run` starts the application again, call this again.
        """
        if not callable(handler):
            raise TypeError("a handler of requests must be a function of one argument")
        if self._waiting:
            raise ValueError("channel %d makes requests here: answer on another one" % self._user.number)
        if self._task is None or self._task.done():
            self._task = self._link.create_task(self._serve())
        self._handler = handler

    async def _serve(self):
        try:
            while True:
                try:
                    await self._serve_one()
                except MemoryError:
                    await sleep_ms(limits.MAX_WAIT_MS)
                self._link.raise_if_closed()
        finally:
            try:
                if self._begun is not None and self._channel.room_for(FIELD + len(self._answer[1])):
                    self._append_answer()
            except MemoryError:
                pass  # the next task does it

    async def _serve_one(self):
        """Answer one request, or wait for what may be one."""
        if self._begun is None:
            data = self._next()
            if data is None:
                await self._link.changed.wait()
                return
            self._answer = await self._handled(data)
        await self._user.place(FIELD + len(self._answer[1]), True, False)
        self._append_answer()

    def _append_answer(self):
        kind, data = self._answer
        data = self._begun + data
        self._channel.append(data, True, kind)
        self._begun = None
        self._link.flag.set()

    def _next(self):
        """Accept the next request. Returns its bytes, or None: none has come."""
        channel = self._channel
        while True:
            entry = channel.front(ticks_ms())
            if entry is None:
                return None
            kind = call_of(entry)
            if kind == REQUEST:
                data = channel.front_data()
                name = ident_of(entry)
                # All that may fail comes before it is accepted. From here on it is this one that is to be answered.
                self._answer = _INTERRUPTED
                self._begun = name
                self._accept()
                return data
            if not kind:
                refuse(channel, entry, "has requests at the client")
            self._accept()  # else an answer to an earlier life of this client

    async def _handled(self, data):
        """Returns (ANSWER or FAILURE, bytes). Raises: MemoryError; what ends the task."""
        try:
            answer = self._handler(data)
            if hasattr(answer, "send"):  # a coroutine
                answer = await self._result(answer)
            answer = b"" if answer is None else bytes_of(answer)
            self._check_size(answer)
            return ANSWER, answer
        except Exception as error:  # whichever: it is the caller's
            return FAILURE, failure_of(error)

    async def _result(self, coroutine):
        """Returns what the coroutine of a handler returns. It runs in a task of its own: a handler that waits for what
        is cancelled does not end this one, and this one, if it is cancelled, ends the handler. Raises: what it raises;
        RuntimeError for a cancellation that is not this task's."""
        changed = self._link.changed
        self._returned = self._raised = None
        task = asyncio.create_task(self._run(coroutine))
        stopped = None
        while not task.done():
            try:
                await changed.wait()
            except MemoryError:
                await sleep_ms(limits.MAX_WAIT_MS)
            except asyncio.CancelledError as error:
                stopped = error
                task.cancel()  # `run` waits for its end, within its own limit
        if stopped is not None:
            raise stopped
        returned, raised, self._returned, self._raised = self._returned, self._raised, None, None
        if isinstance(raised, asyncio.CancelledError):
            raise RuntimeError("the handler has waited for what was cancelled")
        if raised is not None:
            raise raised
        return returned

    async def _run(self, coroutine):
        try:
            self._returned = await coroutine
        except BaseException as error:  # for `_result`
            self._raised = error
        self._link.changed.pulse()
