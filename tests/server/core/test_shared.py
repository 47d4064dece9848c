"""Writing to a client that another process has, with servers and clients as they are."""

import asyncio

import asyncpg
import pytest

from protocol.channel_records import ANSWER
from protocol.errors import Expired, LinkDown, LocalProtocolError, StoreError
from server import MemoryStore, Server
from server.core.clock import utc_ms
from server.core.shared import Shared
from server.stores import postgres_hints, postgres_mail
from tests.server.channel_peer import ChannelClient
from tests.server.peer import Client, until, within
from tests.server.request_client import ASK, LONG_MS, SERVE, RequestClient
from tests.server.shared_bed import Node, Tables, attached, run

NEVER_S = 3600.0


@pytest.fixture
def tables():
    tables = Tables()
    yield tables
    tables.close()


@pytest.fixture
def without_polls(monkeypatch):
    """What is not told by a hint is not seen."""
    monkeypatch.setattr(postgres_hints, "BEAT_S", NEVER_S)


@pytest.fixture
def without_hints(monkeypatch):
    """All hints are lost."""

    async def lost(self, connection, nodes, now):
        for node in nodes:
            del self._due[node]

    monkeypatch.setattr(postgres_hints.Hints, "_notify", lost)


async def _nothing(conn):
    pass


async def _write_there(tables):
    """The client is at one server, and another one and a process without a listener write to it."""
    async with Node(tables.open()) as first, Node(tables.open()) as second, await attached(tables.open()) as third:
        client, followed = ChannelClient(first.port), []
        await within(client.connect())
        first.conn._registry.line_followers.append(lambda client_id, line: followed.append(line))
        await within(second.conn.write("from the second"))
        await within(third["a"].write("from the third"))
        assert await within(client.expect(2)) == ["from the second\n", "from the third\n"]
        assert followed == [b"from the second", b"from the third"]
        await within(second.conn.channel(20).send("on a channel"))
        await within(third["a"].channel(20).send(b"another"))
        assert [bytes(data) for data in await client.messages(20, 2)] == [b"on a channel", b"another"]
        assert first.conn.status() and client.up
        assert [event for event, _ in first.told if event == "disconnected"] == []
        client.cut()
    assert await tables.fetch("SELECT count(*) FROM {schema}.mail") == [(0,)]


def test_line_reaches_a_client_of_another_server_by_hints_alone(tables, without_polls):
    run(_write_there(tables))


def test_line_reaches_a_client_of_another_server_without_hints(tables, without_hints):
    run(_write_there(tables))


def test_lines_keep_the_order_of_the_calls_and_come_once_while_the_client_moves(tables):
    async def main():
        async with Node(tables.open()) as first, Node(tables.open()) as second, await attached(tables.open()) as third:
            client = Client(first.port)
            await within(client.connect())

            async def write(conn, name):
                for number in range(40):
                    await conn.write(f"{name} {number}", wait=number % 8 == 7)

            writers = [
                asyncio.create_task(write(conn, name))
                for conn, name in ((first.conn, "first"), (second.conn, "second"), (third["a"], "third"))
            ]
            nodes, turn = (first, second), 0
            while not all(writer.done() for writer in writers):
                turn += 1
                client.cut()
                client.port = nodes[turn % 2].port
                await within(client.connect())
                count = len(client.lines)
                await until(
                    lambda seen=count: len(client.lines) > seen + 5 or all(writer.done() for writer in writers)
                )
            for result in await asyncio.gather(*writers, return_exceptions=True):
                # Who waits at a server for an acknowledgement while the client goes away from it is told so.
                assert result is None or isinstance(result, StoreError), result
            client.cut()
            await within(client.connect())
            await within(third["a"].write("end"))
            for name in ("first", "second", "third"):
                numbers = [int(line.split()[1]) for line in client.lines if line.startswith(name)]
                assert numbers == list(range(len(numbers))), (name, numbers)
            assert len([line for line in client.lines if line.startswith("third")]) == 40
            assert turn > 2

    run(main())


