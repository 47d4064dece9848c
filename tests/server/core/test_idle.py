"""Idle connections: keepalives are heard, anything else goes on as before, and nothing is left of one that ends."""

import asyncio
import contextlib
import os
import socket
import struct
import sys
from types import SimpleNamespace

import pytest

from server.core import idle
from server.core.streams import start_server
from server.core.transport import IDLE_KEEPALIVES, IDLE_LOOKS, KEEPALIVE_LOOKS, LOOKS, Transport
from tests.server.peer import Client, Service, until, within

MICROPYTHON = False
MICROPYTHON_REASON = "its server reads all connections alike"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="epoll is of Linux")

KEEPALIVE = b"\0\0"
FRAME = b"\0\5abc\0\0"


class Served:
    """The server's end of a connection. frames: those that came; fault: why it ended."""

    def __init__(self, transport):
        self.transport = transport
        self.frames = []
        self.fault = None

    @property
    def idle(self):
        return self.transport._idle is not None and self.transport._idle.idle()

    async def heard(self, size):
        await until(lambda: self.transport.received >= size, f"{size} bytes")


@contextlib.asynccontextmanager
async def server():
    """Gives an async function () that returns (Served, writer of the other end)."""
    waiting, open_ones = asyncio.Queue(), []

    async def serve(reader, writer):
        one = Served(Transport(reader, writer, 60000))
        one.transport.proven()
        waiting.put_nowait(one)
        try:
            while True:
                one.frames += [bytes(frame) for frame in await one.transport.receive()]
        except (EOFError, OSError) as error:
            one.fault = error
        one.transport.close()

    async def connect():
        _, writer = await asyncio.open_connection(*address)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one = await within(waiting.get())
        open_ones.append((one, writer))
        return one, writer

    listening = await start_server(serve, "127.0.0.1", 0, 10, 8200)
    address = listening.sockets[0].getsockname()
    try:
        yield connect
    finally:
        for one, writer in open_ones:
            one.transport.close()
            writer.transport.abort()
        listening.close()


async def idle_one(connect):
    """Returns (Served, writer, bytes that were heard) of a connection that has become idle."""
    one, writer = await connect()
    for count in range(1, IDLE_KEEPALIVES + 1):
        assert not one.idle
        writer.write(KEEPALIVE)
        await one.heard(2 * count)
    assert one.idle
    return one, writer, 2 * IDLE_KEEPALIVES


def test_keepalives_are_heard_two_at_a_time_and_a_single_one_when_it_is_looked_for():
    async def main():
        async with server() as connect:
            one, writer, size = await idle_one(connect)
            one.transport._unheard = 3
            writer.write(KEEPALIVE)
            writer.write(KEEPALIVE)
            await one.heard(size + 4)
            assert one.idle and one.transport._unheard == 0
            writer.write(KEEPALIVE)
            for _ in range(IDLE_LOOKS - 1):
                one.transport.look()
            await asyncio.sleep(0.02)
            assert one.transport.received == size + 4
            one.transport.look()
            assert one.transport.received == size + 6 and one.transport._unheard == 0
            assert one.frames == [] and one.idle

    asyncio.run(main())


@pytest.mark.parametrize("looks", range(IDLE_LOOKS - 1, LOOKS))
def test_single_keepalive_in_any_part_of_the_timeout_is_heard(looks):
    async def main():
        async with server() as connect:
            one, writer, size = await idle_one(connect)
            ready = one.transport.writer.get_extra_info("socket")
            for _ in range(5):
                for _look in range(looks):
                    one.transport.look()
                writer.write(KEEPALIVE)
                size += 2
                await until(lambda: len(_peeked(ready)) == 2, "the keepalive in the system")
                one.transport.look()
                assert one.transport.received == size and one.transport._unheard == 0 and not one.transport.closed
            for _ in range(LOOKS + 1):
                one.transport.look()
            assert one.transport.closed and "nothing heard" in str(one.transport.fault)

    asyncio.run(main())


def _peeked(transport_socket):
    with socket.socket(fileno=os.dup(transport_socket.fileno())) as sock:
        try:
            return sock.recv(64, socket.MSG_PEEK)
        except BlockingIOError:
            return b""


def test_single_keepalive_counts_from_when_it_came():
    async def main():
        async with server() as connect:
            one, writer, size = await idle_one(connect)
            one.transport._timeout_ms, one.transport._unheard = 1200, IDLE_LOOKS - 1
            writer.write(KEEPALIVE)
            await asyncio.sleep(0.7)
            one.transport.look()
            assert one.transport.received == size + 2 and 3 <= one.transport._unheard <= LOOKS

    asyncio.run(main())


