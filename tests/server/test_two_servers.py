"""Two servers on one store: the one that the client has proved itself to last has it, and nothing else decides that."""

import asyncio

import pytest

from protocol.errors import StoreError
from protocol.frame import HELLO
from protocol.session import RESUMING
from server import Connection, MemoryStore, Server
from server.core.printed_log import PrintedLog
from server.stores.default import default_store
from tests.server.channel_peer import ChannelClient
from tests.server.peer import HOST, KEYS, OTHER_KEY, TIMEOUT_MS, Client, Forger, Service, free_port, until, within


class Node:
    """A server as a process of its own would be, in this one. Use: `async with Node(store) as node`."""

    def __init__(self, store, timeout_ms=TIMEOUT_MS):
        self.port = free_port()
        self.server = Server(default_store)
        self.registry = self.server.registry
        self.server.events.subscribe(PrintedLog().note)
        self.server.prepare({"a"}, KEYS, store, timeout_ms)
        self.conn = self.registry.get("a")

    async def __aenter__(self):
        self._task = asyncio.create_task(self.server.listener.serve(HOST, self.port))
        return self

    async def __aexit__(self, *error):
        self._task.cancel()
        await asyncio.wait([self._task])


class Silent(Client):
    """Sends HELLO, and no PROOF."""

    def _send_frame(self, frame):
        if frame[0] == HELLO:
            super()._send_frame(frame)

    def _flush(self):
        pass


async def moved(client, node):
    """The client goes to this server."""
    client.cut()
    client.port = node.port
    await within(client.connect())


def test_unproven_peer_takes_no_client_from_the_other_server():
    async def main():
        store = MemoryStore()
        async with Node(store) as first, Node(store) as second:
            client = Client(first.port)
            await within(client.connect())
            owner = (await store.peek("a"))[0]
            for peer in (Client(second.port, key=OTHER_KEY), Forger(second.port)):
                await peer.refused()
            silent = Silent(second.port)
            silent._task = asyncio.create_task(silent._run())
            await until(lambda: silent.session.state == RESUMING, "WELCOME")
            assert (await store.peek("a"))[0] == owner
            await client.write("undisturbed")
            assert await within(first.conn.readline()) == "undisturbed\n"
            await within(first.conn.write("either"))
            assert client.lines == ["either\n"] and client.up
            silent.cut()

    asyncio.run(main())


def test_client_that_goes_to_another_server_and_back_loses_and_doubles_nothing():
    async def main():
        async with Node(store := MemoryStore()) as first, Node(store) as second:
            client = Client(first.port)
            expected = []
            for i, node in enumerate([first, second, first, first, second, second, first]):
                await moved(client, node)
                await client.write(f"up {i}")
                assert await within(node.conn.readline()) == f"up {i}\n"
                await within(node.conn.write(f"down {i}"))
                expected.append(f"down {i}\n")
            assert client.lines == expected

    asyncio.run(main())


def test_server_that_lost_the_client_writes_nothing_until_it_comes_back():
    async def main():
        async with Node(store := MemoryStore()) as first, Node(store) as second:
            client = Client(first.port)
            await within(client.connect())
            await moved(client, second)
            with pytest.raises(StoreError, match="another owner"):
                await within(first.conn.write("from the wrong one", wait=False))
            await within(second.conn.write("from the right one"))
            await moved(client, first)
            await within(first.conn.write("again"))
            assert client.lines == ["from the right one\n", "again\n"]

    asyncio.run(main())


def test_proof_for_a_store_that_was_replaced_since_its_welcome_is_refused(capsys):
    async def main():
        class Forgetful(MemoryStore):
            """Loses everything between WELCOME and PROOF, once."""

            forgets = 1

            async def claim(self, *args):
                if self.forgets:
                    self.forgets -= 1
                    self._clients.clear()
                return await super().claim(*args)

        async with Node(Forgetful()) as node:
            client = Client(node.port)
            await client.refused()
            assert node.conn.nconns == 0
            await within(client.connect())

    asyncio.run(main())
    assert "late proof: another server has claimed this client since its WELCOME" in capsys.readouterr().out


