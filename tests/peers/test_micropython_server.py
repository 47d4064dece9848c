"""The server under MicroPython, where sockets, time limits and the order of those who wait are its own. What it prints
may come later than what it sends, so it is waited for."""

import asyncio
import subprocess
import time

import pytest

from build.tools import micropython
from tests.layering import BOTH_INTERPRETERS, ROOT
from tests.patience import PATIENCE_S
from tests.peers.processes import running
from tests.server.core.test_take_over import HeldBack
from tests.server.peer import KEY, OTHER_KEY, Client, free_port, open_stream, within

PROGRAM = """
import asyncio
import server
from server import run

async def say(conn, line, **how):
    await conn.write(line, **how)

async def echo():
    conn = server.default_server().registry.get("a")
    for i in range(3):
        await conn.write("early %d" % i, wait=False)
    print("early")
    while True:
        line = await conn.readline()
        if line == "burst\\n":
            for i in range(20):
                asyncio.create_task(say(conn, "%02d" % i, qos=i % 3 > 0, wait=False))
        else:
            await conn.write(line)

async def main():
    asyncio.create_task(echo())
    await run({"a"}, True, PORT, 10000, keys={"a": "KEY"})

asyncio.run(main())
"""

# Two servers in one process, for the same client: what one of them gets the other sends.
TWO = """
import asyncio
from server import MemoryStore, Server

async def echo(server, other):
    while True:
        line = await (await server.client_conn("a")).readline()
        await other.registry.get("a").write(line, wait=False)

async def main():
    servers = Server(), Server()
    for number, port in enumerate(PORTS):
        one, other = servers[number], servers[1 - number]
        asyncio.create_task(one.run({"a"}, True, port, 10000, keys={"a": "KEY"}, store=MemoryStore()))
        asyncio.create_task(echo(one, other))
    await asyncio.sleep(600)

asyncio.run(main())
"""


HANDLER = """
import asyncio
from server import run, serve

async def handler(conn):
    async for line in conn.lines():
        if line == "poison\\n":
            raise ValueError("my fault")
        await conn.write(conn.client_id + " " + line)

async def main():
    await asyncio.gather(run({"a"}, False, PORT, 10000, keys=KEYS), serve(handler))

asyncio.run(main())
"""


def test_handler_that_fails_is_told_with_its_traceback_and_other_clients_go_on(tmp_path, micropython64):
    async def main():
        client, other = Client(port), Client(port, "b", OTHER_KEY)
        for one in (client, other):
            await within(one.connect())
        await client.write("poison")
        server.wait_for("server: a: the handler has failed, and is called again in 1 s: ValueError: my fault")
        server.wait_for("in handler")
        await other.write("x")
        assert await within(other.expect(1)) == ["b x\n"]
        server.wait_for("is called again in 2 s")  # the line was not processed: it has come again
        for one in (client, other):
            one.cut()

    port, keys = free_port(), {"a": KEY.hex(), "b": OTHER_KEY.hex()}
    program = tmp_path / "program.py"
    program.write_text(HANDLER.replace("PORT", str(port)).replace("KEYS", repr(keys)))
    with running([micropython64, program], tmp_path) as server:
        asyncio.run(main())


def test_two_servers_live_in_one_process(tmp_path, micropython64):
    async def main():
        clients = [Client(port) for port in ports]
        for number, client in enumerate(clients):
            await within(client.connect())
            await client.write(f"from {number}")
        assert await within(clients[0].expect(1)) == ["from 1\n"]
        assert await within(clients[1].expect(1)) == ["from 0\n"]
        for client in clients:
            client.cut()

    ports = [free_port(), free_port()]
    program = tmp_path / "program.py"
    program.write_text(TWO.replace("PORTS", str(ports)).replace("KEY", KEY.hex()))
    with running([micropython64, program], tmp_path):
        asyncio.run(main())


# Silent connections are not given up by time.
PATIENT = "import server.core.listener\nserver.core.listener.HELLO_MS = 1000000\n"


@pytest.fixture
def server(request, tmp_path, micropython64):
    """The server of PROGRAM. A test may have lines before it, as the fixture's parameter."""
    port = free_port()
    program = tmp_path / "program.py"
    program.write_text(getattr(request, "param", "") + PROGRAM.replace("PORT", str(port)).replace("KEY", KEY.hex()))
    with running([micropython64, program], tmp_path) as running_server:
        running_server.port = port
        yield running_server


async def let_in(port):
    """Returns a client that is connected. Until then it is refused: the server may have accepted a crowd just now."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        client = Client(port)
        try:
            await within(client.connect())
            return client
        except AssertionError:
            assert time.monotonic() < deadline, client.fault
            await asyncio.sleep(0.25)


@pytest.mark.parametrize("server", [PATIENT], indirect=True, ids=["patient"])
def test_silent_connections_give_way_and_lines_keep_their_order(server):
    async def main():
        server.wait_for("early")  # no client has connected
        crowd = [await open_stream(server.port) for _ in range(150)]
        await asyncio.sleep(0.6)  # GRACE_MS: then they give way
        client = await let_in(server.port)
        assert await within(client.expect(3)) == [f"early {i}\n" for i in range(3)]
        await client.write("burst")
        assert (await within(client.expect(23)))[3:] == [f"{i:02d}\n" for i in range(20)]
        for _, writer in crowd:
            writer.transport.abort()
        client.cut()

    asyncio.run(main())
    server.wait_for("too many connections without proof")


def test_late_proof_is_refused(server):
    async def main():
        before = HeldBack(server.port)
        await before.hold()
        client = Client(server.port)
        await within(client.connect())
        await before.release()
        await client.write("undisturbed")
        assert (await within(client.expect(4)))[3] == "undisturbed\n"
        client.cut()

    asyncio.run(main())
    server.wait_for("late proof")


def test_client_that_says_nothing_after_hello_is_given_up(server):
    async def main():
        silent = await open_stream(server.port)
        assert await within(silent[0].read(-1)) == b""  # HELLO_MS
        client = Client(server.port)
        await within(client.connect())
        client.cut()

    asyncio.run(main())
    server.wait_for("no HELLO in 2000 ms")


def test_micropython_compiles_each_module_of_both_interpreters():
    """Also those that it does not run: `import` compiles a module before that is found out."""
    compiler = micropython.mpy_cross()
    files = [path for folder in BOTH_INTERPRETERS for path in sorted((ROOT / folder).rglob("*.py"))]
    faults = []
    for path in files:
        done = subprocess.run([compiler, "-o", "/dev/null", path], capture_output=True, text=True)
        if done.returncode:
            faults.append(f"{path.relative_to(ROOT)}: {done.stderr}")
    assert not faults and len(files) > 100
