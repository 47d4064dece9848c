"""The smallest server application: answers each line of a client with "pong"."""

import asyncio

from pb_link.server import Connection, run, serve
from pb_link.settings import read


async def answer(conn: Connection) -> None:  # called for each client that comes
    async for line in conn.lines():
        print(line, end="")
        await conn.write("pong")


async def main() -> None:
    settings = read()
    await asyncio.gather(run({"demo"}, port=settings["port"], keys={"demo": settings["key"]}), serve(answer))


asyncio.run(main())
