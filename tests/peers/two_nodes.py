"""Server nodes as processes on one PostgreSQL, and a client that goes from one to the other.

The nodes are `pb-link serve`. Their application writes a file of lines, each by one `write`:

    got NUMBER TEXT       from conn.lines(): the number tells a line that is seen again
    begun TEXT            before a line is written to the client
    done TEXT             write() has returned: the line is stored
    quiet NAME            this node has the client, and writes nothing more
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import asyncpg

from tests.patience import PATIENCE_S
from tests.peers.processes import ROOT, Program
from tests.server import postgres
from tests.server.peer import KEY, Client, free_port, until
from tests.sessions import idle

TIMEOUT_MS = 1500
LINE_S = 0.02  # between two lines, each way
_APPLICATION = '''
import asyncio, os
from itertools import count

LOG = os.open(os.environ["LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
NAME = os.environ["NAME"]
NUMBERS = count()

def log(*words):
    os.write(LOG, (" ".join(map(str, words)) + "\\n").encode())

async def handler(conn):
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(read(conn))
        tasks.create_task(write(conn))

async def read(conn):
    lines = conn.lines()
    async for line in lines:
        log("got", lines.number, line.strip())

async def write(conn):
    while not os.path.exists("quiet"):
        await conn
        text = f"{NAME}.{next(NUMBERS)}"
        log("begun", text)
        await conn.write(text, wait=False)
        log("done", text)
        await asyncio.sleep(%s)
    log("quiet", NAME)
'''


class Nodes:
    """Two nodes, on tables of their own. Use: `with Nodes(folder) as nodes`.

    url: of an empty database, or None: one that is made; more: of their settings."""

    def __init__(self, folder, url=None, **more):
        self._more = more
        self.url = url
        self.folder = Path(folder)
        self.ports = [free_port(), free_port()]
        self.metrics = [free_port(), free_port()]  # ports of their metrics and their health
        self.log = self.folder / "log"
        self.log.touch()
        self._running = [None, None]
        self._starts = 0

    def __enter__(self):
        if self.url is None:
            server, name = postgres.server(), postgres.new_schema()
            asyncio.run(self._make(server.url, name))
            self.url = server.url.replace("/postgres?", f"/{name}?")
        (self.folder / "keys.json").write_text(f'{{"a": "{KEY.hex()}"}}')
        (self.folder / "keys.json").chmod(0o600)
        (self.folder / "application.py").write_text(_APPLICATION % LINE_S)
        init = Program(self._command("store", "init", self.url), self.folder, self._environment("init"))
        init.process.wait()
        for at in range(2):
            self.start(at)
        return self

    def __exit__(self, *error):
        for node in self._running:
            node.process.kill()  # a stopped one too
            node.process.wait()

    async def _make(self, url, name):
        connection = await asyncpg.connect(url)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    def _command(self, *words):
        return [sys.executable, "-m", "server", *words]

    def _environment(self, name):
        return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "LOG": str(self.log), "NAME": name}

    def start(self, at):
        """Start a node's process, and wait until it listens."""
        self._starts += 1
        settings = {
            "port": self.ports[at], "host": "127.0.0.1", "keys": "keys.json", "store": self.url,
            "timeout_ms": TIMEOUT_MS, "admin_socket": f"admin{at}", "app": "application:handler", "node": f"node{at}",
            "metrics": f"127.0.0.1:{self.metrics[at]}", **self._more,
        }  # fmt: skip
        path = self.folder / f"node{at}.toml"
        path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
        command = self._command("serve", "--config", str(path))
        self._running[at] = Program(command, self.folder, self._environment(f"n{self._starts}"))
        self._running[at].wait_for(" started ")

    def asked(self, *words):
        """Returns what a command prints. Raises: AssertionError: it has failed."""
        done = subprocess.run(
            self._command(*words), cwd=self.folder, env=self._environment("asked"), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def page(self, at, path):
        """Returns (status, text) of a page at the address of its metrics, (None, "") if nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics[at]}{path}", timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None, ""

    def signal(self, at, number):
        self._running[at].process.send_signal(number)

    def end(self, at):
        """SIGTERM. Returns what it printed, when it has ended. Raises: AssertionError: not with status 0."""
        self.signal(at, signal.SIGTERM)
        assert self._running[at].process.wait() == 0, self._running[at].lines
        self._running[at].wait_for_end()
        return self._running[at].lines

    def lines(self, at):
        """What its present process has printed so far."""
        return self._running[at].lines

    def wait_for(self, at, text):
        return self._running[at].wait_for(text)

    def quiet(self):
        """Have the applications write nothing more."""
        (self.folder / "quiet").touch()

    def words(self, first):
        """The rest of each record of this kind, as lists of words."""
        return [line.split()[1:] for line in self.log.read_text().splitlines() if line.startswith(first + " ")]


class Roaming(Client):
    """A client with the addresses of all nodes, that writes until it is told to stop. It takes them in turn as
    pb_link/addresses.py does."""

    stopped = False
    count = 0

    def __init__(self, ports):
        super().__init__(ports[0])
        self.ports = ports
        self.at = 0
        self.noticed = 0.0  # when its connection was last over

    async def live(self):
        writing = asyncio.create_task(self._write())
        try:
            while True:
                self.port = self.ports[self.at]
                if not await self._session():
                    self.at = (self.at + 1) % len(self.ports)
                await asyncio.sleep(0.05)
        finally:
            writing.cancel()
            self.cut()

    async def _session(self):
        """Returns True if there was one, and it did not end with a farewell."""
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.transport.abort()
        before, size, heard = self.session.resumes, -1, time.monotonic()
        self.received = b""
        self._task = asyncio.create_task(self._run())
        while not self._task.done():
            await asyncio.wait([self._task], timeout=0.05)
            if len(self.received) != size:
                size, heard = len(self.received), time.monotonic()
            elif time.monotonic() > heard + TIMEOUT_MS / 1000:
                self.cut()  # a process that is stopped has its connections all the same
                break
        self.noticed = time.monotonic()
        return self.session.resumes > before and "frame kind 16" not in (self.fault or "")

    async def _write(self):
        while not self.stopped:
            await self.write(f"c{self.count}")
            self.count += 1
            await asyncio.sleep(LINE_S)

    def _flush(self):
        if self._task is not None and getattr(self, "_writer", None) is not None:
            super()._flush()


async def played(nodes, play, ports=None):
    """Let a client live while play(client) lasts, then until all is delivered. Returns the client. ports: those that it
    knows, None: of the nodes."""
    client = Roaming(ports or nodes.ports)
    living = asyncio.create_task(client.live())
    try:
        await until(lambda: client.up, "the first connection")
        await play(client)
        client.stopped = True
        nodes.quiet()
        await until(lambda: idle(client.session) and client.up, "the acknowledgements")
        await until(lambda: _read(nodes) == [f"c{i}" for i in range(client.count)], "the lines of the client")
        await until(lambda: nodes.words("quiet"), "the end of the applications' writes")
        stored = {text for (text,) in nodes.words("done")}
        await until(lambda: stored <= {line.strip() for line in client.lines}, "the lines to the client")
    finally:
        living.cancel()
        await asyncio.wait([living])
    return client


def _read(nodes):
    """The texts that the applications have read, in the order of their numbers, each number once."""
    found = {int(number): text for number, text in nodes.words("got")}
    return [found[number] for number in sorted(found)]


def check(nodes, client):
    """Nothing lost, nothing twice, and all in order. Raises: AssertionError."""
    assert _read(nodes) == [f"c{i}" for i in range(client.count)]
    numbers = Counter({(number, text) for number, text in map(tuple, nodes.words("got"))})
    assert len(numbers) == client.count, "a number has stood for two lines"
    got = [line.strip() for line in client.lines]
    assert not [text for text, times in Counter(got).items() if times > 1]
    begun, done = ([text for (text,) in nodes.words(word)] for word in ("begun", "done"))
    assert set(done) <= set(got) <= set(begun)
    for name in {text.partition(".")[0] for text in got}:
        of_one = [int(text.partition(".")[2]) for text in got if text.startswith(name + ".")]
        assert of_one == sorted(of_one)
