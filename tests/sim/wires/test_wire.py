"""sim/wires/wire.py, sim/wires/i2c_bits.py, sim/wires/nets.py and the target model, without any board."""

import random
from errno import ENODEV, ETIMEDOUT

import pytest

from sim.wires import wire
from sim.wires.nets import OPEN_DRAIN, OUT, BoardPin, Net
from sim.wires.on_board import i2c_target
from sim.wires.on_board.i2c_target import TargetModel
from sim.wires.pieces import Answer, Cut, Pause, Piece, answer_from, run_whole

ADDRESS = 0x12
ALL = 63


class Bench:
    """One bus, one target, one controller."""

    def __init__(self, mem=None, depth=i2c_target.STM32_DEPTH, addrsize=8, trigger=ALL, serve=True, **controller):
        self.scl, self.sda = Net("scl", pull_up=True), Net("sda", pull_up=True)
        self.bus = wire.Bus(self.scl, self.sda)
        self.events, self.trigger, self.serve = [], trigger, serve
        self.model = TargetModel(self.fire, depth, mem, addrsize)
        self.model.per_byte = bool(trigger & i2c_target.IRQ_HARD_ONLY)
        self.next_byte = 0
        self.port = wire.Port("target", ADDRESS)
        self.bus.attach(self.port)
        self.controller = wire.Controller(self.bus, "controller", **controller)
        self.answer = answer_from({"target": self.model})

    def fire(self, event):
        if not event & self.trigger:
            return False
        self.events.append(event)
        if self.serve and self.model._mem is None:
            if event == i2c_target.IRQ_READ_REQ:
                self.model.write(bytes((self.next_byte,)))
                self.next_byte = (self.next_byte + 37) & 0xFF
            if event == i2c_target.IRQ_WRITE_REQ:
                buf = bytearray(1)
                self.model.readinto(buf)
                self.events.append(("got", buf[0]))
        return True

    def run(self, transfer):
        return run_whole(transfer, self.answer)

    def write(self, data, stop=True, address=ADDRESS):
        return self.run(self.controller.write(address, data, stop))[0]

    def read(self, size, stop=True):
        return self.run(self.controller.read(ADDRESS, size, stop))[0]


def test_events_of_a_target_without_memory():
    bench = Bench()
    assert bench.write(b"XY").acks == 2
    assert bench.events == [2, 8, ("got", 88), 8, ("got", 89), 32]
    bench.events.clear()
    assert bench.read(2).data == bytes((0, 37))
    assert bench.events == [1, 4, 4, 4, 16]


def test_repeated_start_ends_the_write_before_the_read_begins():
    bench = Bench()
    bench.write(b"X", stop=False)
    bench.read(1)
    assert bench.events == [2, 8, ("got", 88), 32, 1, 4, 4, 16]
    assert bench.bus.transactions == 1


def test_an_address_only_write_is_an_event_and_selecting_memory_is_not():
    bench = Bench(bytearray(8), trigger=48)
    bench.write(b"")
    assert bench.events == [i2c_target.IRQ_END_WRITE]
    bench.write(b"\x03")
    assert bench.events == [i2c_target.IRQ_END_WRITE]
    assert bench.model.memaddr == 3


@pytest.mark.parametrize("depth", [i2c_target.STM32_DEPTH, i2c_target.RP2_DEPTH])
@pytest.mark.parametrize("trigger", [0, 48, 63])
def test_memory_wraps_and_one_byte_is_fetched_too_many(depth, trigger):
    bench = Bench(bytearray(b"01234567"), depth, trigger=trigger)
    assert bench.write(b"\x06test").acks == 5
    assert bytes(bench.model._mem) == b"st2345te"
    bench.write(b"\x02", stop=False)
    assert bench.read(4).data == b"2345"
    assert bench.read(4).data == b"est2"
    assert bench.write(b"\x00testTESTmore").acks == 13
    assert bytes(bench.model._mem) == b"moreTEST"


