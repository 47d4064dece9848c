"""`Server`: one complete server. Several may run in one process, each with a port and a store of its own."""

from protocol.credentials import parse_id
from protocol.errors import LocalProtocolError
from server.core.keys import Keys, load_keys
from server.core.listener import Listener
from server.core.logged_events import log_event
from server.core.printed_log import PrintedLog
from server.core.registry import Registry
from server.core.serving import Serving


class Server:
    """The parts of one server: `registry` of its clients, `events`, and once it is prepared, `keys` and `listener`.

    make_store: function () that returns the store for a `run` that names none. It is called once, so the lines of one
    run are there in the next. Without it, each `run` must name a store.
    """

    def __init__(self, make_store=None):
        self.registry = Registry()
        self.events = self.registry.events
        self.keys = None
        self.keyless = set()  # ids of clients that a gateway serves without a key
        self._waited_for = set()  # ids that the application has named and nobody has a key of: each is told once
        self.listener = None
        self._make_store = make_store
        self._store = None  # what make_store has made
        self._log = None  # PrintedLog, once `run` was called
        self._serving = False  # `serve` runs

    async def run(self, expected, verbose=False, port=8123, timeout=1500, *, keys, store=None, host="0.0.0.0"):
        """Serve until cancelled, as `server.run` does. Then close the listener and all connections."""
        if isinstance(expected, str):
            raise TypeError("expected must be a collection of ids, not one str")
        if not isinstance(port, int) or not 1 <= port <= 65535:
            raise ValueError("port must be 1..65535")
        if not isinstance(timeout, int) or timeout < 200:
            raise ValueError("timeout must be at least 200 ms")
        expected = {parse_id(client_id) for client_id in expected}
        if self._log is None:
            self._log = PrintedLog()
            self.events.subscribe(self._log.note)
            logged = self.events.rate_limited(log_event, each=True)
            self.events.subscribe(lambda event, client_id, details: logged(event, client_id, **details))
        self._log.verbose = verbose
        keys = keys if isinstance(keys, Keys) else load_keys(keys)
        self.prepare(expected, keys, self._own_store() if store is None else store, timeout)
        self.listener.log_frame = self._log.frame if verbose == 2 else None
        await self.listener.serve(host, port)

    def _own_store(self):
        if self._store is None:
            if self._make_store is None:
                raise TypeError("this Server needs a store: run(.., store=MemoryStore()), for example")
            self._store = self._make_store()
        return self._store

    def prepare(self, expected, keys, store, timeout_ms, backoff=None):
        """Create `listener`, for callers that call its `serve` themselves. No event is printed.

        Args: expected: ids, as for `run`; the others as for Listener.
        """
        self.registry.attached = False
        self.registry.use(store)
        self.listener = Listener(self.registry, keys, store, timeout_ms, backoff)
        self.keys = self.listener.keys
        self.registry.expect(expected)

    async def attach(self, store):
        """Use the clients of the servers that share this store. Returns an Attached, as `server.attach` does."""
        if self.listener is not None or self.registry.attached:
            raise LocalProtocolError("this Server has a store already: attach another Server")
        if getattr(store, "others", None) is None:
            raise ValueError("only a store that several processes share can be attached to: PostgresStore")
        from server.core.attached import Attached

        self.registry.attached = True
        self.registry.use(store)
        self.registry.expect(())
        return Attached(self, store)

    def serve(self, handler):
        """Returns the coroutine that serves each client by handler(conn) until cancelled, as `server.serve` does."""
        return self._serve(Serving(handler, self.registry))

    async def _serve(self, serving):
        if self._serving:
            raise LocalProtocolError("serve runs already, and two handlers would read the same lines: use one")
        self._serving = True
        try:
            await serving.run()
        finally:
            self._serving = False

    async def client_conn(self, client_id):
        """Wait until the client is connected. Returns its Connection."""
        connection = self.registry.get(parse_id(client_id))
        while self.keys is None and not self.registry.attached:
            await self.registry.changed.wait()
        if self.keys is not None and not self._is_served(client_id) and client_id not in self._waited_for:
            self._waited_for.add(client_id)
            self.events.tell("no_key", client_id)
        await connection
        return connection

    def _is_served(self, client_id):
        return client_id in self.keys or client_id in self.keyless

    async def wait_all(self, client_id=None, peers=None):
        """Wait until all of peers are connected (None: all that `run` expects).

        Returns: the Connection of client_id, which is waited for as well, or None.
        """
        while peers is None and self.registry.expected is None:
            await self.registry.changed.wait()
        for peer in self.registry.expected if peers is None else peers:
            await self.client_conn(peer)
        return None if client_id is None else await self.client_conn(client_id)

    def close_all(self):
        """Close the TCP connections of all clients. The clients may reconnect."""
        self.registry.close_all()
