"""The ESP8266's sockets in virtual time: what MicroPython's modlwip does, and what the bridge makes of it."""

import asyncio
import random
import socket as real
from errno import ECONNRESET, EHOSTUNREACH, EINPROGRESS, ENOMEM

import pytest

from esp_link.uplink import Uplink
from primitives.countdowns import Countdowns
from sim.virtual import chips, lwip
from sim.virtual.board import ASYNCIO, Board
from sim.virtual.costs import PLACEHOLDERS
from sim.virtual.network import ADDRESS, NAME_SERVER, Network
from sim.virtual.world import World
from sim.wires import lwip as facts
from sim.wires.chip import WATCHDOG_TICK_S
from sim.wires.lwip import EAGAIN, TCP_SND_BUF, TCP_SND_QUEUELEN

PORT = 8123
DELAY_S = PLACEHOLDERS.delay_s


class Peer(asyncio.Protocol):
    """The server's program: reads all, and notes when."""

    def __init__(self, bed):
        self._bed = bed
        self.quick = False

    def connection_made(self, transport):
        self.transport = transport
        self._bed.peers.append(self)

    def data_received(self, data):
        self._bed.received += data
        self._bed.received_at.append((round(self._bed.world.now, 4), len(data)))
        if self.quick:
            self.transport.get_extra_info("socket").setsockopt(real.IPPROTO_TCP, real.TCP_QUICKACK, 1)


class Bed:
    """A chip whose program is a coroutine function (bed), and a server that reads."""

    def __init__(self, serving=True):
        self.world = World()
        self.joined = True
        self.crashes = self.bites = 0
        self.received, self.received_at, self.peers = bytearray(), [], []
        self.network = Network(self.world, PLACEHOLDERS, lambda: self.joined)
        self.chip = Board(self.world, "chip", {}, seed=1)
        self.server = Board(self.world, "server", {}, seed=1)
        self.faults = []
        self.chip.on_end = lambda board, fault: (self.faults.append(fault), self.world.stop())
        if serving:
            self.server.power_on(self._serve)
        self.socket = None

    def _serve(self, board):
        async def forever():
            await asyncio.Event().wait()

        self.network.listen(board.loop, lambda: Peer(self), PORT)
        ASYNCIO.run(forever())

    def play(self, main, seconds=60):
        def program(board):
            life = chips.Life(board)
            self.life = life
            self.module = lwip.socket_module(life, self.network, self._crash)
            watchdog = chips.Watchdog(life, WATCHDOG_TICK_S, self._bite)
            self.watchdog = watchdog()
            ASYNCIO.run(main(self))

        self.chip.power_on(program)
        self.world.run_for(seconds)
        for board in (self.chip, self.server):
            board.kill()
        if any(self.faults):
            raise self.faults[0]
        return self

    def _crash(self):
        self.crashes += 1
        self.chip.kill()

    def _bite(self):
        self.bites += 1
        self.chip.kill()

    async def feeding(self):
        while True:
            self.watchdog.feed()
            await asyncio.sleep(0.05)

    async def connected(self, no_delay=False):
        sock = self.module.socket()
        sock.setblocking(False)
        with pytest.raises(OSError) as told:
            sock.connect((ADDRESS, PORT))
        assert told.value.errno == EINPROGRESS
        await sock.writable()
        assert sock.send(b"") == 0
        sock.setsockopt(real.IPPROTO_TCP, real.TCP_NODELAY, no_delay)
        await asyncio.sleep(0.01)
        self.started = self.world.now
        return sock


# The socket


def test_refused_connect_is_told_by_send_and_not_by_write_of_nothing():
    async def main(bed):
        sock = bed.module.socket()
        with pytest.raises(OSError):
            sock.connect((ADDRESS, PORT))
        with pytest.raises(OSError) as told:
            sock.send(b"")
        assert told.value.errno == EAGAIN and sock.write(b"") == 0  # it is still connecting
        await sock.writable()
        assert sock.write(b"") == 0
        with pytest.raises(OSError) as told:
            sock.send(b"")
        assert told.value.errno == ECONNRESET
        with pytest.raises(OSError):
            sock.write(b"a")

    Bed(serving=False).play(main)


