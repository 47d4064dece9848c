"""i2c_devices on a clock that jumps: the behaviour of each class, and what the wire is used for."""

import random
import unittest

import pytest

from i2c_devices import port_table as ports
from i2c_devices.stream_controller import StreamController
from i2c_devices.stream_target import StreamTarget
from primitives.platform import sleep_ms
from sim.virtual.costs import PLACEHOLDERS, ZERO
from sim.virtual.pair import Pair
from sim.wires.pieces import CUT, LOST, NACKED, REPEATED
from tests.i2c_devices.bed import ADDRESS, Events
from tests.i2c_devices.memory_behaviour import ExactMemoryBehaviour, MemoryBehaviour
from tests.i2c_devices.packet_behaviour import PacketBehaviour
from tests.i2c_devices.stream_behaviour import StreamBehaviour

WIRE_BYTES_S = 400000 / 9


class VirtualBed:
    """bed.py of tests/i2c_devices. The test is the controller's program; the target's interrupts run on its board."""

    def __init__(self, pair, mode):
        self.pair = pair
        self.i2c = pair.i2c()
        self.events = Events(pair.i2c_target, mode)
        self.port = self.events.port(addr=ADDRESS, kind=ports.STM32)

    def settle(self):
        self.pause(1)
        self.events.settle()

    def pause(self, ms):
        self.pair.world.block(self.pair.controller, ms * 1000)

    def read_around(self, at, first, second, action):
        buf = bytearray(len(first) + len(second))
        byte_s = 9 / 400000
        self.pair.bus.chunk_bytes = 1
        self.pair.world.after((4 + len(first)) * byte_s, action)
        self.i2c.readfrom_mem_into(ADDRESS, at, buf)
        first[:] = buf[: len(first)]
        second[:] = buf[len(first) :]

    def close(self):
        pass


class Virtual:
    """Runs each test as a program of the controller's board."""

    def run(self, result=None):
        self.pair = Pair(costs=self.COSTS)
        with self.pair.boundary():
            self.pair.target.power_on(lambda board: None)
            self.pair.controller.power_on(lambda board: super(Virtual, self).run(result))
        return result

    def bed(self, mode):
        return VirtualBed(self.pair, mode)


class Free(Virtual):
    COSTS = ZERO


class Costly(Virtual):
    COSTS = PLACEHOLDERS


class TestMemory(Free, MemoryBehaviour, unittest.TestCase):
    pass


class TestExactMemory(Free, ExactMemoryBehaviour, unittest.TestCase):
    pass


class TestStream(Free, StreamBehaviour, unittest.TestCase):
    pass


class TestPacket(Free, PacketBehaviour, unittest.TestCase):
    pass


class TestMemoryWithCosts(Costly, MemoryBehaviour, unittest.TestCase):
    pass


class TestStreamWithCosts(Costly, StreamBehaviour, unittest.TestCase):
    pass


class TestPacketWithCosts(Costly, PacketBehaviour, unittest.TestCase):
    pass


MEGABYTE = 1000000


