"""Who is let in, who is not, what that costs, and what the log shows of it."""

import asyncio
import hashlib
import random

import pytest

import server.core.listener
import server.core.rate_limited_log
from protocol.frame import REFUSED, REFUSED_IDENTITY, REFUSED_VERSION, WELCOME
from protocol.framing import PREAMBLE, VERSION
from protocol.handshake import Initiator
from protocol.server_session import FAREWELL
from server import MemoryStore, client_conn
from server.core.listener import Listener
from server.core.printed_log import PrintedLog
from server.core.registry import Registry
from tests.link import virtual
from tests.server.all_stores import TemporaryStore
from tests.server.peer import HOST, KEY, KEYS, OTHER_KEY, Client, Forger, Service, open_stream, until, within
from tests.sessions import idle


def refusals(capsys):
    return [line for line in capsys.readouterr().out.splitlines() if "refused" in line]


async def what_comes(port, data, at_once=True):
    """Send data on a new connection. Returns what the server answered until it closed."""
    reader, writer = await open_stream(port)
    try:
        for piece in [data] if at_once else [data[i : i + 1] for i in range(len(data))]:
            writer.write(piece)
            await writer.drain()
        return await within(reader.read(-1))
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


def shows_nothing_secret(text):
    for key in (KEY, OTHER_KEY):
        for form in (key.hex(), key.hex().upper(), repr(key)[2:-1], str(list(key))):
            if form[:20] in text:
                return False
    return True


# Proof


def test_wrong_key_is_refused_with_one_line(capsys):
    async def main():
        async with Service() as service:
            client = Client(service.port, key=OTHER_KEY)
            assert "unknown id or wrong key" in await client.refused()
            assert client.received == bytes((0, 3, REFUSED, REFUSED_IDENTITY, VERSION))  # no WELCOME before it
            await service.refusals(1)
            assert service.connection().nconns == 0

    asyncio.run(main())
    (line,) = refusals(capsys)
    assert "wrong key" in line and "'a'" in line


def test_proof_under_another_key_is_refused_with_one_line(capsys):
    async def main():
        async with Service() as service:
            client = Forger(service.port)
            await client.refused()
            await service.refusals(1)
            assert bytes((0, 3, 4, 2)) in client.received  # REFUSED: identity
            assert service.connection().nconns == 0

    asyncio.run(main())
    (line,) = refusals(capsys)
    assert "wrong key" in line and "'a'" in line


def test_repeated_hello_gets_a_welcome_and_nothing_else(capsys):
    """The hint is right, and proves nothing: whoever repeats a HELLO has no PROOF for the new nonce."""

    async def main():
        async with Service({"a": [OTHER_KEY, KEY]}) as service:
            client = Client(service.port)
            await within(client.connect())
            hello, proof = client.sent[: len(HELLO_OF_A)], client.sent[len(HELLO_OF_A) :][: 2 + 33]
            client.cut()
            first = await what_comes(service.port, hello + proof)
            second = await what_comes(service.port, hello + proof)
            assert first[2] == second[2] == WELCOME and first != second
            assert service.connection().nconns == 1

    asyncio.run(main())
    assert all("wrong key" in line for line in refusals(capsys))


@pytest.mark.parametrize("client_id", ["unknown", "A", "x" * 64, "a ", "\u0430"])
def test_unknown_id_is_refused_with_one_line(capsys, client_id):
    async def main():
        async with Service() as service:
            fault = await Client(service.port, client_id).refused()
            assert "unknown id" in fault
            await service.refusals(1)

    asyncio.run(main())
    (line,) = refusals(capsys)
    assert "unknown id" in line and repr(client_id) in line


