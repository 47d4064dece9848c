"""What the server does in a second on this machine, beside Mosquitto: `make bench-server`. Fails on a missed bar.

With --core it measures only how many lines a second of the server's core carries, for `make bench`.

The server has one core of its own where there are two, the load has the other. "busy" is the share of its core that
the server used: where that is well below 100 %, the load was the limit.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from protocol.framing import KEEPALIVE
from tests.server.bench_bars import Bars, median
from tests.server.bench_beside import Machine, percentiles
from tests.server.bench_mqtt import CONFIG, STATED, Publisher, Subscriber
from tests.server.bench_program import KEY, names
from tests.server.peer import Client, free_port, open_stream

ROOT = Path(__file__).resolve().parents[2]
LINE = b"temperature 21.4 humidity 48 pressure 1013"  # 42 bytes
WINDOW = 64  # lines of a client in flight: SEND_LINES
COUNTS = (1, 100, 1000)  # clients
ROUNDS = 5  # of the latency
INTERVAL_S = 0.1  # between two lines of a client
STEADY = 0.1  # share of the lines at least for which the machine was steady
# Lines/s of a strict reader, `lines()`, of those of Mosquitto's QoS 2 in the same run: the median of so many pairs.
PAIRS = 3
OF_MOSQUITTO = {1: 0.5, 100: 1.5, 1000: 1.0}  # at least, by clients
IDLE_SHARE = 0.15  # of a core, at most, with a timeout of 1,500 ms
ACCEPTED = 1000  # connections for each second of a core, at least
WINDOWS = 5  # of the time with idle clients
BATCH = 500  # of connections
CORES = sorted(os.sched_getaffinity(0))  # before `leave_first_core`


class Process:
    """A process on the first core. Use: `with Process(command, folder) as process`."""

    def __init__(self, command, folder):
        environment = dict(os.environ, PYTHONPATH=str(ROOT))
        self._process = subprocess.Popen(
            [str(word) for word in command], cwd=folder, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=self._settle,
        )  # fmt: skip

    def _settle(self):
        os.sched_setaffinity(0, CORES[:1])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.kill()
        self._process.communicate()

    @property
    def cpu_s(self):
        threads = Path(f"/proc/{self._process.pid}/task").iterdir()  # those of the server last as long as it does
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    @property
    def waited_ms(self):
        return waited_ms_of(self._process.pid)

    @property
    def memory_kib(self):
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    async def read(self, count):
        """Return when the server's application has read so many lines in all."""
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        while not (await asyncio.to_thread(self._process.stdout.readline)).startswith("reading"):
            pass  # the server's log


def server_process(folder, port, count, timeout_ms, store, how):
    program = ROOT / "tests" / "server" / "bench_program.py"
    return Process([sys.executable, program, port, count, timeout_ms, store, how], folder)


class Loader(Client):
    """Writes lines as fast as they are acknowledged."""

    async def load(self, count):
        session = self.session
        end = session.acknowledged + count
        left = count
        while session.acknowledged < end:
            while left and session.room_for(len(LINE)):
                session.append(LINE, True)
                left -= 1
            self._flush()
            await self.changed.wait()

    async def paced(self, first, count, interval_s, took):
        """One line at a time, each at its time, from the time `first` on: else the lines of all clients would come
        together more and more. For each (time, seconds from write to acknowledgement) is appended to took."""
        session = self.session
        for number in range(count):
            await asyncio.sleep(max(0, first + number * interval_s - time.perf_counter()))
            begin = time.perf_counter()
            end = session.acknowledged + 1
            session.append(LINE, True)
            self._flush()
            while session.acknowledged < end:
                await self.changed.wait()
            took.append((begin, time.perf_counter() - begin))


async def connected(port, count, kind=Loader, clients=None, first=0):
    """Clients, and seconds until the last one was connected. clients: list that they go into one by one; first: number
    of the first one."""
    (await open_stream(port))[1].close()
    begin = time.perf_counter()
    clients = [] if clients is None else clients
    for at in range(first, first + count, 50):
        some = [kind(port, name, bytes.fromhex(KEY)) for name in names(first + count)[at : at + 50]]
        await asyncio.gather(*(client.connect() for client in some))
        clients += some
    return clients, time.perf_counter() - begin


