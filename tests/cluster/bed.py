"""A cluster as a test has it: nodes as processes, two PostgreSQL, clients, and a network between all of them.

    clients -- proxy -- node -- proxy -- PostgreSQL, primary
                             \\- proxy -- PostgreSQL, its synchronous standby

Each node has proxies of its own, so that each part of the network can fail by itself. The node's store is told both
servers, and finds the one that can be written. Where it is possible, each node has an address and a wire of its own
too: see network.py.
"""

import asyncio
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg

from server.stores import postgres_admin
from tests.cluster.devices import Device
from tests.cluster.network import Network
from tests.cluster.node import Settings
from tests.cluster.pair import Pair
from tests.cluster.pg_messages import LostHints
from tests.cluster.promise import ApplicationLog
from tests.cluster.proxy import HOST, Proxy
from tests.patience import PATIENCE_S
from tests.server.peer import free_port, until

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_MS = 1500
# A node finds a dead server soon, so that a run has many faults in little time.
LIMITS = {"CONNECT_S": 3.0, "STATEMENT_S": 3.0, "CLOSE_S": 0.5, "PAUSE_S": 0.1, "OUTAGE_S": PATIENCE_S}


# What `Bed.rows_of` asks for.
_OF_CLIENT = "FROM pb_link.{0} t JOIN pb_link.client c ON c.key = t.client WHERE c.id = $1"
ROWS = {
    "client": "SELECT to_jsonb(c)::text FROM pb_link.client c WHERE id = $1",
    **{one: "SELECT to_jsonb(t)::text " + _OF_CLIENT.format(one) for one in ("reading", "writer")},
    **{
        one: "SELECT concat_ws(' ', count(*), t.channel, min(t.number), max(t.number)) " + _OF_CLIENT.format(one)
        + " GROUP BY t.channel"
        for one in ("inbox", "outbox")
    },
    "mail": "SELECT concat_ws(' ', count(*), t.channel, t.writer, t.serial IS NULL, t.result) "
    + _OF_CLIENT.format("mail") + " GROUP BY t.channel, t.writer, t.serial IS NULL, t.result",
    "node": "SELECT to_jsonb(n)::text || ' ' || now() FROM pb_link.node n",
}  # fmt: skip


class Node:
    """A node: one process after another. Args: folder: with what all nodes share; wire: see network.py, None: it is on
    this machine; more: of its Settings."""

    def __init__(self, name, folder, wire=None, **more):
        self.name = name
        self.port = free_port()
        self.wire = wire
        self.address = HOST if wire is None else wire.address
        self.process = None  # while there is none
        self._count = 0
        self._output = Path(folder, name + ".log")
        self._settings = Settings(
            name=None, host=self.address, port=self.port, timeout_ms=TIMEOUT_MS,
            log=str(Path(folder, "application.log")), stop=str(Path(folder, "stop")), limits=LIMITS, **more,
        )  # fmt: skip

    def start(self):
        self._count += 1
        settings = self._settings._replace(name=f"{self.name}-{self._count}")
        command = [sys.executable, "-m", "tests.cluster.node", json.dumps(settings._asdict())]
        if self.wire is not None:
            command = self.wire.command(command)
        with open(self._output, "ab") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def kill(self):
        process, self.process = self.process, None
        process.kill()
        process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    @property
    def ended(self):
        """Whether the process has ended by itself, which none should."""
        return self.process is not None and self.process.poll() is not None

    @property
    def output(self):
        """What its processes have said: nothing, if all is well, but lines of the log."""
        return self._output.read_text(errors="replace")


class Bed:
    """Args: folder: an empty one; without: see node.py; rng: random.Random; wires: each node has one, see network.py.
    Use: `async with`."""

    def __init__(self, folder, nodes=3, clients=10, line_s=0.1, rng=None, without=None, disks=False, wires=False):
        self.folder = folder
        self.rng = rng or random.Random(1)
        self.pair = None
        self.nodes = []
        self.devices = []
        self.log = ApplicationLog(Path(folder, "application.log"))
        self.databases = []  # of each node, its proxies to the two servers
        self.doors = []  # of each node, the proxy that clients reach it by
        self.hints = [LostHints() for _ in range(nodes)]  # of each node
        self._counts = nodes, clients
        self._line_s = line_s
        self._without = without
        self._disks = disks
        self._wires = wires
        self.network = None
        self._tasks = []

    async def __aenter__(self):
        try:
            if self._wires:
                self.network = await asyncio.to_thread(Network, self._counts[0])
            self.pair = await asyncio.to_thread(Pair, disks=self._disks)
            await asyncio.to_thread(postgres_admin.init, self.pair.primary.url)
            await self._start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _start(self):
        nodes, clients = self._counts
        keys = {f"c{number:03d}": f"{number % 256:02x}" * 32 for number in range(clients)}
        for number in range(nodes):
            watch = self.hints[number].watch
            sockets = [server.folder + "/.s.PGSQL.5432" for server in self.pair.servers]
            here = HOST if self.network is None else self.network.address
            self.databases.append([await Proxy(path, watch, host=here).open() for path in sockets])
            hosts = ",".join(f"{here}:{proxy.port}" for proxy in self.databases[-1])
            node = Node(
                f"n{number}", self.folder, url=f"postgresql://postgres@{hosts}/postgres?sslmode=disable", keys=keys,
                line_s=self._line_s, without=self._without,
                wire=None if self.network is None else self.network.wires[number],
            )  # fmt: skip
            self.nodes.append(node)
            self.doors.append(await Proxy(node.port, at=node.address).open())
            node.start()
        for client_id, key in keys.items():
            rng = random.Random(self.rng.random())
            self.devices.append(Device(client_id, bytes.fromhex(key), self.doors, rng, self._line_s))
        self._tasks += [asyncio.create_task(device.run()) for device in self.devices]

    async def up(self):
        """Return when all clients are connected."""
        await until(lambda: all(device.life.up for device in self.devices), "the connections", 2 * PATIENCE_S)

    def stop_writing(self):
        """Nothing new is written, at either end."""
        Path(self.folder, "stop").touch()
        for device in self.devices:
            device.stopped = True

    async def rows_of(self, client_id):
        """Returns {table: [text]} of what the primary has of a client, and of the nodes: for who looks for a fault."""
        connection = await asyncpg.connect(self.pair.primary.url)
        try:
            found = {}
            for table, statement in ROWS.items():
                args = [client_id] if "$1" in statement else []
                found[table] = [row[0] for row in await connection.fetch(statement, *args)]
            return found
        finally:
            await connection.close()

    async def __aexit__(self, *error):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for node in self.nodes:
            if node.process is not None:
                node.kill()
        for proxy in (*self.doors, *(one for two in self.databases for one in two)):
            proxy.close()
        if self.pair is not None:
            await asyncio.to_thread(self.pair.remove)
        if self.network is not None:
            self.network.remove()