def test_memory_addresses_are_big_endian_and_taken_modulo_the_length():
    bench = Bench(bytearray(300), addrsize=16, trigger=0)
    bench.write(bytes((1, 4)) + b"ab")
    assert bytes(bench.model._mem[260:262]) == b"ab"
    bench.write(bytes((2, 0)) + b"c")
    assert bench.model._mem[212] == ord("c")


def test_nobody_answers_to_another_address():
    bench = Bench()
    assert bench.write(b"x", address=0x13).errno == ENODEV


def test_a_transfer_takes_nine_clocks_a_byte():
    bench = Bench(bytearray(2000), trigger=0, clock_hz=400000)
    _, us = bench.run(bench.controller.write(ADDRESS, bytes(1000)))
    assert us == pytest.approx((1 + 9 * 1001 + 1) * 2.5)


def test_a_clock_held_too_long_times_out():
    bench = Bench(bytearray(8), trigger=63, timeout_us=1000)
    stretch = {"us": 800}
    fire = bench.model._fire

    def slow(event):
        if event == i2c_target.IRQ_WRITE_REQ:
            bench.model.stretch_us += stretch["us"]
        return fire(event)

    bench.model._fire = slow
    assert bench.write(b"\x00ab").errno == 0
    stretch["us"] = 1200
    assert bench.write(b"\x00ab").errno == ETIMEDOUT


def test_a_program_that_does_not_serve_holds_the_clock():
    bench = Bench(serve=False)
    assert bench.read(1).errno == ETIMEDOUT
    assert bench.write(b"abc").errno == ETIMEDOUT


def test_fifo_keeps_what_is_read_later():
    bench = Bench(depth=i2c_target.RP2_DEPTH, serve=False)
    assert bench.write(b"0123").acks == 4
    assert i2c_target.IRQ_END_WRITE not in bench.events
    buf = bytearray(8)
    assert bench.model.readinto(buf) == 4 and buf[:4] == b"0123"
    assert bench.events[-1] == i2c_target.IRQ_END_WRITE


def random_traffic(rng, bench):
    """What a controller's program sees of a random sequence."""
    seen = []
    for _ in range(12):
        stop = rng.random() < 0.7
        if rng.random() < 0.5:
            seen.append(bench.write(rng.randbytes(rng.randrange(0, 9)), stop))
        else:
            seen.append(bench.read(rng.randrange(1, 9), stop))
    return seen, bench.events, bytes(bench.model._mem or b""), bench.bus.bytes, bench.bus.transactions


@pytest.mark.parametrize("mem", [False, True])
@pytest.mark.parametrize("depth", [i2c_target.STM32_DEPTH, i2c_target.RP2_DEPTH])
@pytest.mark.parametrize("seed", range(8))
def test_whole_chunks_bytes_and_bits_give_the_same(mem, depth, seed):
    results = []
    for way in ("whole", "chunks", "bytes", "bits"):
        bench = Bench(bytearray(range(16)) if mem else None, depth, trigger=48 if mem else 63)
        bench.bus.chunk_bytes = 3 if way == "chunks" else None
        bench.bus.expand_bits = way == "bits"
        bench.bus.tap = (lambda address, read, index, value: value) if way == "bytes" else None
        results.append(random_traffic(random.Random(seed), bench))
    assert results[0] == results[1] == results[2] == results[3]


@pytest.mark.parametrize("bits", [False, True])
def test_a_tap_can_flip_lose_repeat_refuse_and_cut(bits):
    def written(said):
        bench = Bench(bytearray(8), trigger=0)
        bench.bus.expand_bits = bits
        bench.bus.tap = lambda address, read, index, value: said if index == 2 else value
        result = bench.write(b"\x00abcd")
        return result, bytes(bench.model._mem)

    assert written(0x7A)[1] == b"azcd\0\0\0\0"
    assert written(wire.LOST)[1] == b"acd\0\0\0\0\0"
    assert written(wire.REPEATED)[1] == b"abbcd\0\0\0"
    assert written(wire.NACKED)[0].acks == 2
    result, mem = written(wire.CUT)
    assert result.errno == ETIMEDOUT and mem == b"a" + bytes(7)


