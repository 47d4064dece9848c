"""The network of the cluster's tests: what it holds arrives late and whole, what it cuts does not."""

import asyncio

import pytest

from tests.cluster.held_bed import run
from tests.cluster.proxy import HELD_BYTES, HOST, TO_CLIENT, TO_SERVER, WAYS, Proxy


class Echo:
    """A server that returns what it gets, and a proxy in front of it."""

    async def __aenter__(self):
        self.got = b""
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.proxy = await Proxy(self._server.sockets[0].getsockname()[1]).open()
        return self

    async def _serve(self, reader, writer):
        try:
            while data := await reader.read(65536):
                self.got += data
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def connect(self):
        return await asyncio.open_connection(HOST, self.proxy.port)

    async def __aexit__(self, *error):
        self.proxy.close()
        self._server.close()


async def seen(condition):
    while not condition():
        await asyncio.sleep(0.005)


def test_what_is_not_held_passes_both_ways():
    async def main():
        async with Echo() as echo:
            reader, writer = await echo.connect()
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            writer.write_eof()
            assert await reader.read() == b""

    run(main())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("all_links", [True, False])
def test_what_is_held_arrives_when_it_is_released(way, all_links):
    async def main():
        async with Echo() as echo:
            reader, writer = await echo.connect()
            writer.write(b"1")
            await reader.readexactly(1)
            link = echo.proxy.links[0]
            (echo.proxy if all_links else link).hold(way)
            writer.write(b"2")
            await seen(lambda: link[way].waiting == 1)
            assert echo.got == (b"1" if way == TO_SERVER else b"12")
            (echo.proxy if all_links else link).release()
            assert await reader.readexactly(1) == b"2" and echo.got == b"12"

    run(main())


def test_connection_that_is_made_while_all_is_held_works_afterwards():
    async def main():
        async with Echo() as echo:
            echo.proxy.hold()
            reader, writer = await echo.connect()
            writer.write(b"1")
            await seen(lambda: echo.proxy.links and echo.proxy.links[0][TO_SERVER].waiting)
            echo.proxy.release()
            assert await reader.readexactly(1) == b"1"

    run(main())


def test_sender_of_what_is_held_waits_when_it_is_much():
    async def main():
        async with Echo() as echo:
            reader, writer = await echo.connect()
            echo.proxy.hold(TO_SERVER)
            data = bytes(range(256)) * (4 * HELD_BYTES // 256)
            writer.write(data)
            await seen(lambda: echo.proxy.links[0][TO_SERVER].waiting > HELD_BYTES)
            reading = asyncio.create_task(reader.readexactly(len(data)))
            echo.proxy.release()
            assert await reading == data and echo.got == data

    run(main())


def test_slow_network_keeps_the_order():
    async def main():
        async with Echo() as echo:
            reader, writer = await echo.connect()
            echo.proxy.slow(0.05)
            for number in range(5):
                writer.write(b"%d" % number)
                await asyncio.sleep(0.01)
            assert await reader.readexactly(5) == b"01234"

    run(main())


def test_connection_that_is_reset_ends_and_nothing_of_what_was_held_arrives():
    async def main():
        async with Echo() as echo:
            reader, writer = await echo.connect()
            echo.proxy.hold(TO_SERVER)
            writer.write(b"1")
            await seen(lambda: echo.proxy.links[0][TO_SERVER].waiting)
            echo.proxy.reset()
            echo.proxy.release()
            with pytest.raises(ConnectionResetError):
                await reader.readexactly(1)
            reader, writer = await echo.connect()
            writer.write(b"2")
            assert await reader.readexactly(1) == b"2" and echo.got == b"2"

    run(main())


def test_connection_to_a_server_that_is_away_ends():
    async def main():
        proxy = await Proxy(1).open()
        reader, _ = await asyncio.open_connection(HOST, proxy.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        proxy.close()

    run(main())


def test_peer_of_a_link_is_the_client():
    async def main():
        async with Echo() as echo:
            reader, writer = await echo.connect()
            writer.write(b"1")
            await reader.readexactly(1)
            assert [link.peer for link in echo.proxy.links] == [writer.get_extra_info("sockname")]
            assert echo.proxy.links[0][TO_CLIENT].passed == 1

    run(main())