def test_client_that_is_connected_nowhere_is_not_claimed_by_a_writer_and_gets_the_line_when_it_comes(tables):
    async def main():
        async with Node(tables.open()) as first, await attached(tables.open()) as third:
            await within(first.conn.write("of the server", wait=False))
            await within(third["a"].write("of the process", wait=False))
            assert await tables.fetch("SELECT owner FROM {schema}.client") == [(0,)]
            client = Client(first.port)
            await within(client.connect())
            assert sorted(await within(client.expect(2))) == ["of the process\n", "of the server\n"]
            client.cut()

    run(main())


def test_what_a_process_has_mailed_goes_before_what_it_writes_directly(tables, without_polls):
    async def main():
        async with Node(tables.open()) as first:
            for number in range(3):
                await within(first.conn.write(f"{number}", wait=False))
            client = Client(first.port)
            client.reading = False
            connecting = asyncio.create_task(client.connect())
            await until(first.conn.here)
            for number in range(3, 6):
                await within(first.conn.write(f"{number}", wait=False))
            client.read_again()
            await within(connecting)
            assert await within(client.expect(6)) == [f"{number}\n" for number in range(6)]
            client.cut()

    run(main())


def test_mail_that_comes_while_the_client_is_claimed_goes_before_what_is_written_directly(
    tables, without_polls, without_hints, monkeypatch
):
    """It was not there when the client was claimed, and no hint tells of it."""
    true = postgres_hints.Hints.tell
    monkeypatch.setattr(
        postgres_hints.Hints, "tell", lambda self, node, *more: node == self._node or true(self, node, *more)
    )

    async def main():
        async with Node(tables.open()) as first:
            letters = first.store.others._letters
            perform = letters._call

            async def late(function, *args):
                while function is postgres_mail.put and not first.conn.here():
                    await asyncio.sleep(0.01)
                return await perform(function, *args)

            letters._call = late
            write = asyncio.create_task(first.conn.write("first", wait=False))
            await until(lambda: letters._lines, "the call")
            client = Client(first.port)
            await within(client.connect())
            await within(write)
            await within(first.conn.write("second", wait=False))
            assert await within(client.expect(2)) == ["first\n", "second\n"]
            client.cut()

    run(main())


@pytest.mark.parametrize("channel", [0, 20])
def test_client_that_comes_to_the_server_whose_call_waits_for_room_in_its_mail_gets_it_all(tables, channel):
    """The call has its turn, and room comes when the mail is moved, which takes its turn too."""

    async def main():
        async with Node(tables.open(outbox_bytes=300, channel_bytes=300)) as first:
            text, conn = 80 * "x", first.conn

            async def write(number):
                line = f"{number} {text}"
                await (conn.channel(channel).send(line, wait=False) if channel else conn.write(line, wait=False))

            writes = [asyncio.create_task(write(number)) for number in range(6)]
            await until(lambda: any(line.full for line in first.store.others._letters._lines.values()), "full mail")
            assert not all(one.done() for one in writes)
            client = ChannelClient(first.port)
            await within(client.connect())
            wanted = [f"{number} {text}" for number in range(6)]
            if channel:
                assert [str(one, "utf-8") for one in await within(client.messages(channel, 6))] == wanted
            else:
                assert await within(client.expect(6)) == [line + "\n" for line in wanted]
            await within(asyncio.gather(*writes))
            client.cut()

    run(main())


def test_status_is_that_of_all_servers(tables, without_polls):
    async def main():
        async with Node(tables.open()) as first, await attached(tables.open()) as third:
            assert not third["a"].status()
            client = Client(first.port)
            waiting = asyncio.create_task(third["a"].wait_connected())
            await within(client.connect())
            await within(waiting)
            assert third["a"].status() and third["a"].nconns == 1
            client.cut()
            await until(lambda: not third["a"].status())
            await within(client.connect())
            await until(lambda: third["a"].nconns == 2)
            client.cut()

    run(main())


