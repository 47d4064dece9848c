"""sim/mpy/tcp.py: connections of a board through Wi-Fi that fails, and a board that dies."""

import asyncio
import errno
import socket

import pytest

from esp_link.names import decode_address, encode_query
from sim.mpy import tcp
from tests.patience import PATIENCE_S


class Line:
    """A board's end and a server's end of one connection through a Proxy."""

    def __init__(self):
        self.wifi, self.life = True, 0
        self.proxy = tcp.Proxy(lambda: self.wifi, lambda: self.life)
        self.accepted = asyncio.Queue()

    async def __aenter__(self):
        async def accept(reader, writer):
            await self.accepted.put((reader, writer))

        self.server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.proxy.close()
        self.server.close()

    async def connect(self):
        ends = await self.dial(self.port)
        assert await ends[0].readexactly(1) == tcp.OPEN
        return ends, await self.accepted.get()

    async def dial(self, port):
        """The board's end of a connection that the server has not accepted yet."""
        error, local = self.proxy.open("127.0.0.1", port)
        assert error == 0
        return await asyncio.open_connection("127.0.0.1", local)


def run(test):
    asyncio.run(asyncio.wait_for(test(), PATIENCE_S))


async def silent(reader, seconds=0.2):
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(reader.read(1), seconds)


def test_bytes_pass_both_ways_and_closing_passes_too():
    async def test():
        async with Line() as line:
            (board_in, board_out), (server_in, server_out) = await line.connect()
            board_out.write(b"up")
            server_out.write(b"down")
            assert await server_in.readexactly(2) == b"up" and await board_in.readexactly(4) == b"down"
            board_out.close()
            assert await server_in.read() == b""

    run(test)


def test_the_server_closing_is_seen_by_the_board():
    async def test():
        async with Line() as line:
            (board_in, _), (_, server_out) = await line.connect()
            server_out.close()
            assert await board_in.read() == b""

    run(test)


def test_no_wifi_is_an_error_at_once_and_nobody_listening_one_of_the_connection():
    async def test():
        async with Line() as line:
            line.wifi = False
            assert line.proxy.open("127.0.0.1", line.port) == (errno.EHOSTUNREACH, 0)
            line.wifi = True
            with socket.socket() as unused:
                unused.bind(("127.0.0.1", 0))
                board_in, _ = await line.dial(unused.getsockname()[1])
                with pytest.raises(ConnectionResetError):
                    await board_in.read(1)
            assert line.proxy.opened == 0

    run(test)


def test_connection_waits_for_wifi_and_is_forgotten_when_the_board_gives_up():
    async def test():
        async with Line() as line:
            board_in, board_out = await line.dial(line.port)
            await board_in.readexactly(1)
            line.proxy.open("127.0.0.1", line.port)
            line.wifi = True
            error, local = line.proxy.open("127.0.0.1", line.port)
            line.wifi = False
            board_in, board_out = await asyncio.open_connection("127.0.0.1", local)
            await silent(board_in)
            line.wifi = True
            assert await board_in.readexactly(1) == tcp.OPEN

    run(test)


def test_name_server_answers_while_there_is_wifi_unless_it_is_silent():
    async def test():
        async with Line() as line:
            loop = asyncio.get_running_loop()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as board:
                board.setblocking(False)
                await loop.sock_connect(board, ("127.0.0.1", line.proxy.name_port()))
                query = encode_query(b"ab", "localhost")
                await loop.sock_sendall(board, query)
                answer = await asyncio.wait_for(loop.sock_recv(board, 512), PATIENCE_S)
                assert decode_address(answer, len(answer), len(query)) == "127.0.0.1"
                for line.wifi, line.proxy.answers_names in ((False, True), (True, False)):
                    await loop.sock_sendall(board, query)
                    with pytest.raises(asyncio.TimeoutError):
                        await asyncio.wait_for(loop.sock_recv(board, 512), 0.2)
            assert await line.proxy.address_of("10.1.2.3") is None  # after 7 s

    run(test)


def test_an_outage_stalls_bytes_and_ends_both_ways():
    async def test():
        async with Line() as line:
            (board_in, board_out), (server_in, server_out) = await line.connect()
            line.wifi = False
            board_out.write(b"up")
            server_out.write(b"down")
            await silent(server_in)
            await silent(board_in)
            board_out.close()
            await silent(server_in)
            line.wifi = True
            assert await server_in.read() == b"up"

    run(test)


def test_a_crash_leaves_the_server_half_open_until_it_sends():
    async def test():
        async with Line() as line:
            (_, board_out), (server_in, server_out) = await line.connect()
            line.life += 1
            line.wifi = False
            board_out.transport.abort()
            await silent(server_in, 0.3)
            line.wifi = True
            await silent(server_in, 0.3)
            server_out.write(b"?")
            with pytest.raises(ConnectionResetError):
                await server_in.read(1)

    run(test)


def test_a_server_that_does_not_read_holds_the_board_back():
    async def test():
        async with Line() as line:
            error, local = line.proxy.open("127.0.0.1", line.port)
            board = socket.socket()
            board.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, tcp.KERNEL_BUFFER)
            board.connect(("127.0.0.1", local))
            board.setblocking(False)
            await asyncio.sleep(0.1)
            line.wifi = False
            sent = 0
            for _ in range(100):
                try:
                    sent += board.send(bytes(100))
                except BlockingIOError:
                    await asyncio.sleep(0.01)
            board.close()
            assert error == 0 and sent < 10 * tcp.SEGMENT_BYTES

    run(test)


def test_a_segment_of_the_board_always_fits_the_window_that_the_proxy_announces():
    """Else Linux holds it back until a probe is due, 200 ms: a link eleven times slower, for as long as it is up."""

    async def test():
        async with Line() as line:
            (_, board_out), (server_in, server_out) = await line.connect()
            board = board_out.get_extra_info("socket")
            for _ in range(4):  # until there are segments to see
                board_out.write(bytes(1022))
                await server_in.readexactly(1022)
                info = board.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                sent_bytes = int.from_bytes(info[16:20], "little")  # tcpi_snd_mss
                assert 0 < sent_bytes <= tcp.BOARD_SEGMENT_BYTES < tcp.KERNEL_BUFFER // 2

    run(test)