@pytest.mark.parametrize("client_id", ["a\n", "a\nserver: b connected", "\n", "", "a\r\nserver: b connected"])
def test_malformed_id_is_refused_with_one_line(capsys, client_id):
    async def main():
        async with Service() as service:
            await Client(service.port, client_id).refused()
            await service.refusals(1)
            assert service.connection().nconns == 0

    asyncio.run(main())
    (line,) = refusals(capsys)
    assert "connected" not in line.replace(repr(client_id), "")


def test_replayed_connection_proves_nothing(capsys):
    async def main():
        async with Service() as service:
            client = Client(service.port)
            await client.connect()
            await client.write("once")
            await within(client.acknowledged())
            recorded = client.sent
            conn = await within(client_conn("a"))
            assert await within(conn.readline()) == "once\n"
            await what_comes(service.port, recorded)
            await service.refusals(1)
            assert conn.status() and conn.nconns == 1 and client.up
            await client.write("twice")
            assert await within(conn.readline()) == "twice\n"

    asyncio.run(main())
    assert len(refusals(capsys)) == 1


def test_frames_in_one_chunk_with_the_proof_are_taken():
    class Hasty(Client):
        """Holds the PROOF back, so that it arrives in one chunk with RESUME."""

        def _send_frame(self, frame):
            self.held = b""
            if frame[0] == 3:
                self.held = len(frame).to_bytes(2, "big") + frame
            else:
                super()._send_frame(frame)

        def _send(self, data):
            held, self.held = getattr(self, "held", b""), b""
            super()._send(held + data)

    async def main():
        async with Service() as service:
            client = Hasty(service.port)
            await client.write("behind the proof")
            await within(client.connect())
            assert await within((await client_conn("a")).readline()) == "behind the proof\n"

    asyncio.run(main())


# Take-over


def test_proven_newcomer_takes_over_at_once():
    async def main():
        async with Service() as service:
            old = Client(service.port)
            await old.connect()
            conn = await within(client_conn("a"))
            old.answering = False  # dead, but its TCP connection is not
            await old.write("never sent")
            new = Client(service.port)
            await within(new.connect())
            await within(old.ended())
            assert conn.nconns == 2 and conn.status()
            await new.write("from the new one")
            assert await within(conn.readline()) == "from the new one\n"
            await within(conn.write("to the new one"))
            assert (old.lines, new.lines) == ([], ["to the new one\n"])

    asyncio.run(main())


def test_take_over_does_not_wait_for_a_dead_peer_that_reads_nothing():
    async def main():
        async with Service() as service:
            old = Client(service.port)
            await old.connect()
            conn = await within(client_conn("a"))
            transport = conn._carrier.transport
            transport.writer.write(bytes(8 << 20))  # far more than the kernel's buffers hold
            old._task.cancel()
            old._writer.transport.pause_reading()
            tasks = len(asyncio.all_tasks())
            new = Client(service.port)
            await within(new.connect())
            await until(lambda: len(asyncio.all_tasks()) <= tasks, "the end of the old connection's tasks")
            assert transport.closed and conn.status()

    asyncio.run(main())


def test_no_two_connections_of_a_client_are_alive_together():
    async def main():
        async with Service() as service:
            clients = [Client(service.port) for _ in range(12)]
            outcomes = await within(asyncio.gather(*(c.connect() for c in clients), return_exceptions=True))
            conn = await within(client_conn("a"))
            await until(lambda: sum(not c._task.done() for c in clients) == 1, "one survivor")
            (survivor,) = (c for c in clients if not c._task.done())
            await survivor.write("x")
            assert await within(conn.readline()) == "x\n"
            assert 1 <= conn.nconns <= 12 and outcomes.count(None) >= 1  # a proof may be overtaken by a later one

    asyncio.run(main())