def test_client_of_a_server_that_says_nothing_counts_as_absent(tables):
    async def main():
        server, third = tables.open(), tables.open()
        state = await server.claim("a")
        server.others.present("a", state.owner, True)
        await until(lambda: server.commits, "the row")
        async with await attached(third) as clients:
            clients["a"].status()
            assert not await third.others.elsewhere("b")
            while not await third.others.elsewhere("a"):  # it has just been there
                await asyncio.sleep(0.01)
            await tables.fetch("UPDATE {schema}.node SET seen = now() - interval '6 s' WHERE id = $1", server.node)
            assert not await third.others.elsewhere("a")
            await until(lambda: third.others.seen("a").connections == 1 and not clients["a"].status())

    run(main())


def test_process_that_has_nothing_to_do_sends_one_statement_in_each_beat(tables):
    """Whatever number of clients there is."""

    async def main():
        store, statements = tables.open(), []
        for number in range(100):
            await store.claim(f"client {number}")
        beat, perform = store.others._hints._beat, store._database.perform

        async def counted(connection):
            statements.append(connection)
            await beat(connection)

        store.others._hints._beat = counted
        store._database.perform = lambda *args: statements.append(args) or perform(*args)
        async with store.others.used():
            await until(lambda: len(statements) == 3, "three beats")
        assert all(isinstance(one, asyncpg.Connection) for one in statements)

    run(main())


def test_line_without_qos_reaches_a_client_elsewhere_and_none_that_is_absent(tables):
    async def main():
        async with Node(tables.open()) as first, await attached(tables.open()) as third:
            await within(third["a"].write("to nobody", qos=False))
            client = ChannelClient(first.port)
            await within(client.connect())
            await until(third["a"].status)
            await within(third["a"].write("now", qos=False))
            await within(third["a"].channel(20).send("too", qos=False))
            assert await within(client.expect(1)) == ["now\n"]
            assert [bytes(data) for data in await client.messages(20, 1)] == [b"too"]
            client.cut()
        assert await tables.fetch("SELECT count(*) FROM {schema}.outbox") == [(0,)]

    run(main())


@pytest.mark.parametrize("moved", [False, True])
def test_message_whose_time_is_over_is_told_to_the_process_that_has_sent_it(tables, moved):
    async def main():
        async with Node(tables.open()) as first, await attached(tables.open()) as third:
            client = ChannelClient(first.port)
            if moved:
                client.mute = {20}
                await within(client.connect())
                await within(third["a"].channel(20).send("read later", wait=False))
            begin = utc_ms()
            ttl_ms = 3000 if moved else 500  # it must be with the client before, on a busy machine too
            send = asyncio.create_task(third["a"].channel(20).send("soon", ttl_ms=ttl_ms))
            if moved:
                await until(lambda: len(client.open(20).received) == 2, "the message")
                await until(lambda: utc_ms() > begin + ttl_ms + 500, "the end of its time")
                client.read_again()
            with pytest.raises(Expired, match="channel 20"):
                await within(send)
            await within(third["a"].channel(20).send("for ever", wait=False))
            if not moved:
                await within(client.connect())
            client.read_again()
            count = 2 if moved else 1
            got = [bytes(data) for data in await client.messages(20, count)]
            assert got == [b"read later", b"for ever"][-count:]
            client.cut()

    run(main())


def test_message_whose_time_is_over_after_the_client_has_moved_is_told_to_who_has_sent_it(tables):
    async def main():
        nodes = Node(tables.open()), Node(tables.open())
        async with nodes[0] as first, nodes[1] as second, await attached(tables.open()) as third:
            client = ChannelClient(first.port)
            client.mute = {20}
            await within(client.connect())
            begin = utc_ms()
            send = asyncio.create_task(third["a"].channel(20).send("soon", ttl_ms=2000))
            await until(lambda: client.open(20).received, "the message")
            client.cut()
            client.port = second.port
            await within(client.connect())
            await until(lambda: utc_ms() > begin + 2500, "the end of its time")
            client.read_again()
            with pytest.raises(Expired):
                await within(send)
            assert client.got == {}
            client.cut()

    run(main())


