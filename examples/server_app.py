"""The smallest server application: answers each line of client "demo" with "pong"."""

import asyncio

from pb_link.settings import read
from server import client_conn, run


async def answer():
    conn = await client_conn("demo")
    while True:
        print(await conn.readline(), end="")
        await conn.write("pong")


async def main():
    settings = read()
    asyncio.create_task(answer())
    await run({"demo"}, port=settings["port"], keys={"demo": settings["key"]})


asyncio.run(main())
