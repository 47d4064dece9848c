"""Counters for Prometheus, over HTTP, if the settings ask for them. CPython only.

The format is https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4).
"""

import asyncio

_LIMIT_S = 5.0  # for a request
_HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nConnection: close\r\n\r\n"
_BAD = b"HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\n"

# (name without pb_link_, type, help, key of Status.clients)
_OF_CLIENTS = (
    ("connected", "gauge", "1 while the client is connected", "connected"),
    ("connections_total", "counter", "Connections of the client, each but the first after an outage", "connections"),
    ("lines_received_total", "counter", "Lines stored that the client has sent", "lines_received"),
    ("bytes_received_total", "counter", "Bytes of these lines", "bytes_received"),
    ("lines_delivered_total", "counter", "Lines that the client has acknowledged", "lines_acknowledged"),
)


class Metrics:
    """Args: address: "host:port"; status: Status; store: SQLiteStore; guard: Guard; more: function () that returns
    (name, type, help, value) of others."""

    def __init__(self, address, status, store, guard, more=list):
        self._host, _, self._port = address.rpartition(":")
        self._status = status
        self._store = store
        self._guard = guard
        self._more = more

    async def serve(self):
        """Serve until cancelled. Raises: OSError."""
        async with await asyncio.start_server(self._answer, self._host, int(self._port), limit=4096) as server:
            await server.serve_forever()

    async def _answer(self, reader, writer):
        try:
            async with asyncio.timeout(_LIMIT_S):
                request = await reader.readline()
                found = request.split()[:2] == [b"GET", b"/metrics"]
                writer.write(_HEAD + self.text().encode() if found else _BAD)
                await writer.drain()
        except (OSError, ValueError):  # TimeoutError is an OSError, a line that is too long a ValueError
            pass
        finally:
            writer.close()

    def text(self):
        clients = self._status.clients()
        lines = []
        for name, kind, text, key in _OF_CLIENTS:
            _describe(lines, name, kind, text)
            lines += [f"pb_link_{name}{{client={_quoted(client['id'])}}} {int(client[key])}" for client in clients]
        for name, kind, text, value in (
            ("refused_total", "counter", "Connections without a good proof", self._status.refused),
            ("kept_out_total", "counter", "Connections of addresses that failed too often", self._guard.kept_out),
            ("store_commits_total", "counter", "Transactions of the store", self._store.commits),
            ("store_commit_seconds_total", "counter", "Time that they took", round(self._store.commit_s, 6)),
            ("store_bytes", "gauge", "What waits in the store, as total_bytes counts it", self._store.total),
            *self._more(),
        ):
            _describe(lines, name, kind, text)
            lines.append(f"pb_link_{name} {value}")
        return "\n".join(lines) + "\n"


def _describe(lines, name, kind, text):
    lines += [f"# HELP pb_link_{name} {text}", f"# TYPE pb_link_{name} {kind}"]


def _quoted(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
