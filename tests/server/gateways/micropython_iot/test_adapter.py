"""A client that speaks the line protocol of micropython-iot, written from the protocol's description."""

import asyncio
import contextlib
from types import SimpleNamespace

import pytest

import server
from protocol.errors import Expired, StoreError
from protocol.sender import Sender
from server import client_conn
from server.gateways.micropython_iot.gateway import Gateway
from server.gateways.micropython_iot.message_ids import Memory
from server.service.cli import main
from server.stores.sqlite import SQLiteStore
from tests.server.all_stores import TemporaryStore
from tests.server.gateways.host import make_host
from tests.server.peer import Client, open_stream, until, within
from tests.server.service.test_cli import Server as Process
from tests.server.test_two_servers import Node

TIMEOUT_MS = 1000


class OldClient:
    """The client between two starts. `deaf`: it never sees an acknowledgement.

    As a real one it connects again when it is cut off, which also comes of a machine that is slow for TIMEOUT_MS.
    """

    def __init__(self, port, client_id="old"):
        self.port = port
        self.client_id = client_id
        self.lines = []
        self.keepalives = 0
        self.deaf = False
        self._next = 0
        self._pending = {}  # id -> bytes
        self._had = []
        self._task = None

    async def connect(self):
        await self._open()
        self._task = asyncio.create_task(self._run())

    async def _open(self):
        self._reader, self._writer = await open_stream(self.port)
        self._writer.write(f"{self.client_id}\n".encode())
        for data in self._pending.values():
            self._writer.write(data)

    async def cut(self):
        self._task.cancel()
        self._writer.transport.abort()
        await asyncio.wait([self._task])

    def send(self, text):
        number = self._next
        self._next = number % 255 + 1
        data = self._pending[number] = b"%02x%s\n" % (number, text.encode())
        self._writer.write(data)

    def send_again(self):
        for data in self._pending.values():
            self._writer.write(data)

    async def acknowledged(self):
        await until(lambda: not self._pending, "the acknowledgements")

    async def _run(self):
        while True:
            await self._exchange()
            await asyncio.sleep(TIMEOUT_MS / 4000)
            with contextlib.suppress(OSError):
                await self._open()

    async def _exchange(self):
        ticking = asyncio.create_task(self._tick())
        with contextlib.suppress(OSError):
            try:
                while line := await self._reader.readline():
                    self._take(line)
            finally:
                ticking.cancel()

    async def _tick(self):
        while True:
            self._writer.write(b"\n")
            await asyncio.sleep(TIMEOUT_MS / 4000)

    def _take(self, line):
        if line == b"\n":
            self.keepalives += 1
        elif len(line) == 3:
            if not self.deaf:
                self._pending.pop(int(line, 16), None)
        else:
            number = int(line[:2], 16)
            if not self.deaf:
                self._writer.write(b"%02x\n" % number)
            if number == 0:
                self._had.clear()
            if number not in self._had:
                self._had.append(number)
                self.lines.append(line[2:].decode())


class OldNode(Node):
    """A server that has allowed the client "old"."""

    def __init__(self, store, ids=("old",)):
        super().__init__(store, TIMEOUT_MS)
        server._server = self.server
        host = make_host(
            registry=self.registry, store=store, timeout_ms=TIMEOUT_MS,
            take_connections=lambda admit: setattr(self.server.listener, "admit_other", admit),
        )  # fmt: skip
        Gateway(SimpleNamespace(allow_legacy=list(ids)), host)


def played(play, *args, store=None):
    async def main():
        chosen = store or server.MemoryStore()
        async with OldNode(chosen, *args) as node:
            await play(node)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    asyncio.run(main())


async def read(conn, count):
    return [await within(conn.readline()) for _ in range(count)]


def test_client_has_lines_only_and_what_is_sent_on_a_channel_waits_in_the_store():
    async def play(node):
        client = OldClient(node.port)
        await client.connect()
        conn = await within(client_conn("old"))
        channel = conn.channel(20)
        await within(channel.send(b"waits", wait=False))
        with pytest.raises(Expired):
            await within(channel.send(b"late", ttl_ms=50))
        await within(channel.send(b"lost", qos=False))
        await within(conn.write("down"))
        client.send("up")
        assert await read(conn, 1) == ["up\n"]
        with pytest.raises(asyncio.TimeoutError):
            await channel.receive(50)
        assert client.lines == ["down\n"]
        (waiting,) = await node.registry.store.backlogs()
        assert (waiting["lines"], waiting["bytes"]) == (2, len(b"waits")), "the late one keeps its number"
        assert conn.status() and conn.nconns == 1
        await client.cut()

    played(play)