def cut_after(bench, transfer, us):
    """The controller vanishes `us` after the start."""
    reply = None
    while True:
        try:
            step = transfer.send(reply)
            while isinstance(step, Pause) and step.us >= us:
                step, us = transfer.throw(Cut(us)), 1e9
        except StopIteration:
            return
        if isinstance(step, Pause):
            us -= step.us
            reply = None
        else:
            reply = bench.answer(step)


def test_a_controller_that_vanishes_leaves_a_torn_write():
    bench = Bench(bytearray(8), trigger=48, clock_hz=400000)
    cut_after(bench, bench.controller.write(ADDRESS, b"\x00abcdefg"), (1 + 9 * 4 + 5) * 2.5)
    assert bytes(bench.model._mem) == b"ab" + bytes(6)
    assert bench.events == []
    bench.write(b"\x04x")
    assert bench.events == [i2c_target.IRQ_END_WRITE] * 2


def test_a_target_cut_off_in_a_zero_bit_holds_sda_until_it_is_clocked():
    bench = Bench(bytearray(8), trigger=48)
    cut_after(bench, bench.controller.read(ADDRESS, 8), (1 + 9 * 2 + 4) * 2.5)
    assert bench.sda.level == 0
    pin = BoardPin("gpio", bench.scl)
    pin.configure(OPEN_DRAIN, latch=1)
    clocks = 0
    while bench.sda.level == 0 and clocks < 9:
        clocks += 1
        pin.write(0)
        pin.write(1)
    assert bench.sda.level == 1 and clocks <= 9


def test_soft_i2c_on_a_bus_with_sda_held_low_recovers_or_fails_but_never_lies():
    bench = Bench(bytearray(range(8)), trigger=48)
    cut_after(bench, bench.controller.read(ADDRESS, 8), (1 + 9 * 2 + 4) * 2.5)
    results = []
    for _ in range(4):
        results.append(bench.write(b"\x05\x77"))
        if results[-1].errno == 0 and results[-1].acks == 2 and bench.model._mem[5] == 0x77:
            break
    assert bench.model._mem[5] == 0x77


def test_a_target_that_is_switched_off_lets_go():
    bench = Bench(bytearray(8), trigger=48)
    cut_after(bench, bench.controller.read(ADDRESS, 8), (1 + 9 * 2 + 4) * 2.5)
    bench.bus.detach(bench.port)
    assert bench.sda.level == 1
    assert bench.write(b"x").errno == ENODEV


def test_scl_held_low_times_out():
    bench = Bench(bytearray(8))
    bench.scl.drive("fault", 0)
    result, us = bench.run(bench.controller.write(ADDRESS, b"x"))
    assert result.errno == ETIMEDOUT and us >= 50000


def test_nets_are_wired_and():
    net = Net("n", pull_up=True)
    levels = []
    net.listen(lambda n: levels.append(n.level))
    a, b = BoardPin("a", net), BoardPin("b", net)
    a.configure(OPEN_DRAIN, latch=0)
    b.configure(OPEN_DRAIN, latch=0)
    a.write(1)
    assert net.level == 0
    b.release()
    assert net.level == 1 and levels == [0, 1]
    a.configure(OUT, latch=1)
    b.configure(OUT, latch=0)
    assert net.level == 0 and net.contentions == 1


def test_target_model_refuses_bad_memory():
    with pytest.raises(ValueError):
        TargetModel(lambda event: False, mem=bytearray(8), mem_addrsize=12)
    with pytest.raises(ValueError):
        TargetModel(lambda event: False, mem=bytearray())


def test_pieces_are_what_a_driver_needs():
    port = wire.Port("t", 1)
    assert Piece(port, 0, 1, b"", 0).port is port and Answer(True, 0, 0, b"").ok
