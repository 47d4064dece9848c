"""Counters for Prometheus, and whether the server is well, over HTTP, if the settings enable them.

The format is https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4). docs/operations.md has
a table of all of them.
"""

import asyncio
import hmac

from server.core.listening import hosts, listen_error
from server.core.others import SILENT_S

LIMIT_S = 5.0  # for a request
MAX_REQUESTS = 16  # at a time; more are closed at once
_HEADER_BYTES = 4096  # of a line of a request
_HEADERS = 64

_OK = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nConnection: close\r\n\r\n"
_ALIVE = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nok\n"
_NOT_READY = _ALIVE[: -len(b"ok\n")].replace(b"200 OK", b"503 Service Unavailable")
_NOT_FOUND = b"HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\n"
_UNAUTHORIZED = b"HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nConnection: close\r\n\r\n"

# (name without pb_link_, type, help, key of ClientStatus.clients)
OF_CLIENTS = (
    ("connected", "gauge", "1 while the client is connected", "connected"),
    ("connections_total", "counter", "Connections of the client", "connections"),
    ("outages_total", "counter", "Times that the client went away", "outages"),
    ("outage_seconds_total", "counter", "For how long it was away, the present outage included", "outage_s"),
    ("lines_received_total", "counter", "Lines stored that the client has sent", "lines_received"),
    ("bytes_received_total", "counter", "Bytes of these lines", "bytes_received"),
    ("lines_delivered_total", "counter", "Lines that the client has acknowledged", "lines_acknowledged"),
    ("lines_discarded_total", "counter", "Lines to the client that were discarded", "lines_discarded"),
    ("lines_sent_again_total", "counter", "Lines sent again on a new connection", "lines_sent_again"),
    ("wire_bytes_received_total", "counter", "Bytes that came by TCP, keepalives and all", "wire_bytes_received"),
    ("wire_bytes_sent_total", "counter", "Bytes that were sent by TCP", "wire_bytes_sent"),
    ("longest_round_trip_seconds", "gauge", "The longest round trip so far", "longest_round_trip_s"),
)
_ROUND_TRIP = "From sending a line to its acknowledgement by the client's application; one line at a time is timed"


