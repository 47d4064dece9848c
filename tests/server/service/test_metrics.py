"""What Prometheus gets, read by its own parser."""

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import server.service.metrics
from protocol.framing import PREAMBLE
from protocol.handshake import Initiator
from server import MemoryStore, client_conn
from server.core import others
from server.core.address_backoff import AddressBackoff
from server.service.client_status import ClientStatus
from server.service.metrics import Metrics
from tests.patience import PATIENCE_S
from tests.server.all_stores import TemporaryStore
from tests.server.peer import KEY, KEYS, OTHER_KEY, Client, Service, free_port, open_stream, until, within
from tests.server.service.test_cli import Server

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/operations.md"
GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


class Observed(Service):
    """A durable server whose metrics are looked at."""

    def __init__(self, **how):
        super().__init__(store=TemporaryStore(), **how)
        self.status = ClientStatus(self.registry, self.keys)
        self.events.subscribe(self.status.note)
        self.metrics = Metrics(
            "127.0.0.1:1", None, status=self.status, registry=self.registry, store=self.store, backoff=AddressBackoff()
        )

    def read(self):
        """A dict from name, or (name, labels), to value."""
        found = {}
        for family in text_string_to_metric_families(self.metrics.text()):
            for sample in family.samples:
                assert family.documentation and family.type != "unknown", sample
                key = (sample.name.removeprefix("pb_link_"), *sample.labels.values())
                found[key if sample.labels else key[0]] = sample.value
        return found


async def answer(port, request):
    reader, writer = await open_stream(port)
    writer.write(request)
    try:
        return (await within(reader.read(-1))).decode()
    except OSError:
        return ""
    finally:
        writer.close()


def test_all_that_moves_is_counted():
    async def main():
        async with Observed() as service:
            client = Client(service.port)
            await within(client.connect())
            conn = await within(client_conn("a"))
            await client.write("x" * 10)
            await within(client.acknowledged())
            await within(conn.write("down"))
            await until(lambda: service.read()["wire_bytes_received_total", "a"] == len(client.sent), "its bytes")
            found = service.read()
            assert found["connected", "a"] == 1 and found["connected", "b"] == 0
            assert found["lines_received_total", "a"] == 1 and found["bytes_received_total", "a"] == 10
            assert found["wire_bytes_sent_total", "a"] == len(client.received)
            assert found["round_trip_seconds_count", "a"] == 1
            longest = found["longest_round_trip_seconds", "a"]
            assert 0 <= found["round_trip_seconds_sum", "a"] == longest < 20
            assert found["outages_total", "a"] == 0 and found["outage_seconds_total", "a"] == 0
            await until(lambda: service.read()["lines_delivered_total", "a"] == 1, "the acknowledgement in the store")
            found = service.read()
            assert found["store_commit_seconds_count"] == service.store.commits > 2
            assert found["store_commit_seconds_bucket", "+Inf"] == service.store.commits
            assert found["store_commit_seconds_sum"] > 0 and found["store_bytes"] == 42
            assert found["store_wal_bytes"] == os.path.getsize(service.store.path + "-wal") > 0
            client.cut()

    asyncio.run(main())


def test_outages_and_lines_that_are_sent_again_are_counted():
    async def main():
        async with Observed() as service:
            client = Client(service.port)
            await within(client.connect())
            conn = await within(client_conn("a"))
            client.reading = False
            for number in range(3):
                await conn.write(str(number), wait=False)
            await until(lambda: conn._session.number == 3, "the lines on their way")
            await client.write("still there")  # what it has not accepted, it has not seen either
            client._task.cancel()
            client.cut()
            await until(lambda: not conn.status(), "the outage")
            await until(lambda: service.read()["outages_total", "a"] == 1, "the outage, counted")
            assert service.read()["outage_seconds_total", "a"] > 0
            other = Client(service.port)  # another life, which has none of them
            await within(other.connect())
            await within(other.expect(3))
            found = service.read()
            assert found["lines_sent_again_total", "a"] == 3 and found["connections_total", "a"] == 2
            assert found["outages_total", "a"] == 1
            assert service.read()["outage_seconds_total", "a"] == found["outage_seconds_total", "a"]
            other.cut()

    asyncio.run(main())


