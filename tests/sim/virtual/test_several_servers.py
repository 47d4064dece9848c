"""Two server nodes on one store, and one client that has the addresses of both, in virtual time: no line is lost or
doubled when a node is killed, ends or restarts, and the client is soon at the other one.

What both nodes share is a store in memory, as if it were elsewhere. Its calls take no time.
"""

import asyncio

import pytest

from pb_link.app_base import AppBase
from server import MemoryStore, Server
from server.core.keys import Keys
from sim.virtual.apps import TIMEOUT_MS, WIFI_PASSWORD
from sim.virtual.board import ASYNCIO, Board
from sim.virtual.link import VirtualLink
from sim.virtual.network import ADDRESS
from sim.wires.wifi import Network

KEY = "9d" * 32
STORED = "stored before", "another password"
PORTS = (8123, 8124)
SEVERAL = "server:8123, server:8124"
# The client has noticed: how long it may take until the next of its lines is accepted at the other node.
KILLED_S = 2.0
ENDED_S = 1.0
HUNG_S = TIMEOUT_MS / 1000 + 1.5
GONE_S = 10.0  # the ESP8266 waits 8 s for an answer to a connect
LIMIT_S = 300  # of a run
AT_REST_S = 3.0  # after the last line


class App(AppBase):
    """Writes numbered lines, one every `every_s`, and reads all that come."""

    def __init__(self, bed, config):
        self._bed = bed
        super().__init__(config["conn_id"], config["config"], config["hardware"])

    def start(self):
        self.create_task(self._write())
        self.create_task(self._read())

    async def _write(self):
        bed = self._bed
        while len(bed.up_written) < bed.lines:
            bed.up_written.append(f"up {len(bed.up_written)}\n")
            await self.write(bed.up_written[-1], wait=False)
            await asyncio.sleep(bed.every_s)

    async def _read(self):
        while True:
            self._bed.down_read.append(await self.readline())

    async def bad_server(self):
        self._bed.notes.append((self._bed.seconds, "bad server"))

    async def server_ok(self, up):
        self._bed.notes.append((self._bed.seconds, up))

    async def report(self, data):
        pass


class Node:
    """A server's process. `accepted`: times at which lines of the client were accepted."""

    def __init__(self, bed, port):
        self.bed, self.port = bed, port
        self.board = Board(bed.world, "server", {}, seed=port)
        self.board.on_end = bed.link._ended
        self.accepted = []
        self.names = []
        self.serving = None
        self.server = None

    def start(self):
        self.board.power_on(self._program)

    def _program(self, board):
        board.loop.network = self.bed.link.tcp
        ASYNCIO.run(self._main())

    async def _main(self):
        self.server = server = Server()
        server.events.subscribe(self._note)
        application = asyncio.create_task(server.serve(self._handler))
        keys = {"virtual": bytes.fromhex(KEY)}
        server.prepare({"virtual"}, Keys(keys), self.bed.store, TIMEOUT_MS)
        self.serving = asyncio.create_task(server.listener.serve("0.0.0.0", self.port))
        await asyncio.wait([self.serving])
        application.cancel()
        await asyncio.Event().wait()  # the process is gone; the bed powers the board again

    def _note(self, event, client_id, details):
        self.names.append(event)
        if event == "received":
            self.accepted.append(self.bed.seconds)

    async def _handler(self, conn):
        bed = self.bed
        while True:
            line = await conn.readline()  # from a store that is immediate: it is gone in this step
            bed.up_read.append(line)
            bed.down_written.append("to " + line)
            await conn.write("to " + line, wait=False)

    def kill(self):
        """As SIGKILL."""
        self.bed.link.tcp.process_killed(self.board.loop)  # first: what its `finally` clauses say is heard by nobody
        self.board.kill()

    def hang(self):
        """As SIGSTOP: the system goes on to take connections. Its process does nothing more."""
        for connection in self.bed.link.tcp.connections:
            if connection.port == self.port:
                connection.stall(LIMIT_S)
        self.bed.link.tcp.listeners[self.port].accept = lambda connection, peer: None

    def vanish(self):
        """As if its machine had no power."""
        self.hang()
        self.bed.link.tcp.gone.add(self.port)

    def end(self):
        """As SIGTERM."""
        self.serving.cancel()

    @property
    def has_client(self):
        return self.board.loop is not None and self.server is not None and self.server.registry.get("virtual").status()