async def lines_per_second(folder, count, lines, store, how):
    port = free_port()
    with server_process(folder, port, count, 30000, store, how) as process:
        clients, _ = await connected(port, count)
        cpu_s, begin = process.cpu_s, time.perf_counter()
        each = max(1, lines // count)
        await asyncio.gather(*(client.load(each) for client in clients))
        await process.read(each * count)
        took_s = time.perf_counter() - begin
        cpu_s = process.cpu_s - cpu_s
        for client in clients:
            client.cut()
    return each * count / took_s, cpu_s / took_s


def lines_of_a_core(lines, rounds):
    """Lines for each second of a core that the server's process used, by store and clients, rounds taken together."""
    passed, used_s = {}, {}
    for _ in range(rounds):  # each does all: what disturbs one of them for a while disturbs what it is compared with
        for store, how in (("memory", "lines"), ("durable", "ahead")):
            for count in COUNTS:
                with fresh() as folder:
                    rate, busy = asyncio.run(lines_per_second(folder, count, lines, store, how))
                name, some = f"{store}, {count}", lines // count * count
                passed[name] = passed.get(name, 0) + some
                used_s[name] = used_s.get(name, 0) + some / rate * busy
    return {name: passed[name] / used_s[name] for name in passed}


async def mqtt_lines_per_second(folder, count, lines, qos):
    port = free_port()
    config = Path(folder) / "mosquitto.conf"
    config.write_text(CONFIG.format(port=port, folder=folder, window=WINDOW))
    with Process([shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", config], folder) as process:
        (await open_stream(port))[1].close()
        subscriber = Subscriber(qos)
        await subscriber.connect(port)
        await subscriber.subscribe()
        publishers = [Publisher(name, qos, WINDOW) for name in names(count)]
        for publisher in publishers:
            await publisher.connect(port)
        cpu_s, begin = process.cpu_s, time.perf_counter()
        each = max(1, lines // count)
        work = (publisher.publish(each, LINE) for publisher in publishers)
        await asyncio.gather(subscriber.receive(each * count), *work)
        took_s = time.perf_counter() - begin
        cpu_s = process.cpu_s - cpu_s
    return each * count / took_s, cpu_s / took_s


async def idle(folder, count, timeout_ms, seconds):
    """Returns KiB a client; share of a core; connections accepted a second, and for each second of a core; how many
    clients were lost.

    The share is the median of WINDOWS windows, and connections for a second of a core that of batches of BATCH: an
    episode of other work on the machine spoils one or two."""
    port = free_port()
    with server_process(folder, port, count, timeout_ms, "durable", "none") as process:
        (await open_stream(port))[1].close()
        before = process.memory_kib
        clients = []
        ticking = asyncio.create_task(tick(clients, timeout_ms))
        took_s, rates = 0, []
        for first in range(0, count, BATCH):
            cpu_s = process.cpu_s
            took_s += (await connected(port, min(BATCH, count - first), Idle, clients, first))[1]
            rates.append((len(clients) - first) / (process.cpu_s - cpu_s))
        await asyncio.sleep(2)
        memory = (process.memory_kib - before) / count
        shares = []
        for _ in range(WINDOWS):
            cpu_s, begin = process.cpu_s, time.perf_counter()
            await asyncio.sleep(max(seconds / WINDOWS, timeout_ms / 2000))  # each sends, and is sent, in each one
            shares.append((process.cpu_s - cpu_s) / (time.perf_counter() - begin))
        ticking.cancel()
        lost = sum(client.ended for client in clients)
        for client in clients:
            client.cut()
    return memory, median(shares), count / took_s, median(rates), lost


class Idle(Client):
    """Connects, and is then a socket to which somebody writes keepalives."""

    async def connect(self):
        await super().connect()
        await asyncio.sleep(0)
        writer, self._writer = self._writer, None
        self._half_open.append(writer)  # keeps `_run` from closing it
        self._task.cancel()
        await asyncio.wait([self._task])
        self.writer = writer

    @property
    def ended(self):
        return self.writer.is_closing()

    def cut(self):
        self.writer.transport.abort()


async def tick(clients, timeout_ms):
    while True:
        begin = time.perf_counter()
        for number, client in enumerate(list(clients)):
            if not client.ended:
                client.writer.write(KEEPALIVE)
            if number % 50 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(max(0, timeout_ms / 4000 - (time.perf_counter() - begin)))


async def latency(folder, count, seconds, store="durable"):
    """Returns a Round for each of ROUNDS rounds."""
    port = free_port()
    rounds = []
    with server_process(folder, port, count, 30000, store, "lines") as process:
        clients, _ = await connected(port, count)
        await asyncio.sleep(1)
        for _ in range(ROUNDS):
            took, work = [], []
            with Beside(store, folder) as beside:
                await asyncio.to_thread(beside.wait)
                cpu_s, begin = process.cpu_s, time.perf_counter()
                waited_ms = process.waited_ms, waited_ms_of("self")
                for number, client in enumerate(clients):
                    first = time.perf_counter() + INTERVAL_S * (1 + number / count)
                    work.append(client.paced(first, int(seconds / INTERVAL_S), INTERVAL_S, took))
                await asyncio.gather(*work)
                busy = (process.cpu_s - cpu_s) / (time.perf_counter() - begin)
                waits = process.waited_ms - waited_ms[0], waited_ms_of("self") - waited_ms[1]
                found = await asyncio.to_thread(beside.end)
            rounds.append(Round(took, busy, *waits, Machine(found), found["commits"]))
        for client in clients:
            client.cut()
    return rounds


class Round(NamedTuple):
    """A round of `latency`: (time, seconds) of each line; the share of its core that the server used; ms that server
    and load waited for their cores; the Machine, and (time, seconds) of the bare commits, in the same seconds."""

    took: list
    busy: float
    server_waited_ms: float
    load_waited_ms: float
    machine: Machine
    commits: list


class Beside:
    """bench_beside.py on the cores of the load. Use: `with Beside(store, folder) as beside`."""

    def __init__(self, store, folder):
        cores = ",".join(map(str, CORES[1:] or CORES))
        self._process = subprocess.Popen(
            [sys.executable, ROOT / "tests/server/bench_beside.py", store, cores], cwd=folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.kill()
        self._process.communicate()

    def wait(self):
        """Return when it looks."""
        self._process.stdout.readline()

    def end(self):
        """Returns what it has found, a dict. Call `wait` before."""
        return json.loads(self._process.communicate()[0])


def waited_ms_of(process):
    """How long this process has been ready to run while others had its core."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e6


def hold_latency(bars, name, rounds):
    """Show the rounds, and hold the 99th percentile of the lines against 20 ms and three times that of the bare
    commits: of those for which the machine was steady."""
    took, commits = [], []
    for one in rounds:
        common, p99 = percentiles([took_s for _, took_s in one.took])
        bare = percentiles([took_s for _, took_s in one.commits])[1]
        print(
            f"  a round: median {common:.1f} ms, p99 {p99:.1f} ms, of bare commits {bare:.1f} ms; the server busy "
            f"{one.busy:.0%}; it waited {one.server_waited_ms:.0f} ms for its core, the load "
            f"{one.load_waited_ms:.0f} ms; the machine{'' if one.machine.ahead else ', or the load,'} was slow in "
            f"{one.machine.slow:.1%} of looks"
        )
        took += one.machine.steady(one.took)
        commits += one.machine.steady(one.commits)
    share = len(took) / sum(len(one.took) for one in rounds)
    if share < STEADY:
        bars.show(name, f"not measured: the machine was steady for {share:.0%} of the lines", steady=share)
        bars.missed.append(name)
        return
    common, p99 = percentiles(took)
    bare = percentiles(commits)[1]
    text = f"median {common:.1f} ms; p99 of a bare commit {bare:.1f} ms; {share:.0%} of the lines, the machine steady"
    bars.at_most(name, p99, 20 + 3 * bare, text)


def raise_limit(needed):
    """Raises: SystemExit if so many files cannot be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        with contextlib.suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, max(hard, needed)))
        if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < needed:
            raise SystemExit(f"bench: {needed} open files are needed, {hard} allowed: raise it with ulimit -n")


def leave_first_core():
    """The processes that are measured take it."""
    if len(CORES) > 1:
        os.sched_setaffinity(0, CORES[1:])


def fresh():
    return tempfile.TemporaryDirectory(prefix="pb_link-bench-", ignore_cleanup_errors=True)


def beside_mosquitto(options, bars):
    for count, bar in OF_MOSQUITTO.items():
        lines, pairs = options.lines // (4 if count == 1 else 1), []
        for _ in range(PAIRS):
            with fresh() as folder:
                ours = asyncio.run(lines_per_second(folder, count, lines, "durable", "lines"))[0]
            with fresh() as folder:
                theirs = asyncio.run(mqtt_lines_per_second(folder, count, lines, 2))[0]
            pairs.append((ours, theirs))
        ours, theirs = (median([one[at] for one in pairs]) for at in (0, 1))
        text = f"{ours:,.0f} and {theirs:,.0f} lines/s"
        bars.at_least(f"lines(), of Mosquitto's QoS 2, {count} clients", median([a / b for a, b in pairs]), bar, text)
    print(f"  Mosquitto: {STATED}")


def measure(options, bars):
    show = bars.show
    for store, how in (("memory", "lines"), ("durable", "lines"), ("durable", "ahead"), ("durable", "readline")):
        for count in COUNTS:
            if how == "readline" and count == 1000:
                continue
            lines = options.lines // (10 if count == 1 and store == "durable" else 1)
            with fresh() as folder:
                rate, busy = asyncio.run(lines_per_second(folder, count, lines, store, how))
            text = f"{rate:9,.0f} lines/s, busy {busy:4.0%}"
            show(f"{store}, {how}, {count} clients", text, lines_per_s=rate, busy=busy)
    if shutil.which("mosquitto") or os.path.exists("/usr/sbin/mosquitto"):
        for qos in (1, 2):
            for count in COUNTS:
                with fresh() as folder:
                    rate, busy = asyncio.run(mqtt_lines_per_second(folder, count, options.lines, qos))
                text = f"{rate:9,.0f} lines/s, busy {busy:4.0%}"
                show(f"Mosquitto, QoS {qos}, {count} clients", text, lines_per_s=rate, busy=busy)
        beside_mosquitto(options, bars)
    else:
        print("  mosquitto is not installed (apt-get install mosquitto): no comparison")
    with fresh() as folder:
        rounds = asyncio.run(latency(folder, 100, options.seconds))
        hold_latency(bars, "write to acknowledged, 100 clients at 10/s, p99, ms", rounds)
    for timeout_ms in (30000, 1500):
        with fresh() as folder:
            memory, share, rate, of_core, lost = asyncio.run(idle(folder, options.idle, timeout_ms, options.seconds))
        name = f"{options.idle} idle clients, timeout {timeout_ms} ms"
        show(name, f"{memory:.1f} KiB a client, {lost} lost", kib=memory, lost=lost)
        bars.at_most(name + ": share of a core", share, IDLE_SHARE)
        if timeout_ms == 30000:  # else most of the work are the keepalives of those that are there
            name = "connections accepted for a second of a core"
            bars.at_least(name, of_core, ACCEPTED, f"{rate:,.0f} a second with this load")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--core", type=int, metavar="ROUNDS", help="lines of a core alone, in so many rounds")
    parser.add_argument("--lines", type=int, default=20000, help="for each figure")
    parser.add_argument("--idle", type=int, default=5000, help="clients")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    raise_limit(2 * (max(COUNTS) if options.core else options.idle) + 100)
    leave_first_core()
    if options.core:
        print(json.dumps(lines_of_a_core(options.lines, options.core)))
        return
    bars = Bars()
    measure(options, bars)
    print(json.dumps(bars.figures))
    bars.end()


if __name__ == "__main__":
    main()
