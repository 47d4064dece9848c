"""What happens to a cluster. Each fault is a coroutine function (bed, rng), of a node (bed, rng, node), that also ends
what it has begun. Two of one node do not come at the same time, nor two of the database.
"""

import asyncio
import signal

import asyncpg

from tests.cluster.proxy import TO_CLIENT, TO_SERVER
from tests.patience import PATIENCE_S

DATABASE = "database"
SHORT_S = (0.1, 1.0)  # an outage that nobody need notice
LONG_S = (1.5, 5.0)  # longer than clients and nodes wait
MOVED = 4  # clients at a time, at most
WAITS = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


async def _pause(rng):
    await asyncio.sleep(rng.uniform(*rng.choice((SHORT_S, LONG_S))))


# Nodes


async def kill_node(bed, rng, node):
    """SIGKILL, and a new process."""
    node.kill()
    await asyncio.sleep(rng.uniform(0, 1))
    node.start()


async def freeze_node(bed, rng, node):
    """SIGSTOP, and SIGCONT when its clients may be elsewhere: it goes on as if nothing had been."""
    node.freeze()
    await _pause(rng)
    node.thaw()


async def kill_frozen_node(bed, rng, node):
    """A node that dies with what it had half done."""
    node.freeze()
    await _pause(rng)
    node.kill()
    node.start()


# The network between a node and the database


def _databases(bed, node):
    return bed.databases[bed.nodes.index(node)]


async def cut_database(bed, rng, node):
    """Nothing passes in either direction, and what was under way arrives when it does again."""
    for proxy in _databases(bed, node):
        proxy.hold()
    await _pause(rng)
    for proxy in _databases(bed, node):
        proxy.release()


async def hold_statements(bed, rng, node):
    """What the node sends arrives late: perhaps when its clients are another's."""
    for proxy in _databases(bed, node):
        proxy.hold(TO_SERVER)
    await _pause(rng)
    for proxy in _databases(bed, node):
        proxy.release()


async def hold_answers(bed, rng, node):
    """What is committed is not answered. The connection then ends, and nobody knows."""
    for proxy in _databases(bed, node):
        proxy.hold(TO_CLIENT)
    await _pause(rng)
    for proxy in _databases(bed, node):
        if rng.random() < 0.5:
            proxy.reset()
        proxy.release()


async def end_database_connections(bed, rng, node):
    """The connections of a node end at once, in the middle of whatever they did."""
    for proxy in _databases(bed, node):
        proxy.reset()


async def slow_database(bed, rng, node):
    """Each byte takes its time."""
    for proxy in _databases(bed, node):
        proxy.slow(rng.uniform(0.02, 0.3))
    await _pause(rng)
    for proxy in _databases(bed, node):
        proxy.release()


async def lose_hints(bed, rng, node):
    """No notification reaches the node."""
    hints = bed.hints[bed.nodes.index(node)]
    hints.losing = True
    await _pause(rng)
    hints.losing = False


# The wire of a node, of whose packets it loses all, or some: nobody is told


async def pull_wire(bed, rng, node):
    """The node is cut off from clients and database, both ways, and knows no more than they do."""
    node.wire.pull()
    await _pause(rng)
    node.wire.plug()


async def slow_wire(bed, rng, node):
    """Packets are late, and are lost where they are too many."""
    node.wire.slow()
    await _pause(rng)
    node.wire.plug()


async def lose_machine(bed, rng, node):
    """The node's machine is gone, without an end of any connection, and another one comes at its address."""
    node.wire.pull()
    node.kill()
    await _pause(rng)
    node.wire.plug()
    node.start()


# Clients


def _some(bed, rng):
    return rng.sample(bed.devices, min(len(bed.devices), rng.randint(1, MOVED)))


async def move_clients(bed, rng):
    """Clients turn up at other nodes. The former ones do not know, and get what was under way later: two nodes believe
    to have them."""
    for device in _some(bed, rng):
        device.move(rng.randrange(len(bed.nodes)))


