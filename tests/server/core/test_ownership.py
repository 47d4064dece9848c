"""Handshakes and claims of one client on two servers of one store: the last handshake has it, and the former server's
connection, readers and writers end."""

import asyncio

import pytest

from protocol.errors import StoreError
from server import MemoryStore
from server.core import listener
from server.core.store import Fenced, TakenOver
from tests.server.core.test_take_over import HeldBack
from tests.server.peer import Client, until, within
from tests.server.test_two_servers import Node, moved


class Told(Node):
    """A Node that keeps its events: (name, details)."""

    def __init__(self, store):
        super().__init__(store)
        self.told = []
        self.server.events.subscribe(lambda event, client_id, details: self.told.append((event, details)))

    def names(self):
        return [event for event, _ in self.told]

    async def refused(self):
        """Returns the reason of the one connection that is refused."""
        await until(lambda: "refused" in self.names(), "the refusal")
        return next(details["reason"] for event, details in self.told if event == "refused")


def run(test):
    async def main():
        async with Told(store := MemoryStore()) as first, Told(store) as second:
            await test(store, first, second)

    asyncio.run(main())


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
def test_proof_that_another_server_has_overtaken_is_refused_and_changes_nothing(known):
    async def test(store, first, second):
        client = Client(first.port)
        if known:  # the first server has it, and renews its claim
            await within(client.connect())
            client.cut()
        late = HeldBack(second.port)
        await late.hold()
        await within(client.connect())
        owner = await store.peek("a")
        await late.release()
        assert "late proof: another server has claimed this client" in await second.refused()
        assert second.server.events.refusals["late"] == 1
        assert await store.peek("a") == owner and second.conn.nconns == 0 and second.conn.state is None
        await client.write("undisturbed")
        assert await within(first.conn.readline()) == "undisturbed\n"
        assert client.up and first.names()[-1] == "received"

    run(test)


def test_late_proof_at_the_server_that_lost_the_client_does_not_bring_it_back():
    async def test(store, first, second):
        client = Client(first.port)
        await within(client.connect())
        late = HeldBack(first.port)
        await late.hold()
        await moved(client, second)
        await late.release()
        assert "late proof" in await first.refused()
        await client.write("undisturbed")
        assert await within(second.conn.readline()) == "undisturbed\n"
        assert client.up

    run(test)


def test_handshakes_at_once_on_two_servers_cost_one_of_them_another_attempt():
    async def test(store, first, second):
        peers = [HeldBack(node.port) for node in (first, second)]
        for peer in peers:
            await peer.hold()
        peers[1]._writer.write(peers[1].held)
        peers[1].held = None
        await until(lambda: peers[1].up, "the connection at the second server")
        await peers[0].release()
        assert first.server.events.refusals["late"] == 1 and second.server.events.refusals["late"] == 0
        again = Client(first.port)
        await within(again.connect())
        assert first.conn.status()

    run(test)


def test_handshakes_at_once_on_one_server_fail_none_of_them():
    async def test(store, first, second):
        peers = [HeldBack(first.port) for _ in range(2)]
        for peer in peers:  # one life of the client after the other
            await peer.hold()
        for peer in peers:
            peer._writer.write(peer.held)
            peer.held = None
            await until(lambda peer=peer: peer.up, "the connection")
        assert sum(first.server.events.refusals.values()) == 0 and first.conn.nconns == 2

    run(test)


def test_application_that_claims_between_welcome_and_proof_fails_no_proof():
    async def test(store, first, second):
        peer = HeldBack(first.port)
        await peer.hold()
        await within(first.conn.write("waits", wait=False))
        peer._writer.write(peer.held)
        peer.held = None
        assert await within(peer.expect(1)) == ["waits\n"]

    run(test)


# A server that is told, or finds


async def taken(client, first, second):
    """The client goes to the second server, and the first one is told."""
    await moved(client, second)
    owner = (await second.registry.store.peek("a"))[0]
    first.registry.taken_over("a", owner)
    return owner


def test_server_that_is_told_ends_readers_and_writers_at_once():
    async def test(store, first, second):
        client = Client(first.port)
        client.reading = False
        await within(client.connect())
        calls = (first.conn.readline(), first.conn.write("x"), first.conn.channel(20).receive())
        waiting = [asyncio.create_task(call) for call in calls]
        await until(lambda: (client._hand_over(), len(client.session.lines))[1] == 1, "the line")
        await taken(client, first, second)
        for one in waiting:
            with pytest.raises(TakenOver, match="another owner has claimed a"):
                await within(one)
        assert first.names().count("taken_over") == 1 and "store_failed" not in first.names()
        client.read_again()
        assert await within(client.expect(1)) == ["x\n"]
        await moved(client, first)
        await client.write("back")
        assert await within(first.conn.readline()) == "back\n"

    run(test)


