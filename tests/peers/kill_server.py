"""SIGKILL of the server under traffic both ways: what got lost, came twice or out of order. See killed_server.py.

Usage: python3 -m tests.peers.kill_server [--clients 50] [--kills 100] [--seed 1]
"""

import argparse
import asyncio
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.peers.killed_server import KEYS, LINE_S, reads_once
from tests.server.peer import Client, free_port, until
from tests.sessions import idle

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("killed_server.py")
SETTLE_S = 0.5  # for a line too many to arrive
LEAVE_WITH_READLINE = 3  # lines of a client that a killed server may have taken and not returned, at the end
LATEST_S = 1.0  # a server lives for so long at most, from its start or from the moment all clients are back


class Endless(Client):
    """A client that comes back whenever its connection ends, and writes until it is told to stop."""

    stopped = False

    async def live(self):
        writing = asyncio.create_task(self._write())
        try:
            await self._come_back()
        finally:
            writing.cancel()

    async def _come_back(self):
        while True:
            self._task = asyncio.create_task(self._run())
            await asyncio.wait([self._task])
            await asyncio.sleep(0.02)

    async def _write(self):
        self.count = 0
        while not self.stopped:
            line = f"c{self.count}"
            self.count += 1
            await self.write(line)
            await asyncio.sleep(LINE_S)

    def _flush(self):
        if self._task is not None and self._writer is not None:
            super()._flush()


def start(folder, port, count):
    return subprocess.Popen(
        [sys.executable, PROGRAM, folder, str(port), str(count)],
        env=dict(os.environ, PYTHONPATH=str(ROOT)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


async def torment(folder, count, kills, rng, show=None):
    """Returns the clients, after so many kills and a quiet end. The server's log is in the folder."""
    port = free_port()
    clients = [Endless(port, client_id, bytes.fromhex(KEYS[client_id])) for client_id in sorted(KEYS)[:count]]
    living = [asyncio.create_task(client.live()) for client in clients]
    try:
        for number in range(kills):
            server = start(folder, port, count)
            if rng.random() < 0.8:  # the others die while they start
                await until(lambda: all(client.up for client in clients), "the connections", 60)
            await asyncio.sleep(rng.uniform(0, LATEST_S))
            server.send_signal(signal.SIGKILL)
            output = server.communicate()[0]
            assert server.returncode == -signal.SIGKILL and not output, output.decode()
            for client in clients:
                client.up = False
            if show is not None:
                show(number + 1)
        server = start(folder, port, count)
        for client in clients:
            client.stopped = True
        (Path(folder) / "stop").write_text("")
        await until(lambda: all(client.up and idle(client.session) for client in clients), "the rest", 60)
        await until(lambda: quiet(folder, clients), "the last lines", 60)
        await asyncio.sleep(SETTLE_S)
        server.kill()
        server.wait()
    finally:
        for task in living:
            task.cancel()
        for client in clients:
            client.cut()
    return clients


def quiet(folder, clients):
    """True if everything that must arrive has arrived."""
    log = Log(folder)
    for client in clients:
        name = client.client_id
        behind = LEAVE_WITH_READLINE if reads_once(name) else 0  # the last ones may have left with a server before
        last_up = bool(log.got[name]) and int(log.got[name][-1][1:]) >= client.count - 1 - behind
        last_down = not log.done[name] or f"s{log.done[name][-1]}\n" in client.lines[-2:]
        if not (last_up and last_down and name in log.finished):
            return False
    return True


class Log:
    def __init__(self, folder):
        self.got = collections.defaultdict(list)
        self.done = collections.defaultdict(list)
        self.begun = collections.defaultdict(list)
        self.finished = set()
        self.again = 0
        for line in (Path(folder) / "application.log").read_text().splitlines():
            word, client_id, *rest = line.split()
            if word in ("got", "had"):
                self.got[client_id].append(rest[-1])
            elif word in ("done", "begun"):
                getattr(self, word)[client_id].append(int(rest[0]))
            elif word == "finished":
                self.finished.add(client_id)
            self.again += word == "again"


def verdict(folder, clients):
    """Returns counts: of lines lost, duplicated and reordered, and of what nobody can know."""
    log = Log(folder)
    result = collections.Counter(lines=0, lost=0, duplicated=0, reordered=0, gone_with_readline=0, in_doubt=0)
    result["seen_again"] = log.again
    for client in clients:
        name = client.client_id
        up = [int(line[1:]) for line in log.got[name]]
        down = [int(line[1:]) for line in client.lines]
        lost_up = len(set(range(client.count)) - set(up))
        result["gone_with_readline" if reads_once(name) else "lost"] += lost_up
        result["lost"] += len(set(log.done[name]) - set(down))
        result["in_doubt"] += len(set(log.begun[name]) - set(log.done[name]))
        for numbers in (up, down):
            result["lines"] += len(numbers)
            result["duplicated"] += len(numbers) - len(set(numbers))
            result["reordered"] += sum(a > b for a, b in zip(numbers, numbers[1:]))
    return dict(result)


def run(count, kills, seed, show=None):
    with tempfile.TemporaryDirectory() as folder:
        clients = asyncio.run(torment(folder, count, kills, random.Random(seed), show))
        return verdict(folder, clients)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    begin = time.monotonic()
    result = run(
        options.clients, options.kills, options.seed,
        lambda number: print(f"\r{number} kills ", end="", file=sys.stderr, flush=True),
    )  # fmt: skip
    print(file=sys.stderr)
    result.update(clients=options.clients, kills=options.kills, seconds=round(time.monotonic() - begin, 1))
    print(json.dumps(result))
    return 1 if result["lost"] or result["duplicated"] or result["reordered"] else 0


if __name__ == "__main__":
    sys.exit(main())