async def move_clients_to_and_fro(bed, rng):
    """The same again and again, faster than a node can notice."""
    devices = _some(bed, rng)
    for _ in range(rng.randint(2, 6)):
        for device in devices:
            device.move(rng.randrange(len(bed.nodes)))
        await asyncio.sleep(rng.uniform(0, 0.3))


async def restart_clients(bed, rng):
    """Clients lose power, and come back as new lives at another node, or the same."""
    for device in _some(bed, rng):
        device.restart(rng.randrange(len(bed.nodes)))


async def move_in_handshake(bed, rng):
    """A PROOF arrives at one node when its client has gone through a handshake with another."""
    for device in _some(bed, rng):
        device.move_in_handshake(rng.randrange(len(bed.nodes)))


async def cut_clients(bed, rng, node):
    """All clients of a node are cut off, and what was under way arrives late."""
    door = bed.doors[bed.nodes.index(node)]
    door.hold(*rng.choice(((), (TO_SERVER,), (TO_CLIENT,))))
    await _pause(rng)
    door.release()


# PostgreSQL


async def kill_database(bed, rng):
    """kill -9 of all processes of the primary."""
    await asyncio.to_thread(bed.pair.primary.kill)
    await asyncio.sleep(rng.uniform(0, 1))
    await asyncio.to_thread(bed.pair.primary.start)


async def freeze_database(bed, rng):
    """The primary stands still for a time, and goes on."""
    bed.pair.primary.signal(signal.SIGSTOP)
    await _pause(rng)
    bed.pair.primary.signal(signal.SIGCONT)


async def freeze_standby(bed, rng):
    """No commit is confirmed for a time. Somebody may cancel those that wait, which makes them look done."""
    bed.pair.standby.signal(signal.SIGSTOP)
    await _pause(rng)
    if rng.random() < 0.5:
        await _at(bed.pair.primary, WAITS)
        await asyncio.sleep(rng.uniform(0, 1))
    bed.pair.standby.signal(signal.SIGCONT)


async def kill_standby(bed, rng):
    """The standby dies, and comes back."""
    await asyncio.to_thread(bed.pair.standby.kill)
    await asyncio.sleep(rng.uniform(0, 1))
    await asyncio.to_thread(bed.pair.standby.start)


async def fail_over(bed, rng):
    """The standby takes the primary's place, which is dead, frozen, or goes on as if it were still the one. In the end
    the former one becomes the standby."""
    old, how = bed.pair.primary, rng.choice(("dead", "frozen", "alive"))
    if how == "dead":
        await asyncio.to_thread(old.kill)
    elif how == "frozen":
        old.signal(signal.SIGSTOP)
    await asyncio.to_thread(bed.pair.promote)
    await asyncio.sleep(rng.uniform(0, 4))
    if how == "frozen":
        old.signal(signal.SIGCONT)
        await asyncio.sleep(rng.uniform(0, 2))
    await asyncio.to_thread(bed.pair.follow)
    bed.failovers[how] += 1


async def fill_disk(bed, rng):
    """The primary has no room left: it refuses statements, and may end."""
    disk = bed.pair.disk
    if disk is None:
        await _refuse_rows(bed, rng)
        return
    await asyncio.to_thread(disk.fill)
    await _pause(rng)
    await asyncio.to_thread(disk.empty)
    if not await _answers(bed.pair.primary):
        await asyncio.to_thread(bed.pair.primary.kill)
        await asyncio.to_thread(bed.pair.primary.start)


async def _refuse_rows(bed, rng):
    """Without a file system of the test's own: the server says what it would say with a full one."""
    await _at(bed.pair.primary, FULL)
    await _pause(rng)
    await _at(bed.pair.primary, "DROP TRIGGER no_room ON pb_link.inbox; DROP TRIGGER no_room ON pb_link.outbox")


