"""Who the clients are: their Connections, whom the application expects, the log."""

import asyncio

from primitives.broadcast import Broadcast
from primitives.timeout import Timeout
from server.core.connection import Connection
from server.core.readers import Readers
from server.stores.default import default_store

# Why connections are refused: no proof of who it is; bytes that break the protocol; not in time; gone in the middle; a
# flood; the store has failed.
REFUSALS = ("identity", "protocol", "time", "gone", "flood", "store")
# At most this many refusals are logged in a period; the rest is counted.
_REFUSALS = 10
_PERIOD_MS = 10000


class Registry:
    def __init__(self):
        self.expected = None  # ids, once a server runs
        self.store = None  # of the server that runs or ran last
        self.verbose = False
        self.on_event = None  # function (name, id or None, dict of details) that is told everything instead of the log
        self.changed = Broadcast()
        self.readers = Readers()
        self._connections = {}
        self._own = None  # store for those who bring none: as long as their Connections
        self._period = Timeout(_PERIOD_MS)
        self._refused = 0
        self.refusals = {kind: 0 for kind in REFUSALS}

    def get(self, client_id):
        """The Connection of this id, made if there is none."""
        connection = self._connections.get(client_id)
        if connection is None:
            connection = self._connections[client_id] = Connection(client_id, self)
        return connection

    def __getitem__(self, client_id):
        return self._connections[client_id]

    def use(self, store):
        """Use this store, or None: the one that is ours. Returns it. Raises: StoreError."""
        if store is None:
            store = self._own = self._own or default_store()
        self.store = store
        store.on_room = self._on_room
        return store

    def admit_reader(self, client_id, reader=None):
        """Raises: LocalProtocolError if these lines are for somebody else: see Readers."""
        self.readers.admit(client_id, reader)

    def _on_room(self):
        for connection in self._connections.values():
            connection.look_again()

    def expect(self, ids):
        self.expected = ids
        for client_id in ids:
            self.get(client_id)
        self.changed.pulse()

    async def settle(self):
        """Return when no line is on its way between the store and an application that has ended."""
        while not all(connection.settled() for connection in self):
            await asyncio.sleep(0.01)

    def finish_all(self):
        for connection in self._connections.values():
            connection.finish()

    def close_all(self):
        for connection in self._connections.values():
            connection.disconnect()

    def __iter__(self):
        return iter(self._connections.values())

    def tell(self, event, client_id=None, **details):
        """Something has happened that a log, a counter or a person who looks may want to know."""
        if self.on_event is not None:
            self.on_event(event, client_id, details)

    def log(self, text):
        if self.verbose and self.on_event is None:
            _print(text)

    def say(self, text):
        """As log, also to those who did not ask for much."""
        if self.on_event is None:
            _print(text)

    def refused(self, peer, reason, kind):
        """One line for a refused connection, however many there are. kind: of REFUSALS."""
        self.refusals[kind] += 1
        self.end_period()
        if self._refused == 0:
            self._period.restart()
        self._refused += 1
        if self._refused <= _REFUSALS:
            self.say("refused %s: %s" % (peer, reason))
            self.tell("refused", peer=peer, reason=reason)

    def end_period(self):
        """Say what was not logged, once the period is over. To be called now and then, as `Timeout` must be."""
        if self._period.expired():
            if self._refused > _REFUSALS:
                self.say("%d more connections refused" % (self._refused - _REFUSALS))
                self.tell("refused_more", count=self._refused - _REFUSALS)
            self._refused = 0


def _print(text):
    """Ids are in it, which anybody can send and not every terminal can show."""
    try:
        print("server:", text)
    except UnicodeError:
        print("server:", text.encode("ascii", "backslashreplace").decode())
