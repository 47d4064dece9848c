"""How fast `pb-link store move` is: `python3 -m tests.server.bench_move`.

PostgreSQL is started from the system's packages, with fsync, on the disk. A third database is added to a store of two,
whose clients have lines in both directions: a third of the clients move.
"""

import argparse
import asyncio
import time

from server.stores import moving, postgres_admin
from server.stores.sharded import ShardedStore
from tests.server import bench, postgres
from tests.server.store_calls import EPOCH, a_line, a_lines

LINES = 4  # of 50 bytes, in each direction
NAMES = ("one", "two", "three")


async def fill(store, count):
    async def one(client_id):
        owner = (await store.claim(client_id)).owner
        await store.receive(client_id, owner, EPOCH, {0: LINES}, a_lines([b"x" * 50] * LINES))
        for _ in range(LINES):
            await store.put(client_id, owner, a_line(b"y" * 50))

    for first in range(0, count, 500):
        await asyncio.gather(*(one(f"client {number}") for number in range(first, min(first + 500, count))))


def measure(server, count):
    """Returns (clients, messages) that have moved, and the seconds that it took."""
    for name in NAMES:
        server.create(name)
    urls = [server.url_of(name) for name in NAMES]
    postgres_admin.init(urls[:2])
    postgres_admin.init(urls[2])
    store = ShardedStore(urls[:2])
    asyncio.run(fill(store, count))
    store.close()
    begin = time.perf_counter()
    moved = moving.move(urls[:2], urls)
    took_s = time.perf_counter() - begin
    assert postgres_admin.check(urls)["clients"] == count
    return *moved, took_s


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=3000)
    options = parser.parse_args()
    postgres.needed()
    with bench.fresh() as folder:
        server = postgres.Postgres(folder=folder)
        try:
            clients, messages, took_s = measure(server, options.clients)
        finally:
            server.remove()
    print(f"{clients} of {options.clients} clients with {messages} messages moved in {took_s:.1f} s:", end=" ")
    print(f"{clients / took_s:,.0f} clients/s")


if __name__ == "__main__":
    main()
