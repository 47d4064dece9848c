"""Options of the server's TCP connections: a bridge has room for two segments that are not acknowledged."""

import asyncio
import socket
import sys

import pytest

from server.core.streams import prompt, start_server
from server.core.transport import Transport
from tests.patience import PATIENCE_S

NODELAY, QUICKACK = (6, 1, 1), (6, 12, 1)


class Recorded:
    """A writer whose socket notes the options that are set. refuses: an option that it does not know."""

    def __init__(self, refuses=None):
        self.options = []
        self._refuses = refuses

    def get_extra_info(self, name):
        return self if name == "socket" else None

    def setsockopt(self, *option):
        if option == self._refuses:
            raise OSError("Protocol not available")
        self.options.append(option)


def test_connection_sends_at_once_and_acknowledges_each_read_at_once():
    async def main():
        transports = []

        async def serve(reader, writer):
            transport = Transport(reader, writer, 60000)
            transports.append((transport, writer.get_extra_info("socket")))
            counted = []
            acknowledge, transport._acknowledge = transport._acknowledge, lambda: counted.append(acknowledge())
            for number in range(1, 4):
                await transport.receive()
                assert sys.platform != "linux" or counted == [True] * number
                transport.put(b"\0\0")
            transport.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for _ in range(3):
            writer.write(b"\0\0")
            assert await asyncio.wait_for(reader.readexactly(2), PATIENCE_S)
            sock = transports[0][1]
            if sock.fileno() >= 0:
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()
        server.close()

    asyncio.run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_QUICKACK is of Linux")
def test_quick_acknowledgements_are_asked_for_again_each_time():
    writer = Recorded()
    acknowledge = prompt(writer)
    acknowledge(), acknowledge()
    assert writer.options == [NODELAY, QUICKACK, QUICKACK, QUICKACK]


@pytest.mark.parametrize("refused", [NODELAY, QUICKACK])
def test_option_that_is_refused_is_done_without(refused):
    assert prompt(Recorded(refused)) is None


def test_transport_without_a_socket_is_left_as_it_is():
    class Bare:
        def get_extra_info(self, name):
            return None

    assert prompt(Bare()) is None


def test_keepalive_that_comes_alone_is_heard_and_runs_no_task_and_zeros_of_a_frame_are_data():
    frame = b"\0\5abc\0\0"  # ends with two zeros, which come alone

    async def main():
        got, transports, ended = [], [], asyncio.Event()

        async def serve(reader, writer):
            transport = Transport(reader, writer, 60000)
            transport.proven()
            transports.append(transport)
            try:
                while True:
                    frames = [bytes(one) for one in await transport.receive()]
                    got.append(frames)
            except EOFError:
                ended.set()

        async def received(size):
            async with asyncio.timeout(PATIENCE_S):
                while not transports or transports[0].received < size:
                    await asyncio.sleep(0.001)

        server = await start_server(serve, "127.0.0.1", 0, 10, 8200)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        sent = 0
        for data in (b"\0\0", frame[:-2], frame[-2:], b"\0\0", b"\0\0" + frame, b"\0", b"\0", b"\0\0"):
            writer.write(data)
            sent += len(data)
            await received(sent)
            assert transports[0]._unheard == 0
            transports[0]._unheard = 1
        writer.close()
        async with asyncio.timeout(PATIENCE_S):
            await ended.wait()
        transports[0].close()
        server.close()
        return got

    assert asyncio.run(main()) == [[], [b"abc\0\0"], [b"abc\0\0"], [], []]