def test_server_that_stands_by_takes_no_client():
    async def main():
        async with Node(store := MemoryStore()) as first:
            client = Client(first.port)
            await within(client.connect())
            async with Node(store) as second:
                await within(second.conn.write("nobody is there", qos=False))
                await client.write("x")
                assert await within(first.conn.readline()) == "x\n"
                assert (await store.peek("a"))[0] == 1 and client.up

    asyncio.run(main())


def test_line_of_the_server_without_the_client_reaches_it_through_the_other():
    async def main():
        async with Node(store := MemoryStore()) as first, Node(store) as second:
            client = Client(first.port)
            await within(client.connect())
            await within(second.conn.write("from the second", wait=False))
            await client.write("x")
            await client.ended()  # the first is not the owner any longer
            await within(client.connect())
            assert await within(client.expect(1)) == ["from the second\n"]
            assert await within(first.conn.readline()) == "x\n"
            with pytest.raises(StoreError, match="another owner"):
                await within(second.conn.write("fenced"))

    asyncio.run(main())


class Own(Node):
    """A server whose lines are its own: it has a store that no other has."""

    def __init__(self):
        super().__init__(MemoryStore())
        self.events = []
        self.server.events.subscribe(lambda event, client_id, details: self.events.append(event))


def test_two_servers_of_one_process_share_nothing():
    """Two ports, two stores, and one client id on both."""

    async def main():
        async with Own() as first, Own() as second:
            clients = Client(first.port), Client(second.port)
            for node, client in zip((first, second), clients):
                await within(client.connect())
                await client.write(f"to {node.port}")
                await within(client.acknowledged())
                await within(node.conn.write(f"from {node.port}"))
            assert first.conn is not second.conn
            for node, client in zip((first, second), clients):
                assert await within(node.server.client_conn("a")) is node.conn
                assert await within(node.conn.readline()) == f"to {node.port}\n"
                assert client.lines == [f"from {node.port}\n"]
                assert node.conn.nconns == node.events.count("connected") == 1
            await Client(second.port, key=OTHER_KEY).refused()
            counts = [sum(node.server.events.refusals.values()) for node in (first, second)]
            assert counts == [0, 1]
            first.conn.close_all()
            await clients[0].ended()
            assert clients[1].up

    asyncio.run(main())


def test_connections_of_all_clients_of_the_process_server_alone_are_closed_by_the_class():
    async def main():
        async with Own() as own, Service() as service:
            clients = Client(own.port), Client(service.port)
            for client in clients:
                await within(client.connect())
            Connection.close_all()
            await clients[1].ended()
            assert clients[0].up

    asyncio.run(main())


def test_server_without_a_store_of_its_own_asks_for_one():
    with pytest.raises(TypeError, match="needs a store"):
        asyncio.run(Server().run({"a"}, keys=KEYS))


def test_messages_that_are_not_taken_yet_when_the_client_moves_are_delivered_once_and_in_order():
    """With one store nothing changes. If each server has its own, they count as accepted when the client is back."""

    async def main(shared):
        store = MemoryStore()
        async with Node(store) as first, Node(store if shared else MemoryStore()) as second:
            client = ChannelClient(first.port)
            await within(client.connect())
            client.mute = {20}
            for data in (b"1", b"2"):
                await within(first.conn.channel(20).send(data, wait=False))
            await until(lambda: len(client.open(20).received) == 2, "the messages")
            await moved(client, second)
            waiting = asyncio.create_task(second.conn.channel(20).send(b"3"))
            await until(lambda: len(client.open(20).received) == 3, "the message of the other server")
            assert not waiting.done()
            await moved(client, first)
            box = store._clients["a"].outbox[20]
            await until(lambda: len(box.numbers) == (3 if shared else 0), "what the store has left")
            client.read_again()
            assert await client.messages(20, 3) == [b"1", b"2", b"3"]
            await within(first.conn.channel(20).send(b"4"))
            await moved(client, second)
            await within(second.conn.channel(20).send(b"5"))
            assert client.got[20] == [b"1", b"2", b"3", b"4", b"5"]
            waiting.cancel()

    for shared in (True, False):
        asyncio.run(main(shared))
