"""The client's application of a counted run, on a virtual board: writes numbered lines, logs what it reads.

Arguments: lines, bytes a line, seed. Log: `> LINE` before a line is written, `< LINE` when one has been read.
"""

import asyncio
import sys

from counted_lines import make_line

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

# Every so many lines, a write waits until the server has the line: so both ways of writing are used.
WAIT_EVERY = 10


class App(AppBase):
    def start(self):
        self.create_task(self.write_lines())
        self.create_task(self.read_lines())

    async def write_lines(self):
        lines, size, seed = (int(text) for text in sys.argv[1:4])
        for number in range(lines):
            line = make_line("c", number, size, seed)
            print(">", line)
            await self.write(line, qos=True, wait=number % WAIT_EVERY == 0)

    async def read_lines(self):
        while True:
            line = await self.readline()
            print("<", line[:-1])

    async def bad_wifi(self):
        print("! Wi-Fi could not be joined")

    async def bad_server(self):
        print("! no server yet")

    async def report(self, data):
        print("! report", data)
        print("! fallbacks", *self.fallbacks())

    async def server_ok(self, up):
        print("! server", "up" if up else "down")


asyncio.run(App(conn_id, config, hardware).await_msg())
