"""The I2C bus: how long a transfer takes, who answers, and what a fault does to it."""

from errno import ENODEV, ETIMEDOUT

import pytest

from sim.wires import pieces, wire
from sim.wires.on_board import i2c_target
from tests.sim.wires.bench import ADDRESS, Bench, cut_after


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


def test_a_controller_that_vanishes_leaves_a_torn_write():
    bench = Bench(bytearray(8), trigger=48, clock_hz=400000)
    cut_after(bench, bench.controller.write(ADDRESS, b"\x00abcdefg"), (1 + 9 * 4 + 5) * 2.5)
    assert bytes(bench.model._mem) == b"ab" + bytes(6)
    assert bench.events == []
    bench.write(b"\x04x")
    assert bench.events == [i2c_target.IRQ_END_WRITE] * 2


@pytest.mark.parametrize("held", ["scl", "sda"])
def test_only_a_start_condition_on_the_wires_counts_as_a_transaction(held):
    bench = Bench(bytearray(8))
    getattr(bench, held).drive("fault", 0)
    bench.write(b"\x00x")
    assert bench.bus.transactions == 0
    getattr(bench, held).drive("fault", None)
    bench.write(b"\x00", stop=False)
    bench.read(1)
    assert bench.bus.transactions == 1
    for _ in range(2):
        bench.run(bench.controller.line_start())
        bench.run(bench.controller.line_start())
        bench.run(bench.controller.line_stop())
    assert bench.bus.transactions == 3


@pytest.mark.parametrize("tapped", [False, True])
def test_target_that_may_refuse_its_address_is_asked_first(tapped):
    bench = Bench(bytearray(8))
    bench.port.may_refuse = True
    bench.bus.tap = (lambda address, read, index, value: value) if tapped else None
    asked = []

    def refuse(piece):
        asked.append(piece)
        return pieces.REFUSED

    bench.answer = refuse
    result, us = bench.run(bench.controller.write(ADDRESS, b"xyz"))
    assert result.errno == ENODEV and len(asked) == 1 and asked[0].data == b""
    assert us <= 11 * 2.5