def test_without_tcp_info_a_single_keepalive_counts_as_new(monkeypatch):
    class WithoutInfo:
        def __init__(self, sock):
            self.setsockopt = sock.setsockopt

        def getsockopt(self, *args):
            raise OSError(92, "Protocol not available")

    async def main():
        async with server() as connect:
            one, writer, size = await idle_one(connect)
            found, real = one.transport._idle, one.transport._idle.transport
            writer.write(KEEPALIVE)
            ready = real.get_extra_info("socket")
            await until(lambda: len(_peeked(ready)) == 2, "the keepalive in the system")
            with monkeypatch.context() as patched:
                patched.setattr(type(real), "get_extra_info", lambda self, name: WithoutInfo(ready))
                assert found.look() == 0
            assert one.transport.received == size + 2

    asyncio.run(main())


def test_reset_that_a_look_meets_keeps_its_reason():
    async def main():
        async with server() as connect:
            one, _, _ = await idle_one(connect)
            one.transport._unheard = LOOKS

            def look():
                one.transport._fail(ConnectionResetError("reset"))

            one.transport._idle = SimpleNamespace(look=look, end=one.transport._idle.end)
            one.transport.look()
            assert one.transport.closed and isinstance(one.transport.fault, ConnectionResetError)

    asyncio.run(main())


def test_closing_connection_is_neither_read_nor_written():
    async def main():
        async with server() as connect:
            one, writer, size = await idle_one(connect)
            found = one.transport._idle
            writer.write(KEEPALIVE)
            one.transport.writer.transport.abort()  # as asyncio does by itself; the socket is closed a little later
            assert not found.idle() and not found.read() and found.look() is None and found.write(KEEPALIVE) == 0
            assert one.transport.received == size

    asyncio.run(main())


@pytest.mark.parametrize("sent", [
    [FRAME], [KEEPALIVE + FRAME], [KEEPALIVE, FRAME], [FRAME[:1], FRAME[1:]], [KEEPALIVE + FRAME[:1], FRAME[1:]],
    [FRAME[:2], FRAME[2:]], [FRAME * 100], [KEEPALIVE * 40 + FRAME], [FRAME + KEEPALIVE],
])  # fmt: skip
def test_frame_ends_it_and_is_received_whole_and_it_may_be_idle_again(sent):
    async def main():
        async with server() as connect:
            one, writer, size = await idle_one(connect)
            for _again in range(2):
                for data in sent:
                    writer.write(data)
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
                size += len(b"".join(sent))
                await one.heard(size)
                assert not one.idle
                for _ in range(IDLE_KEEPALIVES):
                    writer.write(KEEPALIVE)
                    size += 2
                    await one.heard(size)
                assert one.idle
            assert one.frames == [b"abc\0\0"] * (2 * b"".join(sent).count(FRAME))

    asyncio.run(main())


@pytest.mark.parametrize("reset", [False, True])
def test_end_of_the_peer_is_seen(reset):
    async def main():
        async with server() as connect:
            one, writer, _ = await idle_one(connect)
            if reset:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            else:
                writer.close()
            await until(lambda: one.fault is not None, "the end")
            assert not one.idle and isinstance(one.transport.fault, ConnectionResetError) == reset

    asyncio.run(main())


def test_without_idle_connections_nothing_is_left():
    async def main():
        async with server() as connect:
            ones = [await idle_one(connect) for _ in range(3)]
            found = idle._by_loop[asyncio.get_running_loop()]
            assert len(found._connections) == 3
            ones[0][0].transport.close()
            ones[1][1].close()
            ones[2][1].write(FRAME)
            await until(lambda: not idle._by_loop, "the end of all")
            assert found._epoll.closed
            one, writer, size = await idle_one(connect)  # and again
            writer.write(KEEPALIVE * 2)
            await one.heard(size + 4)

    asyncio.run(main())


class Other:
    """A transport of asyncio, of this socket."""

    def __init__(self, sock):
        self._sock = sock
        self.pause_reading = self.resume_reading = lambda: None

    def is_closing(self):
        return False

    def get_extra_info(self, name):
        return self._sock


def test_number_of_a_closed_socket_may_be_used_again():
    async def main():
        async with server() as connect:
            one, _, _ = await idle_one(connect)
            old, heard = one.transport._idle, []
            one.transport.writer.transport.abort()  # as asyncio does when it cannot write; nobody has called close()
            await until(lambda: old.transport.get_extra_info("socket").fileno() == -1, "the close")
            with contextlib.ExitStack() as stack:
                near = None
                while near is None:  # the lowest free number is taken
                    pair = [stack.enter_context(one) for one in socket.socketpair()]
                    near = next((one for one in pair if one.fileno() == old.fd), None)
                far = pair[1 - pair.index(near)]
                near.setblocking(False)
                new = idle.read_idle(Other(near), KEEPALIVE, heard.append, None)
                old.end()
                assert not old.read()
                far.send(KEEPALIVE * 2)
                await until(lambda: heard == [4], "the keepalives")
                new.end()

    asyncio.run(main())