def test_what_is_discarded_is_told_to_who_waits_for_it(tables):
    async def main():
        async with Node(tables.open()) as first, await attached(tables.open()) as third:
            client = Client(first.port)
            client.reading = False
            await within(client.connect())
            write = asyncio.create_task(third["a"].write("never read"))

            async def in_the_outbox():
                while await tables.fetch("SELECT count(*) FROM {schema}.outbox") != [(1,)]:
                    await asyncio.sleep(0.01)

            await within(in_the_outbox())
            client.cut()
            assert await within(first.conn.discard()) == 1
            with pytest.raises(StoreError, match="was deleted"):
                await within(write)

    run(main())


def test_call_that_is_cancelled_while_it_waits_for_the_client_leaves_its_line(tables):
    async def main():
        async with Node(tables.open()) as first, await attached(tables.open()) as third:
            write = asyncio.create_task(third["a"].write("stays"))

            async def in_the_mail():
                while await tables.fetch("SELECT count(*) FROM {schema}.mail") != [(1,)]:
                    await asyncio.sleep(0.01)

            await within(in_the_mail())
            write.cancel()
            await asyncio.wait([write])
            client = Client(first.port)
            await within(client.connect())
            assert await within(client.expect(1)) == ["stays\n"]
            client.cut()

    run(main())


def test_server_that_has_lost_a_client_is_told_and_its_writers_write_to_the_other_one(tables, without_polls):
    async def main():
        async with Node(tables.open()) as first, Node(tables.open()) as second:
            client = Client(first.port)
            await within(client.connect())
            await within(first.conn.write("here"))
            client._half_open.append(client._writer)  # the first server does not see that it goes
            client.port = second.port
            await within(client.connect())
            await until(lambda: not first.conn.here(), "the first server's loss")
            await within(first.conn.write("there"))
            assert await within(client.expect(2)) == ["here\n", "there\n"]
            assert client.up
            client.cut()

    run(main())


def test_server_with_a_handler_of_requests_claims_no_client_for_it(tables, monkeypatch):
    """It answers when the client comes: one that is between two servers is not taken from the one that gets it."""
    asked = []

    async def free(self):
        asked.append(self)

    monkeypatch.setattr(Shared, "free", free)

    async def main():
        async with Node(tables.open()) as first, Node(tables.open()) as second:
            second.conn.on_request(SERVE, lambda data: b"answer to " + data)
            client = RequestClient(first.port)
            await within(client.connect())
            await until(second.conn.status, "the client, seen by the other server")
            client.cut()
            await until(lambda: not second.conn.status(), "its end")
            assert not asked and not second.conn.here()
            client = RequestClient(second.port)
            await within(client.connect())
            client.ask(1, b"it")
            await within(client.has_answer(1))
            assert client.answered[1] == (ANSWER, b"answer to it")
            assert not asked
            client.cut()

    run(main())


def test_request_to_a_client_of_another_server_fails_at_once_and_works_again_when_nobody_has_it(tables):
    async def main():
        async with Node(tables.open()) as first, Node(tables.open()) as second:
            client = RequestClient(first.port)
            await within(client.connect())
            await until(second.conn.status, "the client, seen by the other server")
            for wait in (True, False):
                with pytest.raises(LinkDown, match="is connected to another server|absent"):
                    await within(second.conn.request(ASK, b"abc", LONG_MS, wait=wait))
            assert await within(first.conn.request(ASK, b"abc", LONG_MS)) == b"cba"
            client.cut()
            client.port = second.port
            await within(client.connect())
            await until(lambda: not first.conn.here(), "the first server's loss")
            with pytest.raises(LinkDown, match="a is connected to another server"):
                await within(first.conn.request(ASK, b"abc", LONG_MS))
            client.cut()
            await until(lambda: not first.conn.status(), "its end")
            asked = asyncio.create_task(first.conn.request(ASK, b"abc", LONG_MS))
            await until(first.conn.here, "a claim for the request")
            client.port = first.port
            await within(client.connect())
            assert await within(asked) == b"cba"
            client.cut()

    run(main())


def test_request_whose_client_goes_to_another_server_is_told_so_at_once(tables):
    async def main():
        async with Node(tables.open()) as first, Node(tables.open()) as second:
            client = RequestClient(first.port)
            client.holding = True
            await within(client.connect())
            asked = asyncio.create_task(first.conn.request(ASK, b"abc", LONG_MS))
            await until(lambda: client.held, "the request")
            client.port = second.port
            await within(client.connect())
            with pytest.raises(StoreError, match="gone to another server|claimed"):
                await within(asked)
            client.cut()

    run(main())


