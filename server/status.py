"""What a running server knows of its clients, for people and programs that ask. CPython only."""

import time


class Status:
    """Args: registry: Registry; keys: Keys."""

    def __init__(self, registry, keys, legacy=()):
        self._registry = registry
        self._keys = keys
        self._legacy = legacy
        self._clients = {}
        self.refused = 0

    def note(self, event, client_id, details):
        """An event of the registry."""
        if event == "refused":
            self.refused += 1
        if client_id is None:
            return
        client = self._clients.setdefault(client_id, _Client())
        if event == "connected":
            client.since = time.time()
            client.peer = details["peer"]
        elif event == "disconnected" and not self._registry.get(client_id).status():
            client.since = client.peer = None
        elif event == "received":
            client.received += len(details["lines"])
            client.received_bytes += sum(map(len, details["lines"]))
        elif event == "acknowledged":
            client.acknowledged += details["count"]

    def known(self, client_id):
        """The id. Raises: ValueError if nobody of that name may connect."""
        if client_id not in self._keys and client_id not in self._legacy:
            raise ValueError(f"there is no client {client_id!r}: pb-link keys add {client_id} makes one")
        return client_id

    def clients(self):
        """A dict for each client that has a key or has been here."""
        names = sorted({*self._keys, *self._legacy, *self._clients})
        return [self._of(name, self._clients.get(name) or _Client()) for name in names]

    def _of(self, name, client):
        connection = self._registry.get(name)
        return {
            "id": name,
            "connected": connection.status(),
            "since": client.since and round(client.since, 3),
            "peer": client.peer,
            "connections": connection.nconns,
            "lines_received": client.received,
            "bytes_received": client.received_bytes,
            "lines_acknowledged": client.acknowledged,
        }


class _Client:
    """Counts since the server began."""

    def __init__(self):
        self.since = None
        self.peer = None
        self.received = 0
        self.received_bytes = 0
        self.acknowledged = 0