@pytest.mark.parametrize("many", [4, 256])
def test_more_than_are_read_at_once(monkeypatch, many):
    monkeypatch.setattr(idle, "MOST", 2)
    monkeypatch.setattr(idle, "MANY", many)

    async def main():
        async with server() as connect:
            ones = [await idle_one(connect) for _ in range(7)]
            for _, writer, _ in ones:
                writer.write(KEEPALIVE * 2)
            for one, _, size in ones:
                await one.heard(size + 4)
            found = idle._by_loop[asyncio.get_running_loop()]
            assert found._are_many == (many == 4)
            while len(ones) > 2:  # few again
                ones.pop()[0].transport.close()
            await until(lambda: not found._are_many, "the end of the intervals")
            for _, writer, _ in ones:
                writer.write(FRAME)
            await until(lambda: all(one.frames for one, _, _ in ones), "the frames")
            assert not idle._by_loop
            one, writer, size = await idle_one(connect)
            writer.write(KEEPALIVE * 2)
            await one.heard(size + 4)

    asyncio.run(main())


def test_without_a_file_descriptor_asyncio_reads_on_and_it_is_tried_again(monkeypatch):
    def none_left():
        raise OSError(24, "Too many open files")

    async def main():
        async with server() as connect:
            one, writer = await connect()
            with monkeypatch.context() as patched:
                patched.setattr(idle.select, "epoll", none_left)
                for count in range(1, 2 * IDLE_KEEPALIVES + 1):
                    writer.write(KEEPALIVE)
                    await one.heard(2 * count)
            assert not one.idle and not idle._by_loop
            for more in range(1, IDLE_KEEPALIVES + 1):
                writer.write(KEEPALIVE)
                await one.heard(2 * (count + more))
            assert one.idle

    asyncio.run(main())


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_keepalive_that_the_system_takes_in_part_is_whole_for_the_peer(taken, monkeypatch):
    def write(fd, data):
        if not taken:
            raise BlockingIOError
        return os_write(fd, data[:taken])

    async def main():
        async with server() as connect:
            one, writer, _ = await idle_one(connect)
            transport, sent = one.transport, one.transport.sent
            with monkeypatch.context() as patched:
                patched.setattr(idle.os, "write", write)
                transport._quiet, transport._wrote = KEEPALIVE_LOOKS, False
                transport.look()
            assert transport.sent == sent + 2 and transport._wrote == (taken < 2)
            transport.put(FRAME)
            reader = writer.transport.get_protocol()._stream_reader
            assert await within(reader.readexactly(2 + len(FRAME))) == KEEPALIVE + FRAME

    os_write = idle.os.write
    asyncio.run(main())


def test_keepalive_to_a_peer_that_is_gone_ends_it():
    async def main():
        async with server() as connect:
            one, _, _ = await idle_one(connect)

            def write(data):
                raise ConnectionResetError("gone")

            one.transport._idle = SimpleNamespace(write=write, end=one.transport._idle.end)
            for _ in range(KEEPALIVE_LOOKS):
                one.transport.look()
            assert one.transport.closed and "gone" in str(one.transport.fault)

    asyncio.run(main())


def test_closing_connection_is_not_read_here():
    async def main():
        async with server() as connect:
            one, _ = await connect()
            transport = one.transport.writer.transport
            transport.abort()
            assert idle.read_idle(transport, KEEPALIVE, None, None) is None

    asyncio.run(main())


def test_idle_client_is_served_and_its_silence_is_noticed():
    async def main():
        async with Service(timeout=1000) as service:
            client = Client(service.port)
            await within(client.connect())
            transport = service.connection()._carrier.transport
            await until(lambda: transport._idle is not None, "keepalives alone")
            connections = service.connection().nconns
            await asyncio.sleep(1.5)  # more than the timeout
            assert client.up and service.connection().nconns == connections
            await client.write("line")
            assert await within(service.connection().readline()) == "line\n"
            await service.connection().write("answer")
            assert client.lines == ["answer\n"]
            await until(lambda: transport._idle.idle(), "keepalives alone again")
            client.answering = False
            await within(client.ended())
            assert "nothing heard" in str(transport.fault)

    asyncio.run(main())


def test_connection_that_is_no_socket_of_the_system_is_not_read_here():
    """Such as one that is simulated, or that another loop than asyncio's makes."""

    class Elsewhere(asyncio.Transport):
        def is_closing(self):
            return False

    async def main():
        for sock in (None, object()):
            assert idle.read_idle(Elsewhere({"socket": sock}), KEEPALIVE, None, None) is None

    asyncio.run(main())