def test_connect_without_wifi_is_refused_at_once_and_one_that_is_lost_is_pending():
    async def main(bed):
        bed.joined = False
        sock = bed.module.socket()
        with pytest.raises(OSError) as told:
            sock.connect((ADDRESS, PORT))
        assert told.value.errno == EHOSTUNREACH
        bed.joined = True
        with pytest.raises(OSError) as told:
            sock.connect((ADDRESS, PORT))
        bed.joined = False
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(sock.writable(), 10)
        bed.joined = True
        await asyncio.wait_for(sock.writable(), 2)
        assert sock.send(b"") == 0

    Bed().play(main)


def test_name_is_no_address_and_a_sixth_socket_has_no_memory():
    async def main(bed):
        with pytest.raises(ValueError):
            bed.module.socket().connect(("server", PORT))
        for _ in range(facts.TCP_PCBS - 1):
            last = bed.module.socket()
        with pytest.raises(OSError) as told:
            bed.module.socket()
        assert told.value.errno == ENOMEM
        last.close()
        bed.module.socket()

    Bed().play(main)


def test_option_of_a_socket_that_has_failed_crashes_the_chip():
    async def main(bed):
        sock = await bed.connected()
        bed.network.reset_all()
        sock.setsockopt(real.IPPROTO_TCP, real.TCP_NODELAY, 1)

    assert Bed().play(main).crashes == 1


def test_write_without_memory_stands_still_until_the_watchdog_bites():
    async def main(bed):
        sock = await bed.connected()
        bed.network.no_memory = True
        bed.watchdog.feed()
        bed.fed = bed.world.now
        sock.write(b"a")

    bed = Bed().play(main, seconds=5)
    assert bed.bites == 1


@pytest.mark.parametrize("seconds, bites", [(0.5, 0), (1.55, 0), (3.3, 1)])
def test_write_goes_on_when_there_is_memory_in_time(seconds, bites):
    async def main(bed):
        asyncio.create_task(bed.feeding())
        sock = await bed.connected()
        bed.network.no_memory = True
        bed.world.after(seconds, setattr, bed.network, "no_memory", False)
        assert sock.write(b"abc") == 3
        await asyncio.sleep(1)

    bed = Bed().play(main)
    assert bed.bites == bites and bytes(bed.received) == (b"" if bites else b"abc")


def test_getaddrinfo_of_a_name_that_no_server_answers_ends_in_the_watchdog():
    async def main(bed):
        assert bed.module.getaddrinfo("server", PORT)[0][-1] == (ADDRESS, PORT)
        assert bed.module.getaddrinfo("10.0.0.9", PORT)[0][-1] == ("10.0.0.9", PORT)
        with pytest.raises(OSError):
            bed.module.getaddrinfo("server.invalid", PORT)
        bed.network.answers_names = False
        bed.module.getaddrinfo("server", PORT)

    assert Bed().play(main).bites == 1


# Segments and acknowledgements


def arrivals(bed):
    return [(round(at - bed.started, 4), size) for at, size in bed.received_at]


def test_end_of_a_long_frame_waits_for_a_delayed_acknowledgement_without_no_delay():
    async def main(bed):
        sock = await bed.connected()
        assert sock.write(bytes(1068)) == 1068
        await asyncio.sleep(1)

    bed = Bed().play(main)
    assert arrivals(bed) == [(DELAY_S, 536), (round(0.040 + 3 * DELAY_S, 4), 532)]


def test_quick_acknowledgement_spares_that_wait():
    async def main(bed):
        sock = await bed.connected()
        bed.peers[0].quick = True
        sock.write(bytes(1068))
        await asyncio.sleep(1)

    bed = Bed().play(main)
    assert arrivals(bed) == [(DELAY_S, 536), (3 * DELAY_S, 532)]


def test_long_frame_leaves_whole_with_no_delay_and_is_acknowledged_at_once():
    async def main(bed):
        sock = await bed.connected(no_delay=True)
        sock.write(bytes(1068))
        assert sock.write(bytes(1068)) == TCP_SND_BUF - 1068 and sock.write(b"a") is None
        await sock.writable()
        bed.room_at = bed.world.now
        await asyncio.sleep(1)

    bed = Bed().play(main)
    assert arrivals(bed) == [(DELAY_S, size) for size in (536, 532, 4)]
    assert bed.room_at - bed.started == pytest.approx(2 * DELAY_S)


