"""The functions that an application calls, and their errors."""

import asyncio
import socket

import pytest

import server
from server import Connection, client_conn, wait_all
from tests.server.peer import HOST, KEYS, OTHER_KEY, Client, Service, free_port, until, within


@pytest.mark.parametrize("port", [0, -1, 65536, "8123", None, 1.5])
def test_bad_port_is_an_error_that_names_it(port):
    with pytest.raises(ValueError, match="port"):
        asyncio.run(server.run({"a"}, port=port, keys=KEYS))


@pytest.mark.parametrize("timeout", [0, 199, -5, "1500", None, 1.5])
def test_bad_timeout_is_an_error_that_names_it(timeout):
    with pytest.raises(ValueError, match="timeout"):
        asyncio.run(server.run({"a"}, timeout=timeout, keys=KEYS))


def test_server_without_keys_is_an_error():
    with pytest.raises(TypeError, match="keys"):
        asyncio.run(server.run({"a"}))
    with pytest.raises(TypeError, match="keys"):
        asyncio.run(server.run({"a"}, keys=None))


@pytest.mark.parametrize("expected", ["abc", ["a\nb"], [""], [5]])
def test_bad_expected_ids_are_an_error(expected):
    with pytest.raises((TypeError, ValueError), match="id"):
        asyncio.run(server.run(expected, keys=KEYS))


def test_port_in_use_is_an_oserror():
    with socket.socket() as other:
        port = free_port()
        other.bind((HOST, port))
        other.listen()
        with pytest.raises(OSError):
            asyncio.run(server.run({"a"}, port=port, keys=KEYS, host=HOST))


@pytest.mark.parametrize("time", ["first", "second"])
def test_no_test_finds_the_default_server_of_another(time):
    assert server.default_server().keys is None  # nobody has run it
    server.default_server().keys = time
    server._server = server.Server()  # without a store


def test_client_conn_waits_and_gives_one_object_for_ever():
    async def main():
        async with Service() as service:
            waiting = asyncio.create_task(client_conn("a\n"))
            await asyncio.sleep(0)
            assert not waiting.done()
            client = Client(service.port)
            await within(client.connect())
            conn = await within(waiting)
            client.cut()
            await within(client.connect())
            assert await within(client_conn("a")) is conn is await within(wait_all("a"))

    asyncio.run(main())


@pytest.mark.parametrize("client_id", ["", "a\nb", 5, None])
def test_client_conn_of_a_bad_id_is_an_error(client_id):
    with pytest.raises((TypeError, ValueError)):
        asyncio.run(client_conn(client_id))


def test_wait_all_waits_for_everyone_expected():
    async def main():
        async with Service(expected=["a", "b"]) as service:
            all_of_them = asyncio.create_task(wait_all())
            named = asyncio.create_task(wait_all("b"))
            only_a = asyncio.create_task(wait_all(peers=["a"]))
            a_for_b = asyncio.create_task(wait_all("a", peers={"b"}))
            await within(Client(service.port).connect())
            assert await within(only_a) is None
            assert not (all_of_them.done() or named.done() or a_for_b.done())
            await within(Client(service.port, "b", OTHER_KEY).connect())
            assert await within(all_of_them) is None
            assert (await within(named)).client_id == "b"
            assert (await within(a_for_b)).client_id == "a"

    asyncio.run(main())


def test_wait_all_may_be_called_before_the_server_runs():
    async def main():
        service = Service()
        waiting = asyncio.create_task(wait_all("a"))
        await asyncio.sleep(0)
        async with service:
            await within(Client(service.port).connect())
            assert (await within(waiting)).client_id == "a"

    asyncio.run(main())


def test_connection_tells_its_state():
    async def main():
        async with Service(expected=["a", "b"]) as service:
            conn = service.connection()
            assert (conn.status(), conn(), conn.nconns) == (False, False, 0)
            waiting = asyncio.ensure_future(conn.wait_connected())
            client = Client(service.port)
            await within(client.connect())
            await within(waiting)
            await conn
            assert (conn.status(), conn(), conn.nconns) == (True, True, 1)
            assert conn["b"] is service.connection("b") and not conn["b"]()
            with pytest.raises(KeyError):
                conn["nobody"]
            client.cut()
            await until(lambda: not conn(), "the end of the connection")
            await within(client.connect())
            assert (conn(), conn.nconns) == (True, 2)

    asyncio.run(main())


def test_close_all_ends_every_connection_and_clients_may_come_back():
    async def main():
        async with Service(expected=["a", "b"]) as service:
            clients = [Client(service.port), Client(service.port, "b", OTHER_KEY)]
            for client in clients:
                await within(client.connect())
            await within(wait_all())
            Connection.close_all()
            for client in clients:
                await client.ended()
                await within(client.connect())
            await within(wait_all())
            assert service.connection().nconns == 2

    asyncio.run(main())


def test_server_that_runs_again_without_a_store_still_has_its_lines():
    async def main():
        service = Service()
        service.store = None
        async with service:
            client = Client(service.port)
            await within(client.connect())
            conn = await within(client_conn("a"))
            await client.write("acknowledged, not yet read")
            await within(client.acknowledged())
            await service.stop()
            service.start()
            await within(client.connect())
            assert await within(conn.readline()) == "acknowledged, not yet read\n"
            await within(conn.write("x"))
            assert client.lines == ["x\n"]

    asyncio.run(main())