class Transfer:
    """A stream of `size` bytes one way, in virtual time. It checks every byte."""

    def __init__(
        self, towards_target, size, *, costs=ZERO, reader_ms=0, reads=2048, mode="on time", buf=4096, seed=1, tap=None
    ):
        self.pair = Pair(costs=costs)
        self.pair.bus.tap = tap
        self.data = random.Random(seed).randbytes(size)
        self.sent = self.read = 0
        self.reader_ms = reader_ms
        self.buf = bytearray(reads)
        self.mode = mode
        self.sizes = {"rxbuf": buf, "txbuf": buf}
        self.pair.start(self.pair.target, self._target_main(self._take if towards_target else self._give))
        self.pair.start(self.pair.controller, self._controller_main(self._give if towards_target else self._take))
        self.pair.run()

    def _target_main(self, work):
        async def main():
            events = Events(self.pair.i2c_target, self.mode)
            self.target = StreamTarget(events.port(addr=ADDRESS, kind=ports.STM32), **self.sizes)
            self.target.open()
            await work(self.target)
            await self.target.drain()

        return main

    def _controller_main(self, work):
        async def main():
            self.controller = StreamController(self.pair.i2c(), ADDRESS, interval_ms=1)
            await self.controller.writable()
            self.begin = self.pair.world.now
            await work(self.controller)

        return main

    async def _give(self, side):
        view = memoryview(self.data)
        while self.sent < len(view):
            n = side.write(view[self.sent : self.sent + 4096])
            if n:
                self.sent += n
            else:
                await side.writable()
        await side.drain()

    async def _take(self, side):
        while self.read < len(self.data):
            n = side.readinto(self.buf)
            if not n:
                await side.readable()
                continue
            assert self.buf[:n] == self.data[self.read : self.read + n]
            self.read += n
            if self.reader_ms:
                await sleep_ms(self.reader_ms)
        self.seconds = self.pair.world.now - self.begin
        await sleep_ms(100)  # whatever came twice would come now
        assert not side.any()
        self.pair.world.stop()

    @property
    def share(self):
        """Of what the wire carries at 400 kHz, 44,444 bytes/s."""
        return self.read / self.seconds / WIRE_BYTES_S


WAYS = pytest.mark.parametrize("towards_target", [True, False], ids=["to the target", "to the controller"])


@WAYS
def test_megabyte_takes_most_of_the_wire_when_the_reader_is_ready(towards_target, report_line):
    transfer = Transfer(towards_target, MEGABYTE)
    way = "target" if towards_target else "controller"
    report_line(
        f"stream: 1 MB to the {way} at 400 kHz, zero costs: {transfer.read / transfer.seconds:,.0f} bytes/s, "
        f"{transfer.share:.3f} of the wire"
    )
    assert transfer.share >= 0.85
    assert transfer.target.faults == 0


@WAYS
def test_megabyte_loses_nothing_with_a_slow_reader(towards_target, report_line):
    transfer = Transfer(towards_target, MEGABYTE, reader_ms=20, reads=500)
    way = "target" if towards_target else "controller"
    report_line(f"stream: 1 MB to the {way}, reader of 500 bytes each 20 ms: {transfer.seconds:.0f} s, nothing lost")
    assert transfer.target.faults == 0
    assert transfer.seconds >= MEGABYTE / 500 * 0.02


@WAYS
@pytest.mark.parametrize("mode", ["lost", "late"])
def test_stream_goes_on_when_no_event_ever_comes(towards_target, mode):
    transfer = Transfer(towards_target, 50000, mode=mode)
    assert transfer.target.faults == 0


@WAYS
def test_stream_under_the_placeholder_costs(towards_target, report_line):
    transfer = Transfer(towards_target, 200000, costs=PLACEHOLDERS)
    way = "target" if towards_target else "controller"
    report_line(f"stream: 200 kB to the {way}, placeholder costs: {transfer.share:.3f} of the wire")
    assert transfer.target.faults == 0


class Noise:
    """A tap on the bus: now and then a byte is flipped, lost, repeated, not acknowledged, or the transfer cut there."""

    def __init__(self, seed, one_in):
        self._random = random.Random(seed)
        self._one_in = one_in
        self.hits = 0

    def __call__(self, address, read, index, value):
        if self._random.randrange(self._one_in):
            return value
        self.hits += 1
        return self._random.choice((value ^ 1 << self._random.randrange(8), LOST, REPEATED, NACKED, CUT))


@WAYS
@pytest.mark.parametrize("seed", range(3))
def test_stream_survives_noise_in_every_thousandth_byte(towards_target, seed):
    noise = Noise(seed, 1000)
    transfer = Transfer(towards_target, 60000, tap=noise, seed=seed, buf=1000)
    assert noise.hits > 30
    assert transfer.controller.failures + transfer.controller.damaged + transfer.target.faults > 10
    assert transfer.controller.resets == 0
