"""The smallest server application: answers each line of a client with "pong".

To run it: `python3 examples/server_app.py`, where pb_settings.json is (pb_link installed, or on PYTHONPATH).
"""

import asyncio
import sys

from pb_link.server import Connection, StoreError, run, serve
from pb_link.settings import read


async def answer(conn: Connection) -> None:  # called for each client that comes
    async for line in conn.lines():
        print(line, end="")
        await conn.write("pong")


async def main() -> None:
    settings = read()
    await asyncio.gather(run({"demo"}, port=settings["port"], keys={"demo": settings["key"]}), serve(answer))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
    except (OSError, TypeError, ValueError, StoreError) as error:  # such as a port in use: the text says what to do
        sys.exit("server_app: %s" % error)
