"""Writers, servers and PostgreSQL are killed while lines for a client go from processes that do not have it."""

import asyncio
import random
import subprocess
import sys

import asyncpg
import pytest

from build.tools.cache import ROOT
from server.stores import postgres_schema
from tests.patience import PATIENCE_S
from tests.peers.shared_program import CHANNEL
from tests.server import postgres
from tests.server.channel_peer import ChannelClient
from tests.server.peer import free_port, until

SCHEMA = "pb_link"
FAULTS = 6  # each of them twice
LINES_BETWEEN = 6  # that reach the client between two faults


class Bed:
    """The processes, and the client, which goes to whichever server it finds."""

    def __init__(self, server):
        self.server = server
        self.ports = [free_port(), free_port()]
        self.nodes = [None, None]
        self.writers = []  # (life, process, numbers of the calls that have returned)
        self.client = ChannelClient(self.ports[0], (CHANNEL,))
        self.lives = 0

    async def begin(self):
        connection = await asyncpg.connect(self.server.url)
        await postgres_schema.make(connection, SCHEMA)
        await connection.close()
        for at in range(2):
            await self.start_node(at)
        await self.start_writer()
        await self.start_writer()
        self.keeping = asyncio.create_task(self._keep_connected())

    async def _start(self, *args):
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.peers.shared_program", self.server.url, SCHEMA, *args, cwd=ROOT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    async def start_node(self, at):
        self.nodes[at] = await self._start("node", str(self.ports[at]))

    async def start_writer(self):
        self.lives += 1
        process, returned = await self._start("writer", f"life{self.lives}"), []
        self.writers.append((f"life{self.lives}", process, returned))
        reading = asyncio.create_task(self._note(process, returned))
        reading.add_done_callback(lambda task: task.exception())

    async def _note(self, process, returned):
        async for line in process.stdout:
            returned.append(line.decode().strip())

    async def _keep_connected(self):
        for turn in range(10**9):
            if not self.client.up:
                self.client.cut()
                self.client.port = self.ports[turn % 2]
                try:
                    await asyncio.wait_for(self.client.connect(), 5)
                except (AssertionError, TimeoutError):
                    pass
            await asyncio.sleep(0.05)

    def texts(self):
        """What the client has received: of the lines, and of the channel."""
        lines = [line.strip() for line in self.client.lines]
        return lines, [bytes(data).decode() for data in self.client.got.get(CHANNEL, ())]

    async def more(self):
        """Wait until more has come, from writers that live."""
        before = sum(map(len, self.texts()))
        await until(lambda: sum(map(len, self.texts())) >= before + LINES_BETWEEN, "lines after the fault")

    async def kill_writer(self, random):
        living = [one for one in self.writers if one[1].returncode is None]
        process = random.choice(living)[1]
        process.kill()
        await process.wait()
        await self.start_writer()

    async def kill_node(self, random):
        at = self.ports.index(self.client.port)
        self.nodes[at].kill()
        await self.nodes[at].wait()
        await self.start_node(at)

    async def kill_postgres(self, random):
        await asyncio.to_thread(self.server.stop, "immediate")
        await asyncio.to_thread(self.server.start)

    async def end(self):
        """Have the writers finish, and wait until they have."""
        for _, process, _ in self.writers:
            if process.returncode is None:
                process.stdin.close()
        for life, process, returned in self.writers:
            await asyncio.wait_for(process.wait(), PATIENCE_S)
            if process.returncode == 0:
                await until(lambda all_of_it=returned: "end" in all_of_it, f"the end of {life}")
        self.keeping.cancel()
        self.client.cut()

    async def stop(self):
        for process in [*self.nodes, *[one[1] for one in self.writers]]:
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()

    def violations(self):
        """What is lost, doubled or out of its order: for each life and each way, as text."""
        found = []
        for life, process, returned in self.writers:
            calls = [int(number) for number in returned if number != "end"]
            for first, way in enumerate(self.texts()):
                numbers = [text.split()[1] for text in way if text.split()[0] == life]
                ended = numbers[-1:] == ["end"]
                numbers = [int(number) for number in numbers if number != "end"]
                wanted = list(range(first, first + 2 * len(numbers), 2))
                told = len([number for number in calls if number % 2 == first])
                if numbers != wanted or len(numbers) < told or (process.returncode == 0) != ended:
                    found.append(f"{life}, way {first}: {told} calls have returned, and {numbers} have come")
        return found


@pytest.mark.parametrize("seed", [1])
def test_killed_writers_servers_and_databases_lose_and_double_nothing(seed):
    postgres.needed()
    server = postgres.Postgres()
    rng = random.Random(seed)
    bed = Bed(server)

    async def main():
        try:
            await bed.begin()
            await bed.more()
            faults = [bed.kill_writer, bed.kill_node, bed.kill_postgres] * (FAULTS // 3)
            rng.shuffle(faults)
            for fault in faults:
                await fault(rng)
                await bed.more()
            await bed.end()
        finally:
            await bed.stop()

    try:
        asyncio.run(main())
    finally:
        server.remove()
    assert bed.violations() == []
    assert all(map(len, bed.texts()))