class Bed:
    def __init__(self, lines=60, every_s=0.1, server=SEVERAL, seed=1):
        self.lines, self.every_s = lines, every_s
        self.up_written, self.up_read, self.down_written, self.down_read = [], [], [], []
        self.notes = []
        self.store = MemoryStore()
        settings = {
            "port": PORTS[0], "server": server, "timeout_ms": TIMEOUT_MS, "report_s": 0, "ssid": "virtual",
            "password": WIFI_PASSWORD, "key": KEY,
        }  # fmt: skip
        self.link = VirtualLink(self._client, None, settings, seed=seed)
        self.link.start_server = lambda: None
        self.world = self.link.world
        self.nodes = [Node(self, port) for port in PORTS]

    async def _client(self, config):
        await App(self, config).await_msg()

    @property
    def seconds(self):
        return self.world.now - self.world.begin_s

    def when(self, condition, action, *args, every_s=0.01):
        """Do something as soon as condition() is true."""

        def look():
            if condition():
                action(*args)
            else:
                self.world.after(every_s, look)

        look()

    def play(self):
        """Run until all lines are there, and a while longer."""
        self.link.power_on()
        self.world.after(LIMIT_S, self.world.stop)
        done = lambda: len(self.up_read) >= self.lines and len(self.down_read) >= self.lines  # noqa: E731
        self.when(done, self.world.after, AT_REST_S, self.world.stop)
        with self.link.boundary():
            try:
                self.world.run()
            finally:
                for node in self.nodes:
                    node.board.kill()
        assert self.link.failure is None, self.link.failure
        assert self.up_read == self.up_written == [f"up {i}\n" for i in range(self.lines)]
        assert self.down_read == self.down_written == ["to " + line for line in self.up_written]
        assert self.link.esp8266.resets == 0


def lost_and_found(bed, first, second):
    """When the client has noticed, and when the other node has accepted its next line."""
    noticed = next(seconds for seconds, up in bed.notes if up is False and seconds > first.accepted[-1])
    return noticed, next(seconds for seconds in second.accepted if seconds > noticed)


@pytest.mark.parametrize("seed", range(4))
def test_client_of_a_node_that_is_killed_goes_to_the_other_and_loses_and_doubles_nothing(seed):
    bed = Bed(seed=seed)
    first, second = bed.nodes
    for node in bed.nodes:
        node.start()
    bed.when(lambda: len(first.accepted) > 20, first.kill)
    bed.play()
    noticed, found = lost_and_found(bed, first, second)
    assert found - noticed < KILLED_S


@pytest.mark.parametrize("seed", range(4))
def test_node_that_ends_hands_its_client_over_within_a_second(seed):
    bed = Bed(seed=seed)
    first, second = bed.nodes
    for node in bed.nodes:
        node.start()
    ended = []
    bed.when(lambda: len(first.accepted) > 20, lambda: (ended.append(bed.seconds), first.end()))
    bed.play()
    assert second.accepted[0] - ended[0] < ENDED_S
    assert "store_failed" not in first.names and "handler_failed" not in first.names


@pytest.mark.parametrize(("how", "seconds"), [(Node.hang, HUNG_S), (Node.vanish, GONE_S)], ids=["hangs", "is gone"])
def test_client_of_a_node_that_is_silent_goes_to_the_other_and_loses_and_doubles_nothing(how, seconds):
    bed = Bed(lines=100)
    first, second = bed.nodes
    for node in bed.nodes:
        node.start()
    bed.when(lambda: len(first.accepted) > 20, how, first)
    bed.play()
    noticed, found = lost_and_found(bed, first, second)
    assert noticed - first.accepted[-1] < 2 * TIMEOUT_MS / 1000 and found - noticed < seconds