@pytest.mark.parametrize("kind", [server.MemoryStore, TemporaryStore])
def test_lines_go_both_ways(kind):
    async def play(node):
        client = OldClient(node.port)
        await client.connect()
        conn = await within(client_conn("old"))
        for number in range(300):  # the ids come again
            client.send(f"up {number}")
            if number % 20 == 0:
                await client.acknowledged()
        assert await read(conn, 300) == [f"up {number}\n" for number in range(300)]
        for number in range(5):
            await within(conn.write(f"down {number}", wait=False))
        await until(lambda: len(client.lines) == 5, "the lines")
        assert client.lines == [f"down {number}\n" for number in range(5)]
        assert client.keepalives and node.conn.nconns == 0
        await client.cut()

    played(play, store=kind())


def test_line_is_acknowledged_when_it_is_stored_and_repeated_ones_are_not_delivered_again():
    async def play(node):
        client = OldClient(node.port)
        await client.connect()
        conn = await within(client_conn("old"))
        client.send("first")
        await client.acknowledged()
        client.deaf = True
        for text in "abc":
            client.send(text)
        assert await read(conn, 4) == ["first\n", "a\n", "b\n", "c\n"]
        client.send_again()
        await client.cut()
        await until(lambda: not conn.status(), "the end")
        client.deaf = False
        await client.connect()
        await client.acknowledged()
        client.send("d")
        assert await read(conn, 1) == ["d\n"]
        await client.cut()

    played(play)


def test_first_message_that_comes_again_is_delivered_once():
    async def play(node):
        client = OldClient(node.port)
        client.deaf = True
        await client.connect()
        conn = await within(client_conn("old"))
        client.send("booted")
        assert await read(conn, 1) == ["booted\n"]
        client.send_again()
        await client.cut()
        await until(lambda: not conn.status(), "the end")
        client.deaf = False
        await client.connect()
        await client.acknowledged()
        client.send("next")
        assert await read(conn, 1) == ["next\n"]
        await client.cut()

    played(play)


@pytest.mark.parametrize("how", ["it said more", "it lived on"])
def test_first_message_after_a_restart_is_delivered_although_it_is_the_same(how):
    async def play(node):
        client = OldClient(node.port)
        await client.connect()
        conn = await within(client_conn("old"))
        client.send("booted")
        if how == "it said more":
            client.send("more")
        await client.acknowledged()
        if how == "it lived on":
            await asyncio.sleep(2.1 * TIMEOUT_MS / 1000)
        await client.cut()
        await until(lambda: not conn.status(), "the end")
        again = OldClient(node.port)
        await again.connect()
        again.send("booted")
        await again.acknowledged()
        assert await read(conn, 3 if how == "it said more" else 2) == [
            "booted\n", *["more\n"] * (how == "it said more"), "booted\n"
        ]  # fmt: skip
        await again.cut()

    played(play)


def test_line_to_a_client_that_does_not_acknowledge_is_sent_again():
    async def play(node):
        client = OldClient(node.port)
        client.deaf = True
        await client.connect()
        conn = await within(client_conn("old"))
        writing = asyncio.create_task(conn.write("x"))
        await until(lambda: client.lines, "the line")
        await client.cut()
        client.deaf = False
        assert not writing.done()
        await until(lambda: not conn.status(), "the end")
        await client.connect()
        await within(writing)
        assert set(client.lines) == {"x\n"}
        await client.cut()

    played(play)


async def answer(port, data):
    reader, writer = await open_stream(port)
    writer.write(data)
    try:
        return await within(reader.read(-1))
    except ConnectionResetError:  # it does not read on for the sake of a refusal
        return b""
    finally:
        writer.close()