def test_connection_that_is_taken_over_is_no_outage():
    async def main():
        async with Observed() as service:
            old, new = Client(service.port), Client(service.port)
            await within(old.connect())
            await within(new.connect())
            await old.ended()
            await asyncio.sleep(0.05)
            found = service.read()
            assert found["outages_total", "a"] == 0 and found["connections_total", "a"] == 2
            assert found["outage_seconds_total", "a"] == 0 and service.status.clients()[0]["since"]
            new.cut()
            await until(lambda: service.read()["outages_total", "a"] == 1, "the outage")

    asyncio.run(main())


def test_refusals_are_counted_by_kind_however_many_there_are(monkeypatch):
    async def main():
        async with Observed() as service:
            for _ in range(30):
                await answer(service.port, b"garbage")
            for _ in range(2):
                await Client(service.port, "unknown").refused()
            reader, writer = await open_stream(service.port)
            writer.write(PREAMBLE + b"\0\x28" + Initiator("a", KEY, bytes(8), bytes(16)).hello())
            await within(reader.readexactly(2))  # of WELCOME
            writer.close()
            monkeypatch.setattr(server.core.listener, "HELLO_MS", 200)  # for one that says nothing
            await answer(service.port, b"")
            await until(lambda: sum(service.events.refusals.values()) == 34, "the refusals")
            found = service.read()
            kinds = {kind: found["refused_total", kind] for kind in service.events.refusals}
            assert kinds == {"identity": 2, "protocol": 30, "time": 1, "gone": 1, "flood": 0, "store": 0, "late": 0}

    asyncio.run(main())


@pytest.mark.parametrize("client_id", ['a"b', "a\\b", "\u00e4 {x}", "a\\n"])
def test_any_id_is_a_label(client_id):
    async def main():
        async with Observed(keys={client_id: OTHER_KEY}) as service:
            assert service.read()["connected", client_id] == 0

    asyncio.run(main())


def test_document_has_all_metrics():
    async def main():
        async with Observed() as service:
            service.store.others = Others()
            return set(re.findall(r"^# TYPE (pb_link_\w+)", service.metrics.text(), re.MULTILINE))

    documented = set(re.findall(r"^\| `(pb_link_\w+)", DOCUMENT.read_text(), re.MULTILINE))
    assert documented == asyncio.run(main())


class Others(others.Others):
    """Servers that use the store. Args: names, clients, and for how long each one was silent."""

    fenced = 3

    def __init__(self, *nodes):
        self._nodes = [others.Node(*node) for node in nodes]

    def nodes(self):
        return self._nodes


def test_servers_on_a_store_are_told_by_name_however_often_they_were_started():
    async def main():
        async with Observed() as service:
            service.store.others = Others(("a", 0, 900.0), ("a", 7, 0.5), ('b"', 0, 5.5))
            service.events.tell("taken_over", "a")
            found = service.read()
            clients = {key[1]: value for key, value in found.items() if key[0] == "node_clients"}
            silent_s = {key[1]: value for key, value in found.items() if key[0] == "node_silent_seconds"}
            assert clients == {"a": 7, 'b"': 0} and silent_s == {"a": 0.5, 'b"': 5.5}
            assert (found["nodes"], found["taken_over_total"], found["fenced_writes_total"]) == (1, 1, 3)

    asyncio.run(main())


def test_requests_are_bounded(monkeypatch):
    monkeypatch.setattr(server.service.metrics, "LIMIT_S", 2 * PATIENCE_S)
    monkeypatch.setattr(server.service.metrics, "MAX_REQUESTS", 2)

    async def main():
        async with Observed() as service:
            port = free_port()
            service.metrics._address = f"127.0.0.1:{port}"
            serving = asyncio.create_task(service.metrics.serve())
            silent = [await open_stream(port) for _ in range(2)]
            await until(lambda: len(service.metrics._asking) == 2, "the silent ones")
            assert await answer(port, GET) == ""  # no place
            for _, writer in silent:
                writer.close()
            await until(lambda: not service.metrics._asking, "their ends")
            with monkeypatch.context() as short:
                short.setattr(server.service.metrics, "LIMIT_S", 0.3)
                reader, _ = await open_stream(port)
                assert await within(reader.read(-1)) == b""
            assert "200 OK" in await answer(port, GET)
            for bad in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 9000, b"\r\n\r\n", GET[:-2] + b"x: y\r\n" * 100):
                assert "200 OK" not in await answer(port, bad)
            serving.cancel()

    asyncio.run(main())