def test_unproven_newcomer_does_not_disturb_the_live_connection():
    async def main():
        async with Service() as service:
            client = Client(service.port)
            await client.connect()
            conn = await within(client_conn("a"))
            for key in (OTHER_KEY, bytes(32), KEY[:31] + b"\0"):
                await Client(service.port, key=key).refused()
                await Forger(service.port).refused()
            hello_only = client.sent[: len(PREAMBLE) + 2 + 40]
            reader, writer = await open_stream(service.port)
            writer.write(hello_only)
            assert (await within(reader.readexactly(3)))[2] == 2  # WELCOME; it is never answered
            await client.write("still here")
            assert await within(conn.readline()) == "still here\n"
            assert conn.nconns == 1 and client.up
            writer.transport.abort()

    asyncio.run(main())


@pytest.mark.parametrize("who", ["client", "firmware of the ESP8266"])
def test_another_version_is_refused_in_words_at_both_ends(capsys, who):
    async def main():
        async with Service() as service:
            stream = bytearray(HELLO_OF_A)
            if who == "client":
                stream[len(PREAMBLE) + 2 + 1] = VERSION - 1
            stream[len(PREAMBLE) - 1] = VERSION - 1
            assert await what_comes(service.port, bytes(stream)) == bytes((0, 3, REFUSED, REFUSED_VERSION, VERSION))

    asyncio.run(main())
    (line,) = refusals(capsys)
    assert f"{who} speaks protocol version {VERSION - 1}, this is {VERSION}" in line


# The end


@pytest.mark.parametrize("kind", [server.MemoryStore, TemporaryStore])
def test_server_that_ends_still_acknowledges_what_is_stored_and_says_so(kind):
    async def main():
        async with Service(store=kind()) as service:
            client = Client(service.port)
            await within(client.connect())
            conn = await within(client_conn("a"))
            await client.write("stored")
            await until(lambda: conn._session.ack == 1, "the line in the store")
            silent = await open_stream(service.port)
            await service.stop()
            await client.ended()
            assert client.fault.startswith(f"unexpected frame kind {FAREWELL:02x}") and idle(client.session)
            assert await within(silent[0].read(-1)) == b""
            assert not conn.status()

    asyncio.run(main())


def test_server_that_ends_does_not_wait_for_those_who_do_not_close(monkeypatch):
    monkeypatch.setattr(server.core.listener, "FAREWELL_MS", 200)

    async def main():
        async with Service() as service:
            client = Client(service.port)
            await within(client.connect())
            client._task.cancel()
            client._half_open.append(client._writer)
            client._writer.transport.pause_reading()
            await service.stop()
            assert not service.connection().status()
            client._writer.transport.abort()

    asyncio.run(main())


# Garbage

HTTP = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
GARBAGE = {
    "http": HTTP,
    "another version and nothing": PREAMBLE[:3] + bytes((PREAMBLE[3] + 1,)),
    "text": b"hello\n",
    "zeros": bytes(100),
    "keepalives only": PREAMBLE + bytes(64) + b"\0\1",
    "frame too long": PREAMBLE + b"\xff\xff" + bytes(100),
    "not a hello": PREAMBLE + b"\0\5" + b"\x11abcd",
    "hello of another version": PREAMBLE + b"\0\3" + b"\x01\x63\x00",
    "hello cut off": PREAMBLE + b"\0\4" + b"\x01\x01ab",
    "random": PREAMBLE + random.Random(1).randbytes(5000),
}


@pytest.mark.parametrize("name", GARBAGE)
@pytest.mark.parametrize("at_once", [True, False], ids=["whole", "bytewise"])
def test_garbage_ends_in_one_refusal_and_nothing_else(capsys, name, at_once):
    async def main():
        async with Service() as service:
            await what_comes(service.port, GARBAGE[name][: None if at_once else 300], at_once)
            await service.refusals(1)
            client = Client(service.port)
            await within(client.connect())
            assert service.connection().nconns == 1

    asyncio.run(main())
    assert len(refusals(capsys)) == 1


