"""The rules of an I2C target: its events and their order, its memory, its FIFO."""

from errno import ETIMEDOUT

import pytest

from sim.wires.on_board import i2c_target
from sim.wires.on_board.i2c_target import TargetModel
from tests.sim.wires.bench import Bench


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


def test_target_model_refuses_bad_memory():
    with pytest.raises(ValueError):
        TargetModel(lambda event: False, mem=bytearray(8), mem_addrsize=12)
    with pytest.raises(ValueError):
        TargetModel(lambda event: False, mem=bytearray())
