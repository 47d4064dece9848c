"""The status of a running server's clients, for the commands and the metrics."""

import time

from server.core.shown import quoted


class ClientStatus:
    """The counts of all clients, taken from the events that `note` receives.

    Args: registry: Registry; keys: Keys; keyless: ids that come without a key."""

    def __init__(self, registry, keys, keyless=()):
        self._registry = registry
        self._keys = keys
        self._keyless = keyless
        self._clients = {}
        self.taken_over = 0  # clients that another server on the store has taken

    def note(self, event, client_id, details):
        """Count an event. It is a subscriber of events: see core/events.py."""
        if client_id is None:
            return
        client = self._clients.setdefault(client_id, _Client())
        if event == "connected":
            client.since = time.time()
            client.peer = details["peer"]
            client.outage_s = client.outages_s()
            client.left = client.left_at = None
        elif event == "disconnected" and client.peer == details["peer"]:  # else a newer connection has replaced it
            client.since = client.peer = None
            client.left = time.monotonic()
            client.left_at = time.time()
            client.outages += 1
        elif event == "received":
            client.received += len(details["lines"])
            client.received_bytes += sum(map(len, details["lines"]))
        elif event == "acknowledged":
            client.acknowledged += details["count"]
        elif event == "bridge_report":
            client.bridge = {**details, "at": round(time.time(), 3)}
        elif event == "taken_over":
            self.taken_over += 1
        elif event == "discarded":
            client.discarded += details["lines"]

    def known(self, client_id):
        """Returns the id. Raises: ValueError if no client of that name may connect."""
        if client_id not in self._keys and client_id not in self._keyless:
            raise ValueError(f"there is no client {client_id!r}: pb-link keys add {quoted(client_id)} makes one")
        return client_id

    def names(self):
        """Returns the sorted ids of the clients that have a key or have connected before."""
        return sorted({*self._keys, *self._keyless, *self._clients})

    def knows(self, name):
        """Whether this is one of `names`."""
        return name in self._keys or name in self._keyless or name in self._clients

    def clients(self):
        """Returns a dict for each client that has a key or has connected before."""
        return [self.of(name) for name in self.names()]

    def passed(self, name):
        """Returns (lines stored or acknowledged, bytes of TCP) of one client, both ways, since the server began."""
        client = self._clients.get(name)
        return client.received + client.acknowledged if client else 0, sum(self._registry.get(name).wire_bytes)

    def ended_outage_s(self, name):
        """Returns for how long a client was away in outages that are over, seconds."""
        client = self._clients.get(name)
        return client.outage_s if client else 0.0

    def of(self, name):
        """Returns the dict of one client, as in `clients`. name: one of `names`."""
        client = self._clients.get(name) or _Client()
        connection = self._registry.get(name)
        traffic = connection.traffic
        return {
            "id": name,
            "connected": connection.connected_here(),
            "since": client.since and round(client.since, 3),
            "left": client.left_at and round(client.left_at, 3),
            "peer": client.peer,
            "connections": connection.nconns,
            "lines_received": client.received,
            "bytes_received": client.received_bytes,
            "lines_acknowledged": client.acknowledged,
            "lines_discarded": client.discarded,
            "lines_sent_again": traffic.sent_again,
            "wire_bytes_received": connection.wire_bytes[0],
            "wire_bytes_sent": connection.wire_bytes[1],
            "outages": client.outages,
            "outage_s": round(client.outages_s(), 3),
            "round_trips": traffic.round_trips,
            "round_trip_s": traffic.round_trip_ms / 1000,
            "longest_round_trip_s": traffic.longest_round_trip_ms / 1000,
            "bridge": client.bridge,
        }


class _Client:
    """The counts of one client since the server began."""

    def __init__(self):
        self.since = None  # of the present connection, by the wall clock, for people
        self.peer = None
        self.received = 0
        self.received_bytes = 0
        self.acknowledged = 0
        self.discarded = 0
        self.outages = 0
        self.outage_s = 0.0  # of outages that are over
        self.bridge = None  # details of its newest `bridge_report`, and `at`, UTC in s
        self.left = None  # reading of the monotonic clock: the wall clock may be set while the client is away
        self.left_at = None  # the same moment by the wall clock, for people

    def outages_s(self):
        return self.outage_s + (time.monotonic() - self.left if self.left is not None else 0.0)