class Metrics:
    """The page that Prometheus reads.

    Args: address: "host:port", with brackets around an IPv6 host or without; token: required in a request, or None;
    status: ClientStatus; registry: Registry; store: Store;
    backoff: AddressBackoff; more: function () that returns (name, type, help, value) of others; unready: function ()
    that returns why the server wants no clients, or None."""

    def __init__(self, address, token, *, status, registry, store, backoff, more=list, unready=None):
        self._address = address
        self._token = token
        self._status = status
        self._registry = registry
        self._store = store
        self._backoff = backoff
        self._asking = set()  # StreamWriters
        self._more = more
        self._unready = unready or (lambda: None)

    async def serve(self):
        """Serve until cancelled. Raises: ListenError."""
        serving = await listen(self._answer, self._address)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            serving.close()  # `async with` would wait for open requests
            for writer in self._asking:
                writer.transport.abort()

    async def _answer(self, reader, writer):
        self._asking.add(writer)
        try:
            if len(self._asking) <= MAX_REQUESTS:
                async with asyncio.timeout(LIMIT_S):
                    writer.write(self._answer_to(await _request(reader)))
                    writer.close()
                    await writer.wait_closed()
        except (OSError, ValueError):  # TimeoutError is an OSError, a line that is too long a ValueError
            pass
        finally:
            self._asking.discard(writer)
            writer.transport.abort()  # it has been closed, or the peer will not take the rest

    def _answer_to(self, lines):
        method, path = (*lines[0].split(), b"", b"")[:2]
        if method != b"GET":
            return _NOT_FOUND
        if path == b"/healthz":
            return _ALIVE
        if path == b"/readyz":
            trouble = self._unready() or self._store.trouble and "the store is away: the log has the reason"
            return _NOT_READY + f"{trouble}\n".encode() if trouble else _ALIVE
        if path != b"/metrics":
            return _NOT_FOUND
        if self._token is not None and not any(map(self._shows_token, lines[1:])):
            return _UNAUTHORIZED
        return _OK + self.text().encode()

    def _shows_token(self, header):
        name, _, value = header.partition(b":")
        scheme, _, token = value.strip().partition(b" ")
        right = name.lower() == b"authorization" and scheme.lower() == b"bearer"
        return right and hmac.compare_digest(token.strip(), self._token.encode())

    def text(self):
        clients = self._status.clients()
        lines = []
        for name, kind, text, key in OF_CLIENTS:
            _describe(lines, name, kind, text)
            lines += [f"pb_link_{name}{_of(client)} {float(client[key]):.10g}" for client in clients]
        _describe(lines, "round_trip_seconds", "summary", _ROUND_TRIP)
        for client in clients:
            lines.append(f"pb_link_round_trip_seconds_sum{_of(client)} {client['round_trip_s']:.10g}")
            lines.append(f"pb_link_round_trip_seconds_count{_of(client)} {client['round_trips']}")
        _describe(lines, "refused_total", "counter", "Connections that were not let in")
        refusals = self._registry.events.refusals
        lines += [f'pb_link_refused_total{{why="{kind}"}} {n}' for kind, n in refusals.items()]
        if self._store.latency is not None:  # a durable store
            self._add_latency(lines)
        if hasattr(self._store, "wal_bytes"):
            _describe(lines, "store_wal_bytes", "gauge", "Size of the store's -wal file")
            lines.append(f"pb_link_store_wal_bytes {self._store.wal_bytes()}")
        others = getattr(self._store, "others", None)
        if others is not None:  # several servers may use the store
            self._add_nodes(lines, others)
        for name, kind, text, value in (
            ("kept_out_total", "counter", "Connections of addresses that failed too often", self._backoff.kept_out),
            ("store_bytes", "gauge", "What waits in the store, as total_bytes counts it", self._store.total),
            *self._more(),
        ):
            _describe(lines, name, kind, text)
            lines.append(f"pb_link_{name} {value}")
        return "\n".join(lines) + "\n"

    def _add_nodes(self, lines, others):
        clients, silent_s = {}, {}  # of each name: a server that was started again has the same one
        for node in others.nodes():
            clients[node.name] = clients.get(node.name, 0) + node.clients
            silent_s[node.name] = min(silent_s.get(node.name, node.silent_s), node.silent_s)
        for name, text, values in (
            ("node_clients", "Clients that are connected to each server", clients),
            ("node_silent_seconds", "For how long each server has given no sign of life", silent_s),
        ):
            _describe(lines, name, "gauge", text)
            lines += [f"pb_link_{name}{_labels('node', node)} {value:.10g}" for node, value in sorted(values.items())]
        alive = sum(value < SILENT_S for value in silent_s.values())
        taken = self._status.taken_over
        for name, kind, text, value in (
            ("nodes", "gauge", "Servers on this database that live", alive),
            ("taken_over_total", "counter", "Clients that another server has taken from this one", taken),
            ("fenced_writes_total", "counter", "Changes refused, as another server had the client", others.fenced),
        ):
            _describe(lines, name, kind, text)
            lines.append(f"pb_link_{name} {value}")

    def _add_latency(self, lines):
        latency, name, count = self._store.latency, "pb_link_store_commit_seconds", 0
        _describe(lines, "store_commit_seconds", "histogram", "What a transaction of the store took")
        for bound, more in zip((*latency.bounds, "+Inf"), latency.counts):
            count += more
            lines.append(f'{name}_bucket{{le="{bound}"}} {count}')
        lines += [f"{name}_sum {latency.sum_s:.10g}", f"{name}_count {count}"]


async def listen(answer, address):
    """Returns an asyncio server for the address "host:port" that calls answer(reader, writer). Raises: ListenError."""
    host, _, port = address.rpartition(":")
    try:
        return await asyncio.start_server(answer, hosts(host), int(port), limit=_HEADER_BYTES)
    except (OSError, ValueError) as error:  # ValueError: such as a label of the name that is too long
        raise listen_error(error, host, int(port), f"metrics = {address!r}") from None


async def _request(reader):
    """Returns the lines of a request, bytes, up to the empty one. Raises: ValueError, OSError."""
    lines = [await reader.readline()]
    while (line := await reader.readline()).strip():
        lines.append(line)
        if len(lines) > _HEADERS:
            raise ValueError("too many headers")
    return lines


def _describe(lines, name, kind, text):
    lines += [f"# HELP pb_link_{name} {text}", f"# TYPE pb_link_{name} {kind}"]


def _of(client):
    return _labels("client", client["id"])


def _labels(name, value):
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{{{name}="{escaped}"}}'
