"""The registry of clients: their Connections, and the ids that the application expects."""

import asyncio

from primitives.broadcast import Broadcast
from protocol.bridge_reports import BRIDGE_CHANNEL
from server.core.bridge_reports import telling
from server.core.connection import Connection
from server.core.events import Events
from server.core.readers import Readers

CONSOLE = 3  # the channel on which clients send what they print: docs/protocol.md section 4


def _drop(client_id, data):
    """Nobody keeps what clients print."""


class Registry:
    """The clients of one server, and its `events`."""

    def __init__(self):
        self.expected = None  # ids, once a server runs
        self.store = None  # of the server that runs or ran last
        self.reads = None  # its Readings, if several processes share it
        self.events = Events()
        self.changed = Broadcast()
        self.readers = Readers()
        # channel -> function (client id, bytes) for what comes on it. It is not stored, and is gone with the process.
        # The function is called within the server's own work: it must return at once and raise nothing.
        self.taken_at_once = {CONSOLE: _drop, BRIDGE_CHANNEL: telling(self.events)}
        # Functions (client id, line as bytes without its newline) for each line that this process gives to a client's
        # session, when it is stored. They are called within the server's own work: they must return at once and raise
        # nothing.
        self.line_followers = []
        self.attached = False  # this process has no listener, and only writes: Server.attach
        self._others = None  # of the store
        self._connections = {}

    def get(self, client_id):
        """Returns the Connection of this id. It is created if there is none."""
        connection = self._connections.get(client_id)
        if connection is None:
            connection = self._connections[client_id] = Connection(client_id, self)
            connection.share(self._others, self.attached)
        return connection

    def __getitem__(self, client_id):
        return self._connections[client_id]

    def use(self, store):
        """Use this store from now on."""
        self.store = store
        store.on_room = self._on_room
        self.reads = getattr(store, "readings", None)
        if self.reads is not None:
            store.on_read = self._on_read
            store.on_lost = self._on_lost
        before, self._others = self._others, getattr(store, "others", None)  # a store of the user's own may have none
        if self._others is not None:
            self._others.on_mail = lambda client_id: self.get(client_id).look_for_mail()
            self._others.on_seen = lambda client_id: self.get(client_id).seen()
            if before is None:
                self.events.subscribe(self._note_presence)
        for connection in self:
            connection.share(self._others, self.attached)

    def leave(self):
        """Use no store any longer."""
        self.store, self.reads, self._others, self.attached = None, None, None, False
        self.events.unsubscribe(self._note_presence)
        for connection in self:
            connection.share(None, False)

    def _note_presence(self, event, client_id, details):
        """Other processes see where this one listens, and which clients are connected to it."""
        if event == "listening" and self._others is not None:
            self._others.address = "%s:%d" % (details["host"], details["port"])
        if event in ("connected", "disconnected") and self._others is not None:
            connection = self.get(client_id)
            # The end of a connection that another one has replaced is no news.
            if connection.state is not None and (event == "connected" or not connection.attached()):
                self._others.present(client_id, connection.state.owner, connection.attached())

    def admit_reader(self, client_id, reader=None, channel=0):
        """Check that a reader may read this channel of this client. Raises: LocalProtocolError: see Readers."""
        self.readers.admit(client_id, reader, channel)

    def _on_room(self):
        for connection in self._connections.values():
            connection.look_again()

    def _on_read(self, client_id):
        if client_id in self._connections:
            self._connections[client_id].look_again()

    def _on_lost(self, client_id, channel):
        self.events.tell("reading_lost", client_id, channel=channel)

    def expect(self, ids):
        self.expected = ids
        for client_id in ids:
            self.get(client_id)
        self.changed.pulse()

    async def settle(self):
        """Return when no line is on its way between the store and an application that has ended."""
        while not all(connection.settled() for connection in self):
            await asyncio.sleep(0.01)

    def taken_over(self, client_id, owner):
        """Another server on the same store says that it has claimed the client, as this owner: see Connection."""
        if client_id in self._connections:
            self._connections[client_id].taken_over(owner)

    def finish_all(self):
        for connection in self._connections.values():
            connection.finish()

    def close_all(self):
        for connection in self._connections.values():
            connection.disconnect()

    def __iter__(self):
        return iter(self._connections.values())