def test_proof_that_the_network_delivers_when_the_client_is_at_the_other_node_changes_nothing():
    """The first node has sent WELCOME. What the client answers is on its way until it has left for the second one, and
    has a session there that moves lines."""
    bed = Bed(lines=100)
    first, second = bed.nodes
    for node in bed.nodes:
        node.start()

    def welcomed():
        return [one for one in bed.link.tcp.connections if one.port == first.port and one.down._arrived > 60]

    bed.when(welcomed, lambda: welcomed()[0].stall(8.0), every_s=0.0005)
    bed.play()
    assert first.server.events.refusals["late"] == 1 and not first.accepted
    assert second.names.count("connected") == 1 and "taken_over" not in second.names


def test_rolling_restarts_lose_and_double_nothing():
    bed = Bed(lines=300, every_s=0.05)
    for node in bed.nodes:
        node.start()
    turns = []

    def turn():
        node = next(one for one in bed.nodes if one.has_client)
        turns.append(node.port)
        node.end()
        bed.world.after(1.2, again, node)

    def again(node):
        node.board.kill()
        node.start()

    for at in range(6):
        bed.when(lambda at=at: len(bed.up_read) > 30 + 40 * at and any(one.has_client for one in bed.nodes), turn)
    bed.play()
    assert len(turns) == 6 and set(turns) == set(PORTS)


def test_client_comes_back_to_the_node_that_it_had_after_an_outage_of_the_wifi():
    bed = Bed(lines=120)
    first, second = bed.nodes
    for node in bed.nodes:
        node.start()
    bed.when(lambda: len(first.accepted) > 10, first.kill)
    bed.when(lambda: len(second.accepted) > 5, first.start)  # it is there again, and the client stays where it is
    chip = bed.link.esp8266
    bed.when(lambda: len(second.accepted) > 30, chip.set_wifi, False)
    bed.when(lambda: len(second.accepted) > 30, bed.world.after, 4.0, chip.set_wifi, True)
    bed.play()
    assert not [one for one in first.accepted if one > second.accepted[0]]
    assert second.names.count("connected") == 2 and [up for _, up in bed.notes].count(False) == 2


def test_first_address_that_nobody_answers_at_costs_one_attempt():
    bed = Bed(lines=5, server=f"10.0.0.7, {ADDRESS}:8124")
    bed.nodes[1].start()
    bed.play()
    assert "bad server" not in [note for _, note in bed.notes]
    assert bed.nodes[1].accepted[0] < 20


def test_application_is_told_when_no_address_has_a_server_and_the_client_finds_one_that_starts():
    bed = Bed(lines=5)
    bed.world.after(40, bed.nodes[1].start)
    bed.play()
    told = [seconds for seconds, note in bed.notes if note == "bad server"]
    assert len(told) == 1 and told[0] < 20
    assert 40 < bed.nodes[1].accepted[0] < 60


def test_stored_network_that_led_to_a_server_is_kept_through_an_outage_of_all_servers():
    """Each address that the client tried began the count of attempts anew, with the short one."""
    bed = Bed(lines=60)
    link = bed.link
    link.esp8266.station.store(STORED)
    link.air.networks = (Network(*STORED), *link.air.networks)
    for node in bed.nodes:
        node.start()
    bed.when(lambda: len(bed.nodes[0].accepted) > 20, lambda: [node.kill() for node in bed.nodes])
    bed.when(lambda: len(bed.nodes[0].accepted) > 20, bed.world.after, 90.0, bed.nodes[1].start)
    bed.play()
    assert link.esp8266.station.config_ssid() in (STORED[0], STORED[0].encode())