def test_server_that_is_told_ends_a_connection_that_is_still_open():
    async def test(store, first, second):
        client, twin = Client(first.port), Client(second.port)
        twin.epoch = client.epoch
        await within(client.connect())
        await within(twin.connect())
        assert client.up
        first.registry.taken_over("a", (await store.peek("a"))[0])
        await client.ended()
        assert not first.conn.status() and twin.up

    run(test)


def test_hint_that_is_old_changes_nothing():
    async def test(store, first, second):
        client = Client(first.port)
        await within(client.connect())
        owner = await taken(client, first, second)
        await moved(client, first)
        await moved(client, first)
        for old in (0, owner, owner + 1, owner + 2):
            first.registry.taken_over("a", old)
        first.registry.taken_over("nobody", 99)
        await client.write("undisturbed")
        assert await within(first.conn.readline()) == "undisturbed\n"
        assert client.up

    run(test)


def test_server_that_is_not_told_finds_it_at_its_next_write():
    async def test(store, first, second):
        client = Client(first.port)
        await within(client.connect())
        reader = asyncio.create_task(first.conn.readline())
        await moved(client, second)
        with pytest.raises(Fenced):
            await within(first.conn.write("late", wait=False))
        with pytest.raises(Fenced):
            await within(reader)
        assert first.names().count("taken_over") == 1

    run(test)


def test_handler_of_a_client_that_went_is_called_again_when_it_is_back_and_has_not_failed():
    async def test(store, first, second):
        calls = []

        async def answer(conn):
            async for line in conn.lines():
                await conn.write("to " + line)

        async def handler(conn):
            calls.append(conn.client_id)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(answer(conn))
                tasks.create_task(conn.channel(20).receive())

        serving = asyncio.create_task(first.server.serve(handler))
        client = Client(first.port)
        await within(client.connect())
        await client.write("one")
        await until(lambda: store.unread("a") == (0, 1), "the removal of the line")
        await taken(client, first, second)
        await until(lambda: "taken_over" in first.names(), "the end of the handler")
        await moved(client, first)
        await client.write("two")
        assert await within(client.expect(2)) == ["to one\n", "to two\n"]
        assert calls == ["a", "a"] and "handler_failed" not in first.names()
        serving.cancel()

    run(test)


# Two boards with one id


def test_boards_with_one_id_on_two_servers_are_reported():
    async def test(store, first, second):
        boards = [Client(first.port), Client(second.port)]
        for i in range(3):
            for board in boards:
                board.cut()
                await within(board.connect())
                await board.write(f"line {i}")
                await within(board.acknowledged())
        details = [details for event, details in first.told if event == "same_id"]
        assert [one["other"] for one in details] == ["another server"]
        assert "same_id" in second.names()

    run(test)


def test_client_that_restarts_on_one_server_and_comes_to_the_other_is_no_second_board():
    async def test(store, first, second):
        for _ in range(3):
            for node, other in ((first, second), (second, first), (second, first), (first, second)):
                client = Client(node.port)
                await within(client.connect())
                await client.write("x")
                await within(client.acknowledged())
                await moved(client, other)
                await client.write("y")
                await within(client.acknowledged())
                client.cut()
        assert "same_id" not in first.names() + second.names()

    run(test)


def test_handshake_that_the_store_is_too_slow_for_breaks_no_call_that_waits(monkeypatch):
    """The store renews when nobody waits for it any longer, as PostgreSQL does when it is back."""
    monkeypatch.setattr(listener, "HANDSHAKE_MS", 300)

    class Slow(MemoryStore):
        gate = None

        async def renew(self, client_id, owner):
            number = await super().renew(client_id, owner)
            if self.gate is not None:
                await self.gate.wait()
            return number

    async def main():
        async with Told(store := Slow()) as node:
            client = Client(node.port)
            await within(client.connect())
            client.cut()
            writing = asyncio.create_task(node.conn.write("waits"))
            store.gate = asyncio.Event()
            client._task = asyncio.create_task(client._run())
            assert "no answer of the store" in await node.refused()
            await client.ended()
            store.gate.set()
            await within(client.connect())
            await within(writing)
            assert client.lines == ["waits\n"] and "store_failed" not in node.names()

    asyncio.run(main())


def test_failing_store_is_a_refusal_that_says_so():
    class Failing(MemoryStore):
        fails = False

        async def renew(self, client_id, owner):
            if self.fails:
                raise RuntimeError("disk full")
            return await super().renew(client_id, owner)

    async def main():
        async with Told(store := Failing()) as node:
            client = Client(node.port)
            await within(client.connect())
            client.cut()
            store.fails = True
            await Client(node.port).refused()
            assert "disk full" in await node.refused() and node.server.events.refusals["store"] == 1
            with pytest.raises(StoreError, match="disk full"):
                await within(node.conn.write("x"))
            await within(client.connect())  # claimed anew, as after any failure of the store
            await client.write("back")
            assert await within(node.conn.readline()) == "back\n"

    asyncio.run(main())


