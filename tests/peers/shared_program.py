"""The processes of test_shared_store.py.

Usage: python3 -m tests.peers.shared_program URL SCHEMA node PORT, or .. writer LIFE

A node serves client "a". A writer, which has no listener, writes "LIFE N" to it, N = 0, 1, .., as lines and on channel
20 by turns, and prints "N" when a call has returned: of each third one when the client has accepted it, of the others
when they are stored. When its stdin ends, it waits for the last one, and prints "end".
"""

import asyncio
import sys

from server import Server
from server.stores.postgres import PostgresStore
from tests.server.peer import HOST, KEYS, TIMEOUT_MS

CHANNEL = 20


async def serve(store, port):
    await Server().run({"a"}, False, int(port), TIMEOUT_MS, keys=KEYS, store=store, host=HOST)


async def write(store, life):
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read)
    async with await Server().attach(store) as clients:
        conn, number = clients["a"], 0
        while not ended.done():
            text, wait = f"{life} {number}", number % 3 == 2
            if number % 2:
                await conn.channel(CHANNEL).send(text, wait=wait)
            else:
                await conn.write(text, wait=wait)
            print(number, flush=True)
            number += 1
        await conn.write(f"{life} end")
        await conn.channel(CHANNEL).send(f"{life} end")
        print("end", flush=True)


if __name__ == "__main__":
    url, schema, what, argument = sys.argv[1:]
    asyncio.run((serve if what == "node" else write)(PostgresStore(url, schema=schema), argument))
