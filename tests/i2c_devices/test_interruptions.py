"""The controller, and with it the target's interrupts, between any two lines of the target's calls."""

import random
import sys

import pytest

from i2c_devices.memory_controller import MemoryController
from i2c_devices.memory_target import MemoryTarget
from tests.i2c_devices.bed import ADDRESS, ModelBed
from tests.i2c_devices.bus import FAULTS
from tests.i2c_devices.exchange import PacketExchange, StreamExchange
from tests.sample import all_or

MICROPYTHON = False
MICROPYTHON_REASON = "needs sys.settrace"

FOLDERS = ("i2c_devices", "protocol", "primitives")


class Interrupted:
    """A device whose calls are interrupted by `action()` now and then, at the beginning of any line."""

    def __init__(self, device, action, chance):
        self._device = device
        self._action = action
        self._chance = chance
        self.interruptions = 0

    def __getattr__(self, name):
        method = getattr(self._device, name)
        if not callable(method):
            return method

        def interrupted(*args):
            before = sys.gettrace()
            sys.settrace(self._trace)
            try:
                return method(*args)
            finally:
                sys.settrace(before)

        return interrupted

    def _trace(self, frame, event, arg):
        if any(f"/{folder}/" in frame.f_code.co_filename for folder in FOLDERS):
            return self._line
        return None

    def _line(self, frame, event, arg):
        if event == "line" and self._chance():
            self.interruptions += 1
            self._action()  # is not traced itself
        return self._line


def interrupt(exchange, seed, rate):
    """Has the controller's turns come in the target's calls."""
    chance = random.Random(seed)

    def action():
        if exchange.up:
            exchange.send(exchange.controller, exchange.up)
        item = exchange.receive(exchange.controller)
        if item:
            exchange.at_controller.append(item)

    exchange.target = Interrupted(exchange.target, action, lambda: chance.random() < rate)
    return exchange


@pytest.mark.parametrize("rate", [0.01, 0.2])
@pytest.mark.parametrize("faulty", [False, True])
@pytest.mark.parametrize("seed", range(all_or(5, 12)))
def test_interruptions_lose_and_repeat_nothing(seed, rate, faulty):
    source = random.Random(f"{seed} {rate} {faulty}")
    faults = {step: source.choice(FAULTS) for step in range(2000) if faulty and source.random() < 0.2}
    up, down = source.randbytes(400), source.randbytes(400)
    stream = interrupt(StreamExchange(faults, up, down), seed, rate)
    assert stream.run().result() == (up, down)
    packets = [source.randbytes(source.randint(1, 50)) for _ in range(12)], [b"%d" % i for i in range(12)]
    exchange = interrupt(PacketExchange(faults, *packets), seed, rate)
    assert exchange.run().result() == packets
    assert stream.target.interruptions and exchange.target.interruptions
    assert stream.target.refused == exchange.target.refused == 0  # an interruption is no controller that disobeys


def test_what_is_written_where_it_must_not_during_a_put_is_undone_after_it():
    bed, source = ModelBed(), random.Random(1)
    memory = MemoryTarget(bed.port, 16, None, 8, read_only=((0, 8),))
    memory.open()
    controller = MemoryController(bed, ADDRESS, 8)
    target = Interrupted(memory, lambda: controller.write(6, b"bad!"), lambda: source.random() < 0.2)
    for i in range(50):
        target.put(0, b"%4d" % i)
        assert bytes(memory.memory[:8]) == b"%4d" % i + bytes(4)
    assert memory.refused > 40


@pytest.mark.parametrize("seed", range(5))
def test_scheduled_call_in_the_middle_of_a_poll_repeats_no_callback(seed):
    bed, source = ModelBed(), random.Random(seed)
    scheduled, told = [], []
    bed.port.schedule = scheduled.append
    memory = MemoryTarget(bed.port, 32, None, 8, exact=True, memory_written=lambda at, size: told.append((at, size)))
    memory.open()
    controller = MemoryController(bed, ADDRESS, 8)
    sent = []

    def write():
        sent.append((len(sent) % 20, len(sent) % 7 + 1))
        controller.write(sent[-1][0], b"x" * sent[-1][1])

    def interrupt():
        if source.random() < 0.2:
            write()
        while scheduled:
            scheduled.pop()(0)

    target = Interrupted(memory, interrupt, lambda: source.random() < 0.3)
    for _ in range(100):
        write()
        write()
        target.poll()
    assert told == sent and target.interruptions > 50


@pytest.mark.parametrize("seed", range(5))
def test_read_at_any_line_of_an_update_sees_the_old_or_the_new_block(seed):
    bed, source = ModelBed(), random.Random(seed)
    memory = MemoryTarget(bed.port, 16, None, 8, atomic=True)
    memory.open()
    controller = MemoryController(bed, ADDRESS, 8)
    blocks = [bytes(16)]
    buf = bytearray(16)

    written = [0]

    def read():
        """And write: the last byte is the controller's."""
        controller.read_into(0, buf)
        assert bytes(buf[:15]) in (blocks[-1][:15], blocks[-2][:15])
        written.append(source.randrange(256))
        controller.write(15, bytes(written[-1:]))

    def change():
        with memory.update() as block:
            for at in range(15):
                block[at] = blocks[-1][at]

    class Changer:
        pass

    changer = Changer()
    changer.change = change
    target = Interrupted(changer, read, lambda: source.random() < 0.5)
    for _ in range(50):
        blocks.append(source.randbytes(16))
        target.change()
        controller.read_into(0, buf)
        assert bytes(buf) == blocks[-1][:15] + bytes(written[-1:])
    assert target.interruptions > 50