def test_silence_in_the_handshake_is_bounded(capsys, monkeypatch):
    monkeypatch.setattr(server.core.listener, "HELLO_MS", 500)
    monkeypatch.setattr(server.core.listener, "HANDSHAKE_MS", 300)

    async def main():
        async with Service() as service:
            for data in (b"", PREAMBLE[:2], PREAMBLE, PREAMBLE + b"\0\40"):
                assert await what_comes(service.port, data) == b""
            assert (await what_comes(service.port, HELLO_OF_A))[2] == WELCOME

    asyncio.run(main())
    found = refusals(capsys)
    assert len(found) == 5 and all("no HELLO in 500 ms" in line for line in found[:4])
    assert "no PROOF in 300 ms (id 'a')" in found[4]


# The places of unproven connections

HELLO_OF_A = PREAMBLE + b"\0\x28" + Initiator("a", KEY, bytes(8), bytes(16)).hello()
BUSY = bytes((0, 3, 4, 3, VERSION))  # REFUSED: too many connections


@pytest.fixture
def patience(monkeypatch):
    """Silent connections are not given up by time, and there is no grace."""
    monkeypatch.setattr(server.core.listener, "GRACE_MS", 0)
    monkeypatch.setattr(server.core.listener, "HELLO_MS", 60000)
    monkeypatch.setattr(server.core.listener, "HANDSHAKE_MS", 60000)


async def crowd(service, said):
    """Connections in this order, that have said this. Returns their streams, when the server has heard all."""
    streams = []
    for data in said:
        reader, writer = await open_stream(service.port)
        writer.write(data)
        if data == HELLO_OF_A:
            assert (await within(reader.readexactly(3)))[2] == WELCOME
        streams.append((reader, writer))
    return streams


async def ended(reader):
    """True if the server has ended the connection, with REFUSED or not."""
    try:
        async with asyncio.timeout(0.01):
            return (await reader.read(-1))[-5:] in (BUSY, b"")
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def test_silent_connections_give_way_to_clients(capsys, patience):
    async def main():
        faults = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
        async with Service() as service:
            client = Client(service.port)
            await client.connect()
            conn = await within(client_conn("a"))
            streams = await crowd(service, [b""] * (2 * server.core.listener.MAX_SILENT))
            others = [Client(service.port, "b", OTHER_KEY) for _ in range(3)]
            for other in others:
                await within(other.connect())
            assert client.up and others[-1].up
            await client.write("undisturbed")
            assert await within(conn.readline()) == "undisturbed\n"
            over = [await ended(reader) for reader, _ in streams]
            assert over == sorted(over, reverse=True)  # the oldest
            assert 128 <= sum(over) <= 131 and not faults

    asyncio.run(main())
    out, err = capsys.readouterr()
    assert "too many connections without proof" in out and err == ""


def test_silent_connections_take_no_place_of_those_that_said_hello(monkeypatch, patience):
    monkeypatch.setattr(server.core.listener, "MAX_SILENT", 2)
    monkeypatch.setattr(server.core.listener, "MAX_GREETED", 2)

    async def main():
        async with Service() as service:
            streams = await crowd(service, [HELLO_OF_A, b"", HELLO_OF_A, PREAMBLE, b"", b""])
            assert [await ended(reader) for reader, _ in streams] == [False, True, False, True, False, False]
            streams += await crowd(service, [HELLO_OF_A])
            assert [await ended(reader) for reader, _ in streams] == [True, True, False, True, True, False, False]
            client = Client(service.port)
            await within(client.connect())

    asyncio.run(main())


def test_newcomer_is_told_to_come_again_when_others_are_at_their_handshakes(monkeypatch, capsys):
    monkeypatch.setattr(server.core.listener, "MAX_SILENT", 2)
    monkeypatch.setattr(server.core.listener, "MAX_GREETED", 2)

    async def main():
        async with Service() as service:
            streams = await crowd(service, [HELLO_OF_A, HELLO_OF_A])
            assert "too many connections" in await Client(service.port).refused()
            silent = await crowd(service, [b"", b"", b""])
            assert (await within(silent[2][0].read(-1)))[-5:] == BUSY
            assert not await ended(streams[0][0]) and not await ended(silent[0][0])
            await asyncio.sleep(server.core.listener.GRACE_MS / 1000 + 0.1)
            await within(Client(service.port).connect())
            assert await ended(streams[0][0]) and await ended(silent[0][0])

    asyncio.run(main())
    assert "Traceback" not in capsys.readouterr().err


