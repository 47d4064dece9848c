"""The server of commands.py: sends commands to the client, and prints the answers.

To run it: `python3 examples/commands_server.py`, where pb_settings.json is (pb_link installed, or on PYTHONPATH).
"""

import asyncio
import json
import sys
import time

from pb_link.server import Connection, RequestFailed, RequestTimeout, StoreError, run, serve
from pb_link.settings import read

COMMANDS = 30  # channel on which the server asks
TIMES = 31  # channel on which the client asks


def answer_time(data: bytes) -> str:
    return time.strftime("%H:%M:%S")


async def command(conn: Connection, words: dict[str, object]) -> None:
    try:
        answer = await conn.request(COMMANDS, json.dumps(words), 60000)
        print(words, "->", json.loads(answer))
    except (RequestFailed, RequestTimeout) as error:
        print(words, "->", error)


async def use(conn: Connection) -> None:  # called for each client that comes
    conn.on_request(TIMES, answer_time)
    waiting = asyncio.create_task(command(conn, {"do": "wait", "seconds": 1}))
    await command(conn, {"do": "add", "a": 20, "b": 1.5})
    await command(conn, {"do": "dance"})
    await waiting


async def main() -> None:
    settings = read()
    await asyncio.gather(run({"demo"}, port=settings["port"], keys={"demo": settings["key"]}), serve(use))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
    except (OSError, TypeError, ValueError, StoreError) as error:  # such as a port in use: the text says what to do
        sys.exit("commands_server: %s" % error)