def test_server_sends_a_window_and_goes_on_when_it_is_read():
    async def main(bed):
        sock = await bed.connected()
        bed.peers[0].transport.write(bytes(5000))
        await asyncio.sleep(1)
        buf = bytearray(6000)
        sizes = []
        for _ in range(4):
            sizes.append(sock.readinto(buf))
            await asyncio.sleep(0.01)
        assert sizes == [2144, 2144, 712, None]

    Bed().play(main)


def test_lwip_acknowledges_every_second_segment_and_the_others_at_its_tick():
    async def main(bed):
        await bed.connected()
        down = bed.network.connections[0].down
        await asyncio.sleep(0.5 - bed.world.now % 0.25)
        for size, seconds in ((1072, 2 * DELAY_S), (100, 0.25)):
            begin = bed.world.now
            bed.peers[0].transport.write(bytes(size))
            while down._flight:
                await asyncio.sleep(0.0005)
            assert bed.world.now - begin == pytest.approx(seconds, abs=0.004)

    Bed().play(main)


# The bridge


def test_small_frames_in_an_outage_would_fill_the_queue_with_no_delay():
    async def main(bed):
        sock = await bed.connected(no_delay=True)
        bed.joined = False
        for _ in range(TCP_SND_QUEUELEN):
            sock.write(bytes(60))
        assert not bed.network.overfull
        sock.write(bytes(60))

    bed = Bed().play(main)
    assert bed.network.overfull and bed.bites == 1


@pytest.mark.parametrize("seed", range(20))
def test_bridge_never_fills_the_queue_of_lwip(seed):
    chance = random.Random(seed)
    frames = [bytes(chance.choice((2, 31, 60, 250, 536, 537, 700, 1068, 1068))) for _ in range(300)]

    async def main(bed):
        asyncio.create_task(bed.feeding())
        tasks = []

        def start(coroutine):
            tasks.append(asyncio.create_task(coroutine))
            return tasks[-1]

        async def connect(host, port):
            return await bed.connected()

        uplink = Uplink(connect, lambda: None, start, Countdowns(2))
        await uplink.open("server", PORT)
        serving = asyncio.create_task(uplink.serve(60000))
        await asyncio.sleep(0)
        bed.flow = bed.network.connections[0].up
        bed.peers[0].quick = seed % 2 == 0
        for frame in frames:
            while uplink.writing:
                await asyncio.sleep(0.0005)
            uplink.write(memoryview(frame), True)
            if chance.random() < 0.1:
                bed.network.connections[0].stall(chance.uniform(0.01, 2))
            await asyncio.sleep(chance.choice((0, 0, 0.001, 0.03)))
        await asyncio.sleep(5)
        assert not any(task.done() and task.exception() for task in tasks) and not serving.done()
        bed.done = True

    bed = Bed().play(main, seconds=600)
    assert bed.done and not bed.network.overfull and not bed.bites
    assert bed.flow.most_pbufs < TCP_SND_QUEUELEN
    assert len(bed.received) == sum(map(len, frames)) + 4  # and the preamble


def test_name_server_has_the_address_that_the_chip_is_told():
    assert lwip.is_numeric(NAME_SERVER) and not lwip.is_numeric("10.0.0.256") and not lwip.is_numeric("server")


@pytest.mark.parametrize("unread", [False, True])
def test_what_a_server_has_sent_before_it_aborts_arrives_unless_it_leaves_data_unread(unread):
    async def main(bed):
        sock = await bed.connected()
        transport = bed.peers[0].transport
        if unread:
            transport.pause_reading()
            sock.write(b"nobody reads this")
            await asyncio.sleep(0.1)
        transport.write(b"farewell")
        transport.abort()
        await asyncio.sleep(1)
        buf = bytearray(20)
        if unread:
            with pytest.raises(OSError) as told:
                sock.readinto(buf)
            assert told.value.errno == ECONNRESET
        else:
            assert sock.readinto(buf) == 8 and buf[:8] == b"farewell" and sock.readinto(buf) == 0

    Bed().play(main)