STRANGE = [b"a\n00x\n", b"unknown\n", b"\xff\xfe\n", b"x" * 70000, b"\n"]
STRANGE += [b"old\nxyz\n", b"old\n00\xff\n", b"old\n+1x\n", b"old\n7\n", b"old\n" + b"0" * 70000]


@pytest.mark.parametrize("data", STRANGE, ids=range(len(STRANGE)))
def test_nobody_else_is_served(data, capsys):
    async def play(node):
        client = Client(node.port)
        await within(client.connect())
        assert (await answer(node.port, data)).strip(b"\n") in (b"", b"\0\3\4\2\1")
        await client.write("undisturbed")
        assert await within(node.conn.readline()) == "undisturbed\n" and client.up
        assert node.registry.get("old").nconns == (1 if data.startswith(b"old") else 0)
        assert not data.startswith(b"old") or await within(node.registry.store.look("old", 1, 0)) is None
        client.cut()

    played(play)
    assert "Traceback" not in capsys.readouterr().err


def test_second_client_of_one_name_is_refused_while_the_first_is_there():
    async def play(node):
        client = OldClient(node.port)
        await client.connect()
        await within(client_conn("old"))
        await answer(node.port, b"old\n")
        client.send("still here")
        await client.acknowledged()
        await client.cut()

    played(play)


def test_silent_one_is_given_up():
    async def play(node):
        reader, writer = await open_stream(node.port)
        writer.write(b"old\n")
        conn = await within(client_conn("old"))
        await until(lambda: not conn.status(), "the end", 4 * TIMEOUT_MS / 1000)
        writer.close()

    played(play)


def test_id_with_a_key_is_not_served_without_it():
    async def play(node):
        await answer(node.port, b"a\n00x\n")
        assert node.registry.get("a").nconns == 0

    played(play)


def test_first_message_that_comes_again_and_again_takes_one_timer():
    async def play(node):
        reader, writer = await open_stream(node.port)
        writer.write(b"old\n")
        for _ in range(100):
            writer.write(b"00x\n")
            while await within(reader.readline()) != b"00\n":
                pass
        found = [handle for handle in asyncio.get_running_loop()._scheduled if "_start_is_over" in repr(handle)]
        assert len(found) == 1
        writer.close()
        await until(lambda: found[0].cancelled(), "the end of the timer")

    played(play)


# Restarts of the server

def restarted(*plays):
    """Play one after the other, each with a server of its own on the same file."""

    async def main():
        for play in plays:
            store = SQLiteStore("store.db")
            async with OldNode(store) as node:
                await play(node)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0)
            store.close()

    asyncio.run(main())


@pytest.mark.parametrize("texts", [["booted"], ["booted", "a", "b"], [f"{number}" for number in range(60)]], ids=len)
def test_messages_that_come_again_after_a_restart_of_the_server_are_delivered_once(texts):
    client = OldClient(None)

    async def before(node):
        client.port = node.port
        await client.connect()
        await within(client_conn("old"))
        if len(texts) > 1:  # it sends no second message before it knows of the first
            client.send(texts[0])
            await client.acknowledged()
        client.deaf = True
        for text in texts[len(texts) > 1 :]:
            client.send(text)
        await until(lambda: stored(node) == len(texts), "the lines in the store")
        await client.cut()

    def stored(node):
        return node.registry.get("old")._session.ack

    async def after(node):
        client.port = node.port
        client.deaf = False
        await client.connect()
        await client.acknowledged()
        client.send("last")
        conn = await within(client_conn("old"))
        assert await read(conn, len(texts) + 1) == [f"{text}\n" for text in [*texts, "last"]]
        await client.acknowledged()
        await client.cut()

    restarted(before, after)


@pytest.mark.parametrize("how", ["other words", "it said more", "it lived on"])
def test_restart_of_the_client_after_one_of_the_server_is_seen(how):
    async def before(node):
        client = OldClient(node.port)
        await client.connect()
        await within(client_conn("old"))
        client.send("booted")
        if how == "it said more":
            client.send("more")
        await client.acknowledged()
        if how == "it lived on":
            await asyncio.sleep(2.3 * TIMEOUT_MS / 1000)
        await client.cut()

    async def after(node):
        client = OldClient(node.port)
        await client.connect()
        text = "again" if how == "other words" else "booted"
        client.send(text)
        await client.acknowledged()
        expected = ["booted\n", *["more\n"] * (how == "it said more"), text + "\n"]
        assert await read(await within(client_conn("old")), len(expected)) == expected
        await client.cut()

    restarted(before, after)


