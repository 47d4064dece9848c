"""Requests on a channel of a client: those of the application, and those of the client.

A channel of requests has one end that asks, and one that answers. One task for each channel looks at what is in the
store, in order. It gives answers to the calls that wait for them, and starts the handler for each request:

    new        the handler has not begun. It begins when the store has the mark
    BEGUN      it runs here, or it ran in a process that has ended: then the client gets a failure, and it never runs
    removed    when the answer is put: a crash in between puts a failure too, which the client throws away

docs/requests.md has the contract.
"""

import asyncio
import os

from primitives.timeout import Timeout
from primitives.waiting import wait_for_ms
from protocol.channel_records import ANSWER, CALL, FAILURE, FIELD, REQUEST
from protocol.errors import LinkDown, LocalProtocolError, RequestFailed, RequestTimeout, StoreError
from protocol.request_reasons import RESTARTED, reason_of
from protocol.requests import check_timeout, failure_of, ident, result_of
from server.core.cancellation import cancellations
from server.core.clock import utc_ms
from server.core.message import BEGUN, Message
from server.core.outgoing import Put, bytes_of

# Of one channel: so many calls of `ask` wait for their answers, and others for one of them to end.
MAX_REQUESTS = 64
# Of one channel: so many handlers run, or wait for room for their answers. A channel that is not read stops no other.
MAX_HANDLERS = 4
# So many answers that were handed out are removed from the store at once.
_MAX_GONE = 32
# Store and clock are looked at again after this, if nothing has told of a change.
LOOK_MS = 250

_RESTARTED = b"the server was restarted, or its store failed, while the handler ran"


def refusal(message, why):
    """Returns the Message that answers a request for which there is no handler; None for what is no request."""
    if message.kind & CALL != REQUEST:
        return None
    return _answer(message, FAILURE, ("channel %d %s" % (message.channel, why)).encode())


def _answer(request, kind, data):
    return Message(request.channel, kind, 0, request.data[:FIELD] + data)


