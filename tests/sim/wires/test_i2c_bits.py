"""A transfer bit by bit gives what the shorter ways give, and meets a bus that is not idle."""

import random
from errno import ETIMEDOUT

import pytest

from sim.wires.on_board import i2c_target
from tests.sim.wires.bench import ADDRESS, Bench, cut_after


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


def test_soft_i2c_on_a_bus_with_sda_held_low_recovers_or_fails_but_never_lies():
    bench = Bench(bytearray(range(8)), trigger=48)
    cut_after(bench, bench.controller.read(ADDRESS, 8), (1 + 9 * 2 + 4) * 2.5)
    results = []
    for _ in range(4):
        results.append(bench.write(b"\x05\x77"))
        if results[-1].errno == 0 and results[-1].acks == 2 and bench.model._mem[5] == 0x77:
            break
    assert bench.model._mem[5] == 0x77


def test_scl_held_low_times_out():
    bench = Bench(bytearray(8))
    bench.scl.drive("fault", 0)
    result, us = bench.run(bench.controller.write(ADDRESS, b"x"))
    assert result.errno == ETIMEDOUT and us >= 50000