class State:
    def __init__(self, memory, next_number, epoch=None):
        self.peer_epoch = epoch or memory.epoch
        self.cursors = {0: next_number}


@pytest.mark.parametrize("start", [0, 65530])
@pytest.mark.parametrize("count", [1, 10, 150])
def test_messages_that_had_not_come_into_the_store_are_new(start, count):
    for missing in range(min(count, 100) + 1):
        memory = Memory(b"12345678")
        memory.number = start
        memory.start(b"booted")
        for number in range(count):
            memory.add(number)
        again = Memory(b"another.")
        assert again.restore(memory.note(), State(memory, (start + count - missing) & 0xFFFF))
        known = [number for number in range(count) if number in again]
        assert known == list(range(max(0, count - 100), count - missing))
        assert again.number == (start + count - missing) & 0xFFFF and again.epoch == b"12345678"
        assert (again.first is not None) == (0 in known)


def test_note_whose_lines_are_not_in_the_store_is_of_no_use():
    memory, again = Memory(b"12345678"), Memory(b"another.")
    memory.add(5)
    assert not again.restore(memory.note(), State(memory, 9, b"earlier."))
    assert 5 not in again and again.epoch == b"another."


def test_message_whose_note_the_store_refused_is_new_when_it_comes_again():
    class Refusing(server.MemoryStore):
        refusing = False

        def note(self, *args):
            if self.refusing:
                raise StoreError("disk full")
            super().note(*args)

    store = Refusing()

    async def play(node):
        client = OldClient(node.port)
        await client.connect()
        conn = await within(client_conn("old"))
        store.refusing = True
        client.send("booted")
        await until(lambda: not conn.status(), "the end of the connection")
        store.refusing = False
        await client.cut()
        await client.connect()
        await client.acknowledged()
        assert await read(conn, 1) == ["booted\n"]
        await client.cut()

    played(play, store=store)


@pytest.mark.parametrize("before", [0, 1], ids=["the first", "a later one"])
def test_message_for_which_there_is_no_memory_is_new_when_it_comes_again(before, monkeypatch):
    async def play(node):
        client = OldClient(node.port)
        await client.connect()
        conn = await within(client_conn("old"))
        for number in range(before):
            client.send(f"{number}")
            await client.acknowledged()
        client.send("message")
        await until(lambda: not conn.status(), "the end of the connection")
        assert failed == [b"message"]
        await client.cut()
        await client.connect()
        await client.acknowledged()
        client.send("next")
        assert await read(conn, before + 2) == [*(f"{number}\n" for number in range(before)), "message\n", "next\n"]
        await client.cut()

    failed = []
    append = Sender.append

    def fail_once(sender, data, numbered):
        if data == b"message" and not failed:
            failed.append(data)
            raise MemoryError
        return append(sender, data, numbered)

    monkeypatch.setattr(Sender, "append", fail_once)
    played(play)


def test_line_of_which_the_acknowledgement_was_not_stored_at_a_kill_comes_twice_and_no_other_does():
    async def send(*texts):
        for text in texts:
            assert await asyncio.to_thread(main, ["send", "old", text]) == 0

    async def play(process):
        client = OldClient(process.port)
        with process:
            await client.connect()
            await send("first")
            assert await asyncio.to_thread(main, ["send", "old", "second", "--wait"]) == 0
            client.deaf = True  # what it acknowledges is on its way when the server is killed
            await send("third", "fourth")
            await until(lambda: "third\n" in client.lines, "the line under way")
            process.process.kill()
            process.process.wait()
        await client.cut()
        client.deaf = False
        with process:
            await client.connect()
            await until(lambda: "fourth\n" in client.lines, "the line behind it")
            await client.cut()
        assert "".join(client.lines).split() == ["first", "second", "third", "third", "fourth"]

    asyncio.run(play(Process("--allow-legacy", "old", "--host", "127.0.0.1")))
