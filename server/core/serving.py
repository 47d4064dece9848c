"""`Serving`: an application's handler as one coroutine for each client that comes. No failure of it goes unseen."""

import asyncio

from primitives.platform import sleep_ms
from primitives.task_flag import TaskFlag
from primitives.timeout import Timeout
from primitives.waiting import wait_for_ms
from protocol.errors import LocalProtocolError
from server.core.cancellation import cancellations, take_back
from server.core.events import text_of
from server.core.failures import traceback_text, where
from server.core.store import TakenOver

FIRST_MS = 1000  # the pause after a failure; it doubles with each further one in a row
LAST_MS = 60000  # the longest pause
STEADY_MS = 60000  # a call that failed after this time begins a new row
LOOK_MS = 1000  # between two looks at whether a client has connected to another process
END_MS = 5000  # for the handlers to end when they are cancelled
_PASSED_ON = (SystemExit, KeyboardInterrupt, GeneratorExit)  # these end the program, or the loop that runs the task


class Serving:
    """One run of `serve`. Args: handler: coroutine function (Connection); registry: Registry.

    A client's first connection starts its coroutine, which calls the handler. The call lasts through outages. When it
    returns, the handler is called again once the client has connected since the call began. When it raises, the event
    "handler_failed" is told, and it is called again after a pause. Other clients are not affected.

    Clients whose lines are reserved for another reader, such as a gateway, are left to that one.

    Of a store that several processes share, the processes that serve share all clients: each handler is called in one
    of them, wherever the client is connected, and is cancelled when another process is to have the client.
    """

    def __init__(self, handler, registry):
        if not callable(handler) or isinstance(handler, type):
            raise TypeError("handler must be a coroutine function: async def handler(conn)")
        self._handler = handler
        self._registry = registry
        self._flags = {}  # id -> TaskFlag: the client has connected
        self._new = []  # ids of clients without a task
        self._came = TaskFlag()
        self._tasks = {}  # id -> task
        self._seen = {}  # id -> connections of the client when its handler was called last
        self._sharing = None  # Sharing, of a store that several processes share
        self._ended = False

    async def run(self):
        """Serve until cancelled. Then cancel the handlers, and return when they have ended, END_MS later at most."""
        events = self._registry.events
        events.subscribe(self._note)
        try:
            while self._registry.store is None:
                await self._registry.changed.wait()
            if self._registry.reads is not None:
                self._sharing = self._registry.reads.sharing(self._start, self._stop)
                await self._sharing.run()
            for connection in self._registry:
                if connection.nconns:
                    self._note("connected", connection.client_id, None)
            while True:
                while self._new:
                    self._start(self._new.pop(0))
                await self._came.wait()
        finally:
            events.unsubscribe(self._note)
            self._ended = True
            await self._end(list(self._tasks.values()))
            if self._sharing is not None:
                self._sharing.leave()

    def _note(self, event, client_id, details):
        if event != "connected":
            return
        if client_id not in self._flags:
            self._flags[client_id] = TaskFlag()
            if self._sharing is None:  # else it says which clients are this process's
                self._new.append(client_id)
                self._came.set()
        self._flags[client_id].set()
        if self._sharing is not None:
            self._sharing.look()

    def _start(self, client_id):
        try:
            self._registry.admit_reader(client_id)
        except LocalProtocolError:
            return  # its lines are another reader's
        if client_id not in self._flags:  # it is connected to another process
            self._flags[client_id] = TaskFlag()
            self._flags[client_id].set()
        self._tasks[client_id] = asyncio.create_task(self._serve(self._registry.get(client_id)))

    async def _stop(self, client_id):
        """Cancel a handler, and return when it has ended: another process is to serve the client."""
        if client_id in self._tasks:
            await self._end([self._tasks.pop(client_id)])
            self._flags.pop(client_id, None)

    async def _serve(self, connection):
        flag = self._flags[connection.client_id]
        while self._is_mine(connection):
            await (flag.wait() if self._sharing is None else self._connected(connection, flag))
            await self._call_until_it_returns(connection)

    def _is_mine(self, connection):
        """True unless `_stop` has ended the handler, which may have caught its cancellation."""
        return self._tasks.get(connection.client_id) is asyncio.current_task()

    async def _connected(self, connection, flag):
        """Return when the client has connected, to whichever process, since its handler was called."""
        while connection.nconns == self._seen.get(connection.client_id):
            connection.status()  # which has it followed
            try:
                await wait_for_ms(flag.wait(), LOOK_MS)
                return
            except asyncio.TimeoutError:
                pass

    async def _call_until_it_returns(self, connection):
        pause_ms = FIRST_MS
        while True:
            steady = Timeout(STEADY_MS)
            self._flags[connection.client_id].clear()
            self._seen[connection.client_id] = connection.nconns
            try:
                await self._called(connection)
                return
            except _PASSED_ON:
                raise
            except BaseException as error:  # the handler is foreign code. A CancelledError may come from its own tasks
                if self._ended or isinstance(error, asyncio.CancelledError) and cancellations():
                    raise
                _uncancel()
                if not self._is_mine(connection) or _is_taken_over(error):
                    return  # the client is another server's now. If it comes back, the handler is called again
                fault = error
            if steady.expired():
                pause_ms = FIRST_MS
            self._tell(connection.client_id, fault, pause_ms)
            fault = None  # its frames would be kept during the pause
            await sleep_ms(pause_ms)
            pause_ms = min(2 * pause_ms, LAST_MS)

    def _called(self, connection):
        """Returns what the handler is awaited by. Raises: TypeError."""
        call = self._handler(connection)
        if not (hasattr(call, "__await__") or hasattr(call, "send")):  # MicroPython's coroutines have no __await__
            raise TypeError("the handler is no coroutine function: write async def handler(conn)")
        return call

    def _tell(self, client_id, error, pause_ms):
        self._registry.events.tell(
            "handler_failed", client_id, error=text_of(error), at=where(error), again_s=pause_ms // 1000,
            traceback=traceback_text(error),
        )  # fmt: skip

    async def _end(self, tasks):
        for task in tasks:
            task.cancel()
        limit = Timeout(END_MS)
        while not all(task.done() for task in tasks) and not limit.expired():
            await sleep_ms(10)


def _uncancel():
    """A TaskGroup that fails cancels the task that waits for it, and before Python 3.13 leaves it marked so."""
    while take_back():
        pass


def _is_taken_over(error):
    """True if the error is TakenOver, or a group of such alone, as a TaskGroup raises it."""
    parts = getattr(error, "exceptions", None)
    return isinstance(error, TakenOver) if parts is None else all([_is_taken_over(part) for part in parts])
