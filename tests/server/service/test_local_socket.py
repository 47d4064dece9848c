"""The socket with a path, as a Unix socket and as a port with a secret in a file."""

import asyncio
import os
import stat

import pytest

from server.service import local_socket
from tests.server.peer import within


@pytest.fixture(params=[True, False], ids=["unix", "port"])
def unix(request, monkeypatch):
    if request.param and not local_socket.HAS_UNIX:
        pytest.skip("there are no Unix sockets here")
    monkeypatch.setattr(local_socket, "HAS_UNIX", request.param)
    return request.param


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # short: the path of a Unix socket is
    return "admin.sock"


async def echo(reader, writer):
    writer.write(b"<" + await reader.readline())
    writer.close()


def test_caller_is_answered_and_the_file_is_its_owners(unix, path):
    async def main():
        server = await local_socket.listen(echo, path, 1000)
        assert local_socket.is_one(path) and stat.S_IMODE(os.stat(path).st_mode) == 0o600
        reader, writer = await local_socket.open_connection(path, 1000)
        writer.write(b"asynchronous\n")
        assert await within(reader.readline()) == b"<asynchronous\n"
        writer.close()
        assert await within(asyncio.to_thread(ask, path)) == b"<synchronous\n"
        server.close()

    def ask(path):
        with local_socket.connected(path, 60) as sock, sock.makefile("rb") as lines:
            sock.sendall(b"synchronous\n")
            return lines.readline()

    asyncio.run(main())


def test_file_of_a_server_that_was_killed_is_taken_over(unix, path):
    async def main():
        first = await local_socket.listen(echo, path, 1000)
        first.close()
        open(path, "a").close() if not unix and not os.path.exists(path) else None
        second = await local_socket.listen(echo, path, 1000)
        reader, writer = await local_socket.open_connection(path, 1000)
        writer.write(b"x\n")
        assert await within(reader.readline()) == b"<x\n"
        writer.close()
        second.close()

    asyncio.run(main())


def test_where_nobody_listens_it_is_refused(unix, path):
    with pytest.raises(FileNotFoundError):
        local_socket.connected(path)
    with open(path, "w") as file:
        file.write("something else\n")
    assert not local_socket.is_one(path)
    with pytest.raises(OSError):
        local_socket.connected(path)
    local_socket.remove(path)
    local_socket.remove(path)


def test_caller_without_the_secret_is_not_served(path, monkeypatch):
    monkeypatch.setattr(local_socket, "HAS_UNIX", False)
    served = []

    async def serve(reader, writer):
        served.append(True)
        writer.close()

    async def main():
        server = await local_socket.listen(serve, path, 1000)
        port = server.sockets[0].getsockname()[1]
        for said in (b"\n", b"0123456789abcdef" * 2 + b"\n", b"x" * 5000, "\N{DEGREE SIGN}\n".encode()):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            assert await within(reader.read()) == b""
            writer.close()
        server.close()

    asyncio.run(main())
    assert served == []


def test_silent_caller_is_given_up(path, monkeypatch):
    monkeypatch.setattr(local_socket, "HAS_UNIX", False)
    monkeypatch.setattr(local_socket, "_SECRET_S", 0.05)

    async def main():
        server = await local_socket.listen(echo, path, 1000)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        assert await within(reader.read()) == b""
        writer.close()
        server.close()

    asyncio.run(main())
