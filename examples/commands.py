"""A client that runs commands of its server, and answers: commands_server.py sends them.

A command is JSON, such as {"do": "add", "a": 1, "b": 2}. What a command raises reaches the server. docs/requests.md.
In simulation: `pb-link sim up --client examples/commands.py`, beside commands_server.py.
"""

import asyncio
import json

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

COMMANDS = 30  # channel on which the server asks
TIMES = 31  # channel on which the client asks


async def run_command(data: bytes) -> str:
    words = json.loads(data)
    if words["do"] == "add":
        return json.dumps(words["a"] + words["b"])
    if words["do"] == "wait":
        await asyncio.sleep(words["seconds"])
        return json.dumps("waited")
    raise ValueError("there is no command '%s'" % words["do"])


class App(AppBase):
    async def start(self) -> None:
        self.on_request(COMMANDS, run_command)
        answer = await self.request(TIMES, b"", 60000)
        print("the server's time is", str(answer, "utf-8"))


asyncio.run(App(conn_id, config, hardware).run())
