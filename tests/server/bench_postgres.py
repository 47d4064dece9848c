"""The store in PostgreSQL beside the one in SQLite, in one run: part of `make bench-server`. Fails on a missed bar.

PostgreSQL 15 or newer is started from the system's packages, with fsync, on the disk that SQLite has too. The server
under test has the first core, the load the second; PostgreSQL runs on both. Statements are counted by a relay between
server and database, which is not there when time is taken.
"""

import argparse
import asyncio
import contextlib
import json
import os
import time
from pathlib import Path

import asyncpg

from server.stores import postgres_schema
from server.stores.postgres_nodes import BEAT_S
from tests.server import bench, postgres
from tests.server.bench_bars import Bars, median

CLIENTS = 100
IDLE = 1000  # clients
ROUNDS = 3
PAIRS = 7  # of PostgreSQL and SQLite: the ratio of one is 0.47 to 0.77 on one day
LOOK_S = 5.0  # the heartbeat of a node: PostgresStore.look_s
_HEARTBEAT = 4  # statements of one: the version of the tables (2), the cost of all messages, and one to spare
_SOCKET = ".s.PGSQL.5432"
_EXECUTE, _QUERY, _SYNC, _FLUSH = b"EQSH"


class Relay:
    """A Unix socket in front of that of PostgreSQL, which counts what passes. Use: `async with Relay(..) as relay`.

    statements: those that were executed; round_trips: how often the server was asked for its answer."""

    def __init__(self, folder, true_folder):
        self.url = f"postgresql://postgres@/postgres?host={folder}"
        self.statements = self.round_trips = 0
        self._serving = []
        self._path, self._true_path = f"{folder}/{_SOCKET}", f"{true_folder}/{_SOCKET}"

    async def __aenter__(self):
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        return self

    async def __aexit__(self, *error):
        self._server.close()
        for _, writer in self._serving:
            writer.transport.abort()
        await asyncio.gather(*(task for task, _ in self._serving))

    async def _serve(self, reader, writer):
        self._serving.append((asyncio.current_task(), writer))
        true_reader, true_writer = await asyncio.open_unix_connection(self._true_path)
        back = asyncio.create_task(self._copy(true_reader, writer))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            size = await reader.readexactly(4)  # the first message has no letter
            true_writer.write(size + await reader.readexactly(int.from_bytes(size, "big") - 4))
            while True:
                head = await reader.readexactly(5)
                self.statements += head[0] in (_EXECUTE, _QUERY)
                self.round_trips += head[0] in (_SYNC, _FLUSH, _QUERY)
                true_writer.write(head + await reader.readexactly(int.from_bytes(head[1:], "big") - 4))
        true_writer.write_eof()
        await back
        true_writer.close()

    async def _copy(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()


class Database:
    """A PostgreSQL that syncs, with fresh tables for each measurement."""

    def __init__(self, folder):
        self._server = postgres.Postgres(folder=folder)
        self.folder, self.url = folder, self._server.url

    async def renew(self):
        connection = await asyncpg.connect(self.url)
        await connection.execute("DROP SCHEMA IF EXISTS pb_link CASCADE")
        await postgres_schema.make(connection, postgres_schema.SCHEMA)
        await connection.execute("CHECKPOINT")
        await connection.close()

    async def wal(self):
        """Returns how many bytes of its log it has written so far."""
        connection = await asyncpg.connect(self.url)
        found = await connection.fetchval("SELECT pg_current_wal_lsn() - '0/0'")
        await connection.close()
        return int(found)

    @property
    def cpu_s(self):
        """What the processes of PostgreSQL have used."""
        first = int(Path(self.folder, "data/postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        alive = 0
        for one in [first, *children]:
            with contextlib.suppress(FileNotFoundError):  # it has just ended
                alive += int(Path(f"/proc/{one}/schedstat").read_text().split()[0]) / 1e9
        ended = Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[13:15]  # cutime, cstime
        return alive + sum(map(int, ended)) / os.sysconf("SC_CLK_TCK")

    def remove(self):
        self._server.remove()


async def rates(database, lines):
    """Returns (lines/s of PostgreSQL, of SQLite, us of processor time of PostgreSQL itself, and bytes of its log, for
    each line)."""
    await database.renew()
    wal, before = await database.wal(), database.cpu_s
    ours, _ = await bench.lines_per_second(database.folder, CLIENTS, lines, database.url, "ahead")
    await asyncio.sleep(0.5)  # what has ended is counted then
    used = (database.cpu_s - before) / lines * 1e6
    wal = (await database.wal() - wal) / lines
    with bench.fresh() as folder:
        theirs, _ = await bench.lines_per_second(folder, CLIENTS, lines, "durable", "ahead")
    return ours, theirs, used, wal


async def two_nodes(database, lines):
    """Returns lines/s of two servers, each with half of the clients. They share the first core."""
    await database.renew()
    ports = bench.free_port(), bench.free_port()
    with contextlib.ExitStack() as stack:
        nodes = [
            stack.enter_context(bench.server_process(database.folder, port, CLIENTS, 30000, database.url, "ahead"))
            for port in ports
        ]
        clients = []
        for number, name in enumerate(bench.names(CLIENTS)):
            clients.append(bench.Loader(ports[number % 2], name, bytes.fromhex(bench.KEY)))
        for port in ports:
            (await bench.open_stream(port))[1].close()
        await asyncio.gather(*(client.connect() for client in clients))
        begin = time.perf_counter()
        each = lines // CLIENTS
        await asyncio.gather(*(client.load(each) for client in clients))
        await asyncio.gather(*(node.read(each * CLIENTS // 2) for node in nodes))
        took_s = time.perf_counter() - begin
        for client in clients:
            client.cut()
    return each * CLIENTS / took_s


@contextlib.asynccontextmanager
async def relayed(database, count, how):
    """Yields (Relay, process, port) of a server for so many clients, whose database is behind the relay."""
    await database.renew()
    port = bench.free_port()
    with bench.fresh() as folder:
        async with Relay(folder, database.folder) as relay:
            with bench.server_process(folder, port, count, 30000, relay.url, how) as process:
                yield relay, process, port


async def counts(database, lines):
    """Returns (statements, round trips) for each line, with all that CLIENTS may have in flight."""
    async with relayed(database, CLIENTS, "ahead") as (relay, process, port):
        clients, _ = await bench.connected(port, CLIENTS)
        before = relay.statements, relay.round_trips
        each = lines // CLIENTS
        await asyncio.gather(*(client.load(each) for client in clients))
        await process.read(each * CLIENTS)
        after = relay.statements, relay.round_trips
        for client in clients:
            client.cut()
    return [(end - begin) / (each * CLIENTS) for begin, end in zip(before, after)]


async def idle(database, seconds):
    """Returns statements a minute while IDLE clients are connected and say nothing."""
    async with relayed(database, IDLE, "lines") as (relay, _, port):
        clients, _ = await bench.connected(port, IDLE, bench.Idle)
        await asyncio.sleep(3)
        before, begin = relay.statements, time.perf_counter()
        ticking = asyncio.create_task(bench.tick(clients, 30000))
        await asyncio.sleep(seconds)
        ticking.cancel()
        count, took_s = relay.statements - before, time.perf_counter() - begin
        assert not any(client.ended for client in clients)
        for client in clients:
            client.cut()
    return count * 60 / took_s


def measure(options, bars):
    with bench.fresh() as folder:
        database = Database(folder)
        bench.leave_first_core()  # after the start of PostgreSQL, which is to have both
        try:
            measure_with(database, options, bars)
        finally:
            database.remove()


def measure_with(database, options, bars):
    rounds = [asyncio.run(rates(database, options.lines)) for _ in range(PAIRS)]
    ours, theirs, used, wal = (median([one[at] for one in rounds]) for at in range(4))
    ratio = median([one[0] / one[1] for one in rounds])
    text = f"{ours:,.0f} and {theirs:,.0f} lines/s; PostgreSQL itself used {used:.0f} us a line"
    bars.at_least(f"PostgreSQL, of SQLite, {CLIENTS} clients", ratio, 0.5, text)
    bars.show("PostgreSQL, its log for a line that is stored and read", f"{wal:,.0f} bytes", wal_bytes=wal)
    two = median([asyncio.run(two_nodes(database, options.lines)) for _ in range(ROUNDS)])
    bars.show("PostgreSQL, two nodes on one core, of one", f"{two / ours:.2f}, {two:,.0f} lines/s", of_one=two / ours)
    statements, trips = asyncio.run(counts(database, options.lines))
    bars.at_most("PostgreSQL, statements a line", statements, 0.1)
    bars.at_most("PostgreSQL, round trips a line", trips, 0.1)
    beat = _HEARTBEAT * 60 / LOOK_S + 60 / BEAT_S  # of its two connections
    bars.at_most(f"PostgreSQL, {IDLE} idle, statements/min", asyncio.run(idle(database, 4 * LOOK_S)), beat)
    asyncio.run(database.renew())
    before, begin = database.cpu_s, time.perf_counter()
    found = asyncio.run(bench.latency(database.folder, CLIENTS, options.seconds, database.url))
    used = (database.cpu_s - before) / (time.perf_counter() - begin)
    bars.show("PostgreSQL itself, with 1,000 lines/s", f"{used:.1%} of a core", of_a_core=used)
    bench.hold_latency(bars, "PostgreSQL, write to acknowledged, p99, ms", found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=20000, help="for each figure")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    bench.raise_limit(2 * IDLE + 100)
    postgres.needed()
    bars = Bars()
    measure(options, bars)
    print(json.dumps(bars.figures))
    bars.end()


if __name__ == "__main__":
    main()
