"""A client in MicroPython, with a bridge in MicroPython, that has the addresses of two servers on one store."""

import os
import signal
import sys

from tests.peers.processes import running, up, write_settings
from tests.peers.test_client_run import boards  # noqa: F401 - a fixture
from tests.server.peer import free_port

SERVERS = """
import asyncio, json, signal, sys
from server import MemoryStore, Server

async def main():
    key, store = bytes.fromhex(json.load(open("pb_settings.json"))["key"]), MemoryStore()
    running = []
    for name, port in zip(("first", "second"), map(int, sys.argv[1:])):
        server = Server()

        async def answer(conn, name=name):
            while True:
                await conn.write(name + " " + await conn.readline())

        work = server.run({"demo"}, port=port, keys={"demo": key}, store=store, host="127.0.0.1")
        running += [asyncio.create_task(work), asyncio.create_task(server.serve(answer))]
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, running[0].cancel)
    await asyncio.Event().wait()

asyncio.run(main())
"""
CLIENT = """
import asyncio
from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

class App(AppBase):
    def start(self):
        self.create_task(self.write_lines())
        self.create_task(self.read_lines())

    async def write_lines(self):
        number = 0
        while True:
            await self.write(str(number), wait=False)
            number += 1
            await asyncio.sleep_ms(100)

    async def read_lines(self):
        while True:
            print("answer:", await self.readline(), end="")

asyncio.run(App(conn_id, config, hardware).run())
"""


def test_client_tries_its_addresses_in_turn_and_goes_to_the_other_server_when_one_ends(tmp_path, boards):  # noqa: F811
    first, second, nobody = free_port(), free_port(), free_port()
    write_settings(tmp_path, server=f"127.0.0.1:{nobody}, 127.0.0.1:{first}, 127.0.0.1:{second}")
    (tmp_path / "client.py").write_text(CLIENT)
    command = [sys.executable, "-c", SERVERS, first, second]
    with running(command, tmp_path) as servers, running(up(tmp_path / "client.py"), tmp_path, **boards) as client:
        client.wait_for(f"nobody listens at 127.0.0.1:{nobody}")
        client.wait_for("answer: first", 10)
        os.kill(servers.process.pid, signal.SIGUSR1)
        client.wait_for("answer: second", 20)
        answers = [line.partition("answer: ")[2].split() for line in client.lines if "answer: " in line]
        assert [int(number) for _, number in answers] == list(range(len(answers)))
        assert not [line for line in client.lines if "No initial server connection" in line]