def test_metrics_are_served_when_they_are_asked_for_to_those_who_have_the_token():
    token = "0123456789abcdef-._~+/=="

    async def ask(server):
        with_token = GET[:-2] + b"authorization: Bearer %s\r\n\r\n"
        requests = [with_token % token.encode(), GET, with_token % b"0123456789abcdef", with_token % b""]
        return [await answer(port, request) for request in requests]

    port = free_port()
    Path("x.toml").write_text(f'metrics = "127.0.0.1:{port}"')
    with Server("--config", "x.toml", PB_LINK_METRICS_TOKEN=token) as process:
        good, *bad = asyncio.run(ask(process))
    assert 'pb_link_connected{client="pump"} 0\n' in good
    assert all("401 Unauthorized" in text and "pb_link_" not in text for text in bad)
    assert KEYS and token not in Path("log.txt").read_text()


def test_store_that_waits_for_nothing_has_no_histogram():
    async def main():
        async with Observed() as served:
            served.metrics._store = MemoryStore()
            text = served.metrics.text()
            assert "store_commit_seconds" not in text and "store_wal" not in text and "pb_link_store_bytes 0\n" in text

    asyncio.run(main())


def test_health_needs_no_token_and_readiness_is_that_of_the_store():
    class Store(MemoryStore):
        trouble = None

    async def main():
        async with Service() as service:
            store = Store()
            port = free_port()
            metrics = Metrics(
                f"127.0.0.1:{port}", "x" * 16, status=ClientStatus(service.registry, service.keys),
                registry=service.registry, store=store, backoff=AddressBackoff(),
            )  # fmt: skip
            serving = asyncio.create_task(metrics.serve())
            await asyncio.sleep(0)
            request = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"
            for path in ("/healthz", "/readyz"):
                assert (await answer(port, request.format(path).encode())).endswith("200 OK" + HEAD + "ok\n")
            store.trouble = "it is restarted"
            assert "503" in await answer(port, request.format("/readyz").encode())
            found = await answer(port, request.format("/readyz").encode())
            assert "the store is away" in found and "it is restarted" not in found
            assert "200 OK" in await answer(port, request.format("/healthz").encode())
            store.trouble, why = None, "the server ends"
            metrics._unready = lambda: why
            assert (await answer(port, request.format("/readyz").encode())).endswith("\r\n\r\nthe server ends\n")
            for bad in (b"POST /healthz HTTP/1.1\r\n\r\n", b"GET\r\n\r\n", b"\r\n\r\n"):
                assert "200" not in await answer(port, bad)
            serving.cancel()

    asyncio.run(main())


LINGERING = """
import asyncio, os

class Application:
    async def run(self):
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            while not os.path.exists("go"):
                await asyncio.sleep(0.05)
"""


def test_server_that_ends_is_alive_and_not_ready():
    port = free_port()
    Path("x.toml").write_text(f'metrics = "127.0.0.1:{port}"\napp = "lingering:Application"')
    Path("lingering.py").write_text(LINGERING)

    async def main(process):
        async def says(path, text):
            while text not in await answer(port, f"GET {path} HTTP/1.1\r\n\r\n".encode()):
                await asyncio.sleep(0.02)

        await within(says("/readyz", "200 OK"))
        process.send_signal(signal.SIGTERM)
        await within(says("/readyz", "503"))
        await within(says("/readyz", "the server ends"))
        await within(says("/healthz", "200 OK"))
        Path("go").touch()

    with Server("--config", "x.toml") as server:
        asyncio.run(main(server.process))
        assert server.process.wait(PATIENCE_S) == 0


HEAD = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