def test_lines_are_discarded_from_any_server_and_the_client_comes_back(tables, without_hints):
    async def main():
        async with Node(tables.open()) as first, Node(tables.open()) as second:
            client = Client(first.port)
            await within(client.connect())
            await within(first.conn.write("read"))
            client.reading = False
            for number in range(3):
                await within(first.conn.write(f"{number}", wait=False))
            assert await within(second.conn.discard()) == 3
            assert second.conn.here() and ("discarded", {"lines": 3}) in second.told
            client.reading = True
            client.cut()
            client.lines.clear()
            await within(client.connect())
            await within(second.conn.write("new"))
            assert client.lines[-1] == "new\n" and "0\n" not in client.lines[3:]
            client.cut()

    run(main())


def test_server_from_which_a_client_is_taken_ends_its_connection_also_if_a_hint_is_lost(tables, monkeypatch):
    """The client says nothing: only a hint tells."""
    lost, notify = [], postgres_hints.Hints._notify

    async def lose_one(self, connection, nodes, now):
        if not lost and any("seen" in words for words in self._due.values()):
            lost.append(nodes)
            for node in nodes:
                del self._due[node]
            return
        await notify(self, connection, nodes, now)

    async def main():
        async with Node(tables.open()) as first, Node(tables.open()) as second:
            client = Client(first.port)
            await within(client.connect())
            await until(second.conn.status, "the client, seen by the other server")
            monkeypatch.setattr(postgres_hints.Hints, "_notify", lose_one)
            assert await within(second.conn.discard()) == 0
            await within(client.ended())
            assert lost
            client.port = second.port
            await within(client.connect())
            await within(second.conn.write("new"))
            client.cut()

    run(main())


def test_server_whose_client_was_claimed_before_others_could_see_it_ends_its_connection(tables, without_hints):
    """It finds that out when it writes that the client is connected, for which nobody waits."""

    async def main():
        async with Node(tables.open()) as first, Node(tables.open()) as second:
            present, told = first.store.others.present, []
            first.store.others.present = lambda *args: told.append(args)
            client = Client(first.port)
            await within(client.connect())
            await within(second.conn.available())
            assert second.conn.here() and first.conn.here()
            present(*told[0])
            await within(client.ended())
            await until(lambda: not first.conn.here(), "the first server's loss")

    run(main())


def test_client_that_comes_elsewhere_in_the_middle_of_discarding_is_claimed_again(tables):
    async def main():
        async with Node(tables.open()) as first, Node(tables.open()) as second:
            await within(second.conn.write("gone", wait=False))
            discard, claims = first.store.discard, []

            async def late(client_id, owner):
                if not claims:
                    claims.append(await second.store.claim("a"))
                return await discard(client_id, owner)

            first.store.discard = late
            assert await within(first.conn.discard()) == 1
            assert claims and await tables.fetch("SELECT count(*) FROM {schema}.mail") == [(0,)]

    run(main())


def test_what_needs_a_listener_is_refused_with_what_to_do(tables):
    async def main():
        async with await attached(tables.open()) as third:
            conn = third["a"]
            for call in (conn.discard(), conn.request(21, b"", 1000)):
                with pytest.raises(LocalProtocolError, match="in the application of their server"):
                    await within(call)
            with pytest.raises(LocalProtocolError, match="in the application of their server"):
                conn.on_request(20, bytes)
        with pytest.raises(ValueError, match="PostgresStore"):
            await Server().attach(MemoryStore())

    run(main())


def test_server_is_attached_once_and_again_when_that_has_ended(tables):
    async def main():
        one = Server()
        async with await one.attach(tables.open()):
            with pytest.raises(LocalProtocolError, match="has a store already"):
                await one.attach(tables.open())
        async with await one.attach(tables.open()) as clients:
            await within(clients["a"].write("x", wait=False))

    run(main())
