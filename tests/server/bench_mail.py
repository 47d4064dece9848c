"""How soon a line that one server writes is at a client of another one: `python3 -m tests.server.bench_mail`.

Two servers on one PostgreSQL of this program's own, whose disk is synced, in one process; the client is of peer.py, by
TCP. "one at a time": each line waits until the one before has come, and a random time of up to 200 ms. "without a
pause": each is written when the one before is stored, 2,000 of them. Writes to acknowledged: `write(wait=True)`.
"""

import argparse
import asyncio
import json
import random
import statistics
import time

from tests.server import postgres
from tests.server.peer import Client
from tests.server.shared_bed import Node, Tables


def shown(times):
    """Returns {"median", "p99", "max"} in ms of these seconds."""
    times = sorted(times)
    found = statistics.median(times), times[int(len(times) * 0.99)], times[-1]
    return {name: round(1000 * value, 2) for name, value in zip(("median", "p99", "max"), found)}


async def measured(tables, count):
    async with Node(tables.open()) as first, Node(tables.open()) as second:
        client = Client(first.port)
        await client.connect()
        await second.conn.write("warm")
        arrived = []
        for number in range(count):
            await asyncio.sleep(random.uniform(0, 0.2))
            begin, before = time.perf_counter(), len(client.lines)
            await second.conn.write(f"{number}", wait=False)
            while len(client.lines) == before:
                await client.changed.wait()
            arrived.append(time.perf_counter() - begin)
        acknowledged = []
        for number in range(count):
            begin = time.perf_counter()
            await second.conn.write(f"{number}")
            acknowledged.append(time.perf_counter() - begin)
        begin, before = time.perf_counter(), len(client.lines)
        for _ in range(2000):
            await second.conn.write("x" * 50, wait=False)
        while len(client.lines) < before + 2000:
            await client.changed.wait()
        rate = 2000 / (time.perf_counter() - begin)
        client.cut()
        return {
            "one at a time, ms": shown(arrived), "writes to acknowledged, ms": shown(acknowledged),
            "without a pause, lines/s": round(rate),
        }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(prog="python3 -m tests.server.bench_mail", description=__doc__.split("\n")[0])
    parser.add_argument("--lines", type=int, default=100)
    options = parser.parse_args()
    server = postgres.Postgres()
    tables = Tables(server)
    try:
        print(json.dumps(asyncio.run(measured(tables, options.lines)), indent=1))
    finally:
        tables.close()
        server.remove()


if __name__ == "__main__":
    main()
