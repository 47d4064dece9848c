"""Lines that wait while the application reads none are reported: once each time, in words, and never of a reader."""

import asyncio

import pytest

import server
import server.core.listener
from protocol.errors import StoreError
from server.core import unread
from server.core.registry import Registry
from server.core.unread import UnreadLines
from server.stores.memory import MemoryStore
from tests.patience import PATIENCE_S
from tests.server.core.test_events import Told
from tests.server.peer import OTHER_KEY, Client, Service, until, within
from tests.server.store_calls import a_lines


@pytest.fixture
def _soon(monkeypatch):
    monkeypatch.setattr(unread, "LOOK_MS", 10)
    monkeypatch.setattr(unread, "UNREAD_MS", 3000)  # far above what the lines of a test take
    monkeypatch.setattr(server.core.listener, "LOOKS", 64)  # the listener looks more often


class Watched:
    """UnreadLines on a clock that a test moves, with a store in memory that has two clients."""

    def __init__(self, monkeypatch):
        self.now = 0
        monkeypatch.setattr("primitives.timeout.ticks_ms", lambda: self.now)
        self.registry = Registry()
        self.store = MemoryStore()
        self.registry.use(self.store)
        self.registry.expect(["a", "b"])
        self.told = Told()
        self.registry.events.subscribe(self.told)
        self.owner = asyncio.run(self.store.claim("a")).owner
        self.watch = UnreadLines(self.registry, self.store)

    def receive(self, *lines):
        asyncio.run(self.store.receive("a", self.owner, b"client's", {0: 1}, a_lines(list(lines))))

    def take(self):
        asyncio.run(self.store.take("a", self.owner))

    def wait(self, seconds):
        for _ in range(seconds):
            self.now += 1000
            self.watch.look()


@pytest.fixture
def watched(monkeypatch):
    return Watched(monkeypatch)


def test_application_that_reads_nothing_while_lines_wait_is_reported_once(watched):
    watched.receive(b"one", b"two")
    watched.wait(60)
    assert not watched.told
    watched.wait(PATIENCE_S)
    ((event, client_id, details),) = watched.told
    assert (event, client_id) == ("unread", "a") and (details["lines"], details["waited_s"]) == (2, 60)
    assert "has not asked for a line of this client" in details["why"]
    watched.receive(b"three")
    watched.wait(7200)
    assert len(watched.told) == 1


def test_it_is_reported_again_when_the_application_has_read_and_stops_again(watched):
    watched.receive(b"one", b"two", b"three")
    watched.wait(80)
    watched.take()
    watched.wait(80)
    assert [details["lines"] for _, _, details in watched.told] == [3, 2]
    watched.take()
    watched.take()
    watched.wait(600)
    watched.receive(b"four")
    watched.wait(60)
    assert len(watched.told) == 2
    watched.wait(PATIENCE_S)
    assert [details["lines"] for _, _, details in watched.told] == [3, 2, 1]


def test_application_that_reads_is_not_reported_however_many_lines_wait(watched):
    watched.receive(*[b"x"] * 30)
    for _ in range(30):
        watched.wait(PATIENCE_S)
        watched.take()
    watched.wait(600)
    assert not watched.told


def test_client_of_a_gateway_and_client_that_nobody_has_used_are_not_reported(watched):
    watched.registry.readers.reserve("[mqtt]", {"a"})
    watched.receive(b"one")
    watched.wait(600)
    assert not watched.told


def test_store_that_cannot_tell_does_not_end_the_listener(watched):
    def fail(client_id):
        raise StoreError("the disk has gone")

    watched.store.unread = fail
    watch = UnreadLines(watched.registry, watched.store)
    watched.now += 100000
    watch.look()
    assert not watched.told


def test_clients_are_kept_in_mind_only_while_lines_wait(watched):
    watched.receive(b"one")
    watched.wait(PATIENCE_S)
    assert len(watched.watch._waits) == 1
    watched.take()
    watched.wait(PATIENCE_S)
    assert not watched.watch._waits


@pytest.mark.usefixtures("_soon")
def test_server_reports_the_client_whose_lines_nobody_reads_and_says_why(capsys):
    async def main():
        async with Service(expected=["a", "b"]) as service:
            told = Told()
            service.events.subscribe(told)
            clients = [Client(service.port), Client(service.port, "b", OTHER_KEY)]
            for client in clients:
                await within(client.connect())
            reader = asyncio.create_task(stuck(service.connection("b")))
            for client in clients:
                for number in range(3):
                    await client.write(str(number))
                await within(client.acknowledged())
            await until(lambda: told.names().count("unread") == 2, "the reports")
            reader.cancel()
            return {client_id: details for event, client_id, details in told if event == "unread"}

    async def stuck(conn):
        await conn.readline()
        await asyncio.sleep(1000)

    found = asyncio.run(main())
    assert found["a"]["lines"] == 3 and found["b"]["lines"] == 2
    assert "since the server started" in found["a"]["why"] and "the next line" in found["b"]["why"]
    text = capsys.readouterr().out
    assert "server: a: 3 lines wait for the application, which has read none of this client for 3 s: " in text