def test_places_of_unproven_connections_are_given_back(monkeypatch):
    monkeypatch.setattr(server.core.listener, "MAX_SILENT", 2)
    monkeypatch.setattr(server.core.listener, "MAX_GREETED", 2)

    async def main():
        async with Service() as service:
            for _ in range(3):
                await what_comes(service.port, b"garbage that is no preamble")
                await Client(service.port, key=OTHER_KEY).refused()
                client = Client(service.port)
                await within(client.connect())
                client.cut()
            assert sum(service.events.refusals.values()) == 6
            first, second = await crowd(service, [HELLO_OF_A, HELLO_OF_A])
            assert not await ended(first[0]) and not await ended(second[0])

    asyncio.run(main())


# The log


def test_refusals_in_the_log_are_bounded_in_rate(capsys, monkeypatch):
    monkeypatch.setattr(server.core.rate_limited_log, "PERIOD_MS", 1 << 28)

    async def main():
        async with Service() as service:
            for _ in range(25):
                await what_comes(service.port, b"garbage")
            service.events._tell_some._period.expire()
            await what_comes(service.port, b"garbage")

    asyncio.run(main())
    found = refusals(capsys)
    assert len(found) == 10 + 1 + 1
    assert "15 more" in found[10]


@pytest.mark.parametrize("days", [7, 10, 12.4])
def test_refusal_is_logged_after_quiet_days(capsys, monkeypatch, days):
    """A difference of ticks is right for 6 days only."""

    class Deaf:
        """Instead of a server with sockets, which know no virtual time."""

        def close(self):
            pass

    async def listen(*args, **how):
        return Deaf()

    async def main():
        registry = Registry()
        registry.events.subscribe(PrintedLog().note)
        listening = asyncio.create_task(Listener(registry, KEYS, MemoryStore(), 600000).serve(HOST, 0))
        for _ in range(15):
            registry.events.refused("here", "the first", "protocol")
        await asyncio.sleep(days * 86400)
        registry.events.refused("here", "a later one", "protocol")
        listening.cancel()

    monkeypatch.setattr("server.core.listener.start_server", listen)
    virtual.run(main())
    found = refusals(capsys)
    assert len(found) == 10 + 1 + 1
    assert "5 more" in found[10] and "a later one" in found[11]


def test_keys_are_never_shown(capsys):
    async def main():
        async with Service(verbose=True) as service:
            client = Client(service.port)
            await client.connect()
            await Client(service.port, key=OTHER_KEY).refused()
            await Client(service.port, "unknown").refused()
            conn = await within(client_conn("a"))
            things = (conn, service.registry, conn._session, conn._carrier, conn._carrier.transport, conn._state)
            seen = [repr(thing) for thing in things]
            for task in asyncio.all_tasks():
                seen.append(repr(task))
                task.print_stack()
            client.cut()
            return "".join(seen)

    seen = asyncio.run(main())
    captured = capsys.readouterr()
    assert "connected" in captured.out
    for text in (seen, captured.out, captured.err):
        assert shows_nothing_secret(text)
    assert hashlib.sha256(KEY).hexdigest()[:20] not in seen


def test_client_that_is_not_expected_is_served_and_logged(capsys):
    async def main():
        async with Service(keys=KEYS, expected=["a"]) as service:
            client = Client(service.port, "b", OTHER_KEY)
            await within(client.connect())

    asyncio.run(main())
    assert "b is not among the expected clients" in capsys.readouterr().out
