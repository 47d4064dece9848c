"""The smallest server application: answers each line of client "demo" with "pong"."""

import asyncio

from pb_link.server import client_conn, run
from pb_link.settings import read


async def answer() -> None:
    conn = await client_conn("demo")
    while True:
        print(await conn.readline(), end="")
        await conn.write("pong")


async def main() -> None:
    settings = read()
    asyncio.create_task(answer())
    await run({"demo"}, port=settings["port"], keys={"demo": settings["key"]})


asyncio.run(main())
