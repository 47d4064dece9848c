"""Reading a client that another process has, with servers and clients as they are."""

import asyncio

import pytest

from protocol.errors import LocalProtocolError
from server import Server
from server.core import serving
from server.stores import postgres_hints, postgres_readings
from tests.server.channel_peer import ChannelClient
from tests.server.peer import Client, until, within
from tests.server.shared_bed import Node, Tables, attached, run

NEVER_S = 3600.0


@pytest.fixture
def tables():
    tables = Tables()
    yield tables
    tables.close()


@pytest.fixture
def without_polls(monkeypatch):
    """What is not told by a hint is not seen, after the first beat."""
    monkeypatch.setattr(postgres_readings, "LOOK_S", NEVER_S)


@pytest.fixture
def without_hints(monkeypatch):
    """All hints are lost."""

    async def lost(self, connection, nodes, now):
        for node in nodes:
            del self._due[node]

    monkeypatch.setattr(postgres_hints.Hints, "_notify", lost)


async def _read_there(tables):
    """The client is at one server. Another one, and a program without a listener, read what it writes."""
    async with Node(tables.open()) as first, Node(tables.open()) as second, await attached(tables.open()) as third:
        client = ChannelClient(first.port)
        await within(client.connect())
        lines = third["a"].lines()
        for text in ("one", "two", "three"):
            await within(client.write(text))
            assert await within(anext(lines)) == text + "\n"
        client.send(20, b"on a channel")
        assert (await within(second.conn.channel(20).receive())).data == b"on a channel"
        assert first.conn.status() and client.up
        assert [event for event, _ in first.told if event == "disconnected"] == []
        assert await tables.fetch("SELECT owner FROM {schema}.client") == [(1,)]  # nobody has claimed it by reading
        waiting = first.store.unread("a")[0]
        while waiting > 1:  # what was processed is deleted where the client is
            await asyncio.sleep(0.02)
            waiting = first.store.unread("a")[0]
        client.cut()


def test_client_is_read_elsewhere_and_stays_where_it_is(tables):
    run(_read_there(tables))


def test_line_is_told_by_a_hint(tables, without_polls):
    run(_read_there(tables))


def test_lost_hints_cost_a_second_and_no_line(tables, without_hints):
    run(_read_there(tables))


def test_reader_follows_the_client_from_server_to_server(tables):
    async def main():
        async with Node(tables.open()) as first, Node(tables.open()) as second, await attached(tables.open()) as third:
            lines, client = third["a"].lines(), None
            for turn, node in enumerate((first, second, first, second)):
                if client is not None:
                    client.cut()
                client = Client(node.port)
                await within(client.connect())
                await within(client.write(f"turn {turn}"))
                assert await within(anext(lines)) == f"turn {turn}\n"
            client.cut()

    run(main())


def test_handler_runs_in_a_program_without_a_listener_and_again_when_the_client_comes_again(tables, monkeypatch):
    monkeypatch.setattr(serving, "LOOK_MS", 50)

    async def main():
        async with Node(tables.open()) as node:
            program = Server()
            async with await program.attach(tables.open()):
                calls, ended = [], []

                async def handler(conn):
                    calls.append(await conn.readline())
                    await conn.write("thanks")
                    ended.append(conn.client_id)

                handling = asyncio.create_task(program.serve(handler))
                for turn in range(2):
                    client = Client(node.port)
                    await within(client.connect())
                    await within(client.write(f"turn {turn}"))
                    await within(until(lambda turn=turn: len(ended) > turn))
                    client.cut()
                assert calls == ["turn 0\n", "turn 1\n"]
                handling.cancel()
                await asyncio.wait([handling])

    run(main())


def test_requests_stay_with_the_server_and_say_so(tables):
    async def main():
        async with await attached(tables.open()) as third:
            with pytest.raises(LocalProtocolError, match="in the application of their server"):
                await within(third["a"].request(21, b"", 1000))

    run(main())