FULL = """
CREATE OR REPLACE FUNCTION pb_link.no_room() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER no_room BEFORE INSERT ON pb_link.inbox EXECUTE FUNCTION pb_link.no_room();
CREATE TRIGGER no_room BEFORE INSERT ON pb_link.outbox EXECUTE FUNCTION pb_link.no_room();
"""


async def _at(server, statement):
    """Have a statement done at a server, by somebody who does not wait for its standby."""
    async with asyncio.timeout(PATIENCE_S):
        connection = await asyncpg.connect(server.url, server_settings={"synchronous_commit": "local"})
        try:
            await connection.execute(statement)
        finally:
            await connection.close(timeout=1)


async def _answers(server):
    try:
        await _at(server, "CHECKPOINT")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True


OF_NODES = {
    kill_node: 6, freeze_node: 5, kill_frozen_node: 2, cut_database: 4, hold_statements: 4, hold_answers: 4,
    end_database_connections: 3, slow_database: 2, cut_clients: 3, lose_hints: 4,
}  # fmt: skip
OF_WIRES = {pull_wire: 4, slow_wire: 2, lose_machine: 2}  # of nodes, where they have wires
OF_CLIENTS = {move_clients: 6, move_clients_to_and_fro: 3, restart_clients: 7, move_in_handshake: 4}
OF_DATABASE = {
    kill_database: 2, freeze_database: 2, freeze_standby: 3, kill_standby: 1, fail_over: 3, fill_disk: 1
}  # fmt: skip


class Torment:
    """Injects faults into a bed, several at a time. Args: names: of those that are wanted, None: all; once: each comes
    once before any comes again, however rare it is otherwise. `counts`: of each by its name."""

    def __init__(self, bed, rng, names=None, once=False):
        self.counts = {}
        self._bed = bed
        self._rng = rng
        self._busy = set()
        self._tasks = []
        self._left = []  # (fault, kind), to be injected next
        bed.failovers = {"dead": 0, "frozen": 0, "alive": 0}
        of_nodes = OF_NODES if bed.network is None else {**OF_NODES, **OF_WIRES}
        self._all = [
            (fault, kind) for kind, table in enumerate((of_nodes, OF_CLIENTS, OF_DATABASE))
            for fault, weight in table.items()
            if names is None or fault.__name__ in names
            for _ in range(1 if once else weight)
        ]  # fmt: skip

    @property
    def injected(self):
        return sum(self.counts.values())

    @property
    def kinds(self):
        """Returns how many different ones there are."""
        return len({fault for fault, _ in self._all})

    async def run(self, faults, pause_s, show=None):
        """Inject so many, about one each pause_s, and return when all of them have ended."""
        while self.injected < faults:
            self._one()
            self._check()
            if show is not None:
                show(self.injected)
            await asyncio.sleep(self._rng.uniform(0, 2 * pause_s))
        await asyncio.gather(*self._tasks)
        self._check()

    def _one(self):
        rng = self._rng
        if not self._left:
            self._left = rng.sample(self._all, len(self._all))
        fault, kind = self._left.pop()
        node = rng.choice(self._bed.nodes) if kind == 0 else None
        part = (node, None, DATABASE)[kind]
        if part in self._busy:
            self._left.insert(0, (fault, kind))
            return
        args = (self._bed, rng) + ((node,) if kind == 0 else ())
        self.counts[fault.__name__] = self.counts.get(fault.__name__, 0) + 1
        if part is not None:
            self._busy.add(part)
        self._tasks.append(asyncio.create_task(self._play(fault, args, part)))

    async def _play(self, fault, args, part):
        try:
            await fault(*args)
        finally:
            self._busy.discard(part)

    def _check(self):
        """Raises: what a fault that has ended has raised; AssertionError: a node has ended by itself."""
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.remove(task)
            task.result()
        for node in self._bed.nodes:
            assert not node.ended, f"node {node.name} has ended by itself:\n{node.output[-4000:]}"
