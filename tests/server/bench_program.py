"""The server that `make bench-server` measures. Usage: python3 bench_program.py PORT COUNT TIMEOUT_MS STORE READ.

STORE: memory, durable (bench.db in the current directory), or an address postgresql://..; READ: lines, ahead, readline,
or none. Prints "reading N" when N
lines have been read, for each N that comes on stdin.
"""

import asyncio
import sys

import server
from server.service.collector import settle
from server.stores.sqlite import SQLiteStore

KEY = "5a" * 32


def names(count):
    return [f"bench{number:05d}" for number in range(count)]


def opened(name):
    if name.startswith("postgresql:"):
        from server.stores.postgres import PostgresStore  # asyncpg takes memory that the others are not to show

        return PostgresStore(name)
    return SQLiteStore("bench.db") if name == "durable" else server.MemoryStore()


class Reader:
    def __init__(self, how):
        self.count = 0
        self._how = how

    async def read(self, client_id):
        conn = await server.client_conn(client_id)
        if self._how == "readline":
            while True:
                await conn.readline()
                self.count += 1
        async for _ in conn.lines(**({"ahead": 63} if self._how == "ahead" else {})):
            self.count += 1


async def report(reader):
    loop = asyncio.get_running_loop()
    while wanted := await loop.run_in_executor(None, sys.stdin.readline):
        while reader.count < int(wanted):
            await asyncio.sleep(0.005)
        print("reading", reader.count, flush=True)


async def main(port, count, timeout_ms, store, how):
    store = opened(store)
    reader = Reader(how)
    tasks = [asyncio.create_task(report(reader))]
    if how != "none":
        tasks += [asyncio.create_task(reader.read(name)) for name in names(count)]
    keys = {name: KEY for name in names(count)}
    await server.run(set(keys), port=port, timeout=timeout_ms, keys=keys, store=store, host="127.0.0.1")


if __name__ == "__main__":
    settle()  # as `pb-link serve` does
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:6]))