class Requests:
    """The requests of one channel. Args: client: ClientChannels; channel: the Channel (channels.py)."""

    def __init__(self, client, channel):
        self._client = client
        self._use = client.use
        self._channel = channel
        # No other process may have asked with the same ids: its answers may still come.
        self._number = int.from_bytes(os.urandom(FIELD), "big")
        self._waiting = {}  # id of a request -> None, or its answer: (ANSWER or FAILURE, bytes)
        self._handler = None
        self._reader = None  # whose handler it is: one that has reserved the channel, or None for an application
        self._turns = []  # calls that put something, in order
        self._task = None
        self._forget()

    def _forget(self):
        """Begin with the store's oldest message."""
        self._store = None
        self._at = 0  # number of the next message to be looked at
        self._running = {}  # number in the inbox -> task
        self._gone = []  # numbers of messages that are to be removed

    # Asking

    async def ask(self, data, timeout_ms, wait=True, reader=None):
        """Returns the answer of the client's handler to data, bytes or a str: bytes. Waits for an absent client.

        Args: timeout_ms: the longest wait for the answer; wait: False: raise LinkDown at once if the client is absent,
            or does not use the channel; reader: one that has reserved the channel, or None for an application.

        Several may be asked at once. Cancelling it does not stop the handler; the answer is thrown away.
        Raises: RequestFailed, whose `reason` is one of protocol/request_reasons.py; RequestTimeout; TypeError,
        ValueError: nothing was asked; LinkDown likewise, also if the client is connected to another server that shares
        the store; StoreError: the store has failed, and may or may not have the request, or the client has gone to
        another server, which may deliver it, and gets the answer.
        """
        data = bytes_of(data)
        check_timeout(timeout_ms)
        if self._handler is not None:
            raise ValueError("channel %d answers requests here: ask on another one" % self._channel.number)
        self._client.admit_reader(reader, self._channel.number)
        self._client.check_size(len(data))
        self._client.check_here()
        if not (wait or self._client.status() and self._client.of_session(self._channel.number).ready):
            raise LinkDown("the client is absent, or does not use channel %d" % self._channel.number)
        limit = Timeout(timeout_ms)
        self._number += 1
        name = ident(self._number)
        request = Message(self._channel.number, REQUEST, utc_ms() + timeout_ms, name + data)
        self._work()
        try:
            while len(self._waiting) >= MAX_REQUESTS:
                await self._use.changed.wait(limit)
            self._waiting[name] = None
            answer = await self._answer_to(name, request, limit)
            try:
                return result_of(answer, self._channel.number)
            except RequestFailed as failed:
                failed.reason = reason_of(answer[1], self._channel.number)
                raise
        except asyncio.TimeoutError:
            raise RequestTimeout("no answer on channel %d within %d ms" % (self._channel.number, timeout_ms))
        finally:
            self._waiting.pop(name, None)
            self._use.changed.pulse()  # for those that wait for a place

    async def _answer_to(self, name, request, limit):
        put = await self._put(request, limit)
        epoch = None  # of the life of the client that has accepted the request
        while self._waiting[name] is None:
            if epoch is None:
                if put.channel.acknowledged >= put.count:
                    epoch = self._client.peer_epoch
            elif epoch != self._client.peer_epoch and not self._unread():
                failed = RequestFailed("channel %d: the client was restarted, perhaps while its handler ran"
                                       % self._channel.number)  # fmt: skip
                failed.reason = RESTARTED
                raise failed
            if self._client.is_elsewhere():
                raise StoreError("the client has gone to another server, which has the request, and gets the answer")
            await self._use.changed.wait(limit)
        return self._waiting[name]

    def _unread(self):
        """True if there may be an answer that was not looked at."""
        if self._client.of_session(self._channel.number).received:
            return True
        try:
            return self._use.store.unread(self._use.client_id, self._channel.number)[0] > len(self._gone)
        except StoreError:
            return True

    async def _put(self, message, limit=None, store=None, answers=None):
        """Put a message into the store, when it is its turn and there is room. Returns the Put.

        limit: a Timeout; store: the one that has the request which the message answers, with the number `answers`.
        Raises: asyncio.TimeoutError, StoreError, also if it is another store by then."""
        use, turn = self._use, object()
        self._turns.append(turn)
        try:
            await self._available(limit, answers)
            while self._turns[0] is not turn or not self._channel.has_room(message):
                if limit is not None and limit.expired():
                    raise asyncio.TimeoutError
                await use.changed.wait(Timeout(LOOK_MS if limit is None else min(LOOK_MS, limit.left())))
                await self._available(limit, answers)
            if store is not None and use.store is not store:
                raise StoreError("the request is in another store")
            put = Put(message, False, answers)
            await self._channel.store(put, limit)
            return put
        finally:
            self._turns.remove(turn)
            use.changed.pulse()

    def _available(self, limit, answers):
        """Coroutine: return when the client's state is loaded, for which a server must run. Args: as of `_put`.
        Raises: asyncio.TimeoutError, StoreError, LinkDown."""
        loaded = self._client.available() if answers is None else self._use.loaded()
        return loaded if limit is None else wait_for_ms(loaded, limit.left())

    # Answering

    def serve(self, handler, reader=None):
        """Answer the client's requests by handler(data), with data bytes.

        handler: a function or async function. It returns bytes, a str, or None for b"". What it raises reaches the
        caller as RequestFailed. It is begun for each request once, in their order, for at most MAX_HANDLERS at once. It
        replaces the one before of the same reader. reader: one that has reserved the channel, whose handler is called
        as handler(data, until), with the UTC time (ms) at which the caller stops waiting; None: an application.
        Raises: TypeError; ValueError while `ask` waits here, or if another reader answers; LocalProtocolError in a
        process without a listener.
        """
        self._client.need_listener()
        if not callable(handler):
            raise TypeError("a handler of requests must be a function of one argument")
        if self._waiting:
            raise ValueError("channel %d makes requests here: answer on another one" % self._channel.number)
        self._client.admit_reader(reader, self._channel.number)
        if self._handler is not None and self._reader != reader:
            raise ValueError("channel %d is answered by %s" % (self._channel.number, self._reader or "the application"))
        self._handler, self._reader = handler, reader
        self._work()

    def _work(self):
        if self._task is None or self._task.done():
            self._forget()
            self._task = asyncio.create_task(self._dispatch())

    async def _dispatch(self):
        while True:
            try:
                await self._next()
            except StoreError:  # which ends when the client is claimed anew
                await self._use.changed.wait(Timeout(LOOK_MS))
            except LocalProtocolError:  # this process has no listener: the call of `ask` raises it too
                return

    async def _next(self):
        """Look at the next message of the client, or wait for it."""
        use = self._use
        await self._client.come()
        store = use.store
        if store is not self._store:
            self._forget()
            self._store = store
        found = await self._look(store, self._at)
        if self._gone and (found is None or len(self._gone) >= _MAX_GONE):
            gone = self._gone[:]
            await self._client.perform(lambda: store.remove(use.client_id, use.state.owner, gone))
            del self._gone[: len(gone)]
        elif found is None:
            await use.changed.wait()
        elif found[1].kind & CALL != REQUEST:
            self._hand_out(*found)
        elif len(self._running) >= MAX_HANDLERS:
            await use.changed.wait()
        else:
            await self._begin(store, *found)

    async def _look(self, store, number):
        """Returns (number, Message) of the client's first message from this number on, or None. Raises: StoreError."""
        try:
            return await store.look(self._use.client_id, self._use.state.owner, number, self._channel.number)
        except Exception as error:  # a store may raise any exception
            raise StoreError("the store failed: %s" % error)

    def _hand_out(self, number, message):
        """Give an answer to the call that waits for it, if there is one."""
        if message.kind & CALL:
            name = message.data[:FIELD]
            if name in self._waiting:
                self._waiting[name] = (message.kind & CALL, message.data[FIELD:])
                self._use.changed.pulse()
        else:
            self._client.events.tell(
                "channel_mixed", self._use.client_id, channel=self._channel.number, used_for="requests"
            )
        self._gone.append(number)
        self._at = number + 1

    async def _begin(self, store, number, request):
        """Begin what a request needs."""
        use, failure = self._use, None
        if request.kind & BEGUN:
            failure = _RESTARTED
        elif request.time and utc_ms() >= request.time:  # its caller waits no longer
            self._gone.append(number)
            self._at = number + 1
            return
        elif self._handler is None:
            failure = b"there is no handler of requests at the server"
        else:
            await self._client.perform(lambda: store.mark(use.client_id, use.state.owner, number, REQUEST | BEGUN))
        self._at = number + 1
        self._running[number] = asyncio.create_task(self._run(self._running, store, number, request, failure))

    async def _run(self, running, store, number, request, failure):
        try:
            kind, data = (FAILURE, failure) if failure else await self._handled(request)
            await self._settle(store, number, _answer(request, kind, data))
        finally:
            running.pop(number)
            self._use.changed.pulse()

    async def _handled(self, request):
        """Returns (ANSWER or FAILURE, bytes)."""
        try:
            more = () if self._reader is None else (request.time,)
            answer = self._handler(request.data[FIELD:], *more)
            if hasattr(answer, "send"):  # a coroutine
                answer = await answer
            answer = b"" if answer is None else bytes_of(answer)
            self._client.check_size(len(answer))
            return ANSWER, answer
        except asyncio.CancelledError as error:
            if cancellations() != 0:
                raise  # the request stays BEGUN in the store
            text = failure_of(error)  # of something that the handler has waited for
        except Exception as error:  # whichever: it is the caller's
            text = failure_of(error)
        return self._failed(text)

    def _failed(self, text):
        self._client.events.tell(
            "request_failed", self._use.client_id, channel=self._channel.number, error=str(text, "utf-8")
        )
        return FAILURE, text

    async def _settle(self, store, number, answer):
        """Put the answer and remove the request, unless another server has done so, or it is another store."""
        use = self._use
        while True:
            try:
                await use.loaded()
                if use.store is not store:
                    return
                found = await self._look(store, number)
                if found is None or found[0] != number:
                    return
                await self._put(answer, store=store, answers=number)
                return
            except StoreError:
                await use.changed.wait(Timeout(LOOK_MS))
