"""machine.I2C on the virtual bed: each transfer, and the same at once as bit by bit."""

import asyncio
from errno import ENODEV, ETIMEDOUT
from random import Random

import pytest

from sim.virtual.board import ASYNCIO, Board
from sim.virtual.costs import ZERO
from sim.virtual.sensor_bed import BoardSensors, SensorBed
from sim.virtual.world import World

MCP, MUX, AHT = 0x18, 0x70, 0x38


def traffic(bits, seed):
    """Random transfers with sensors behind a multiplexer. Returns what each gave, and when it ended."""
    chance = Random(seed)
    bed = SensorBed()
    bed.sensors.add("PCA9548A")
    bed.sensors.add("AS5600", values={"angle": [[0, 0.0], [100, 3000.0]]})
    for slot in (1, 2):
        bed.sensors.add("MCP9808", slot=slot, values={"temperature": 10.0 * slot})
        bed.sensors.add("AHT20", slot=slot)
    bed.bus.expand_bits = bits

    async def main():
        i2c, results = bed.i2c(), []
        await asyncio.sleep(0.5)
        for _ in range(80):
            address = chance.choice((MUX, MCP, AHT, 0x36, 0x50))
            data = bytes(chance.choice((1, 2, 5, 6, 0xBE, 0x08, 0)) for _ in range(chance.randrange(4)))
            size, pause_s, stop = chance.randrange(5), chance.randrange(1, 50) / 100, chance.random() < 0.5
            try:
                results.append(i2c.writeto(address, data, stop or not size))
                if size:
                    results.append(i2c.readfrom(address, size))
            except OSError as error:
                results.append(error)
            results = [str(one) for one in results]
            await asyncio.sleep(pause_s - bed.now() % 0.01)  # on a grid: by bits a transfer is a clock shorter
        return results, bed.bus.bytes, bed.bus.transactions

    return bed.run(main)


@pytest.mark.parametrize("seed", range(6))
def test_transfers_give_the_same_at_once_and_bit_by_bit(seed):
    assert traffic(False, seed) == traffic(True, seed)


def on_bed(program, **options):
    bed = SensorBed()
    member = bed.sensors.add("MCP9808", values={"temperature": 20.0})

    async def main():
        await asyncio.sleep(1)
        return program(bed, bed.i2c(**options), member)

    return bed.run(main)


def error_of(call, *arguments):
    with pytest.raises(OSError) as caught:
        call(*arguments)
    return caught.value.errno


@pytest.mark.parametrize("hardware", [False, True])
def test_each_method_of_machine_i2c(hardware):
    def program(bed, i2c, member):
        assert i2c.scan() == [MCP]
        assert i2c.writeto(MCP, b"") == 0
        assert i2c.writeto(MCP, b"\x06", False) == 1
        buf = bytearray(2)
        i2c.readfrom_into(MCP, buf)
        assert buf == b"\x00\x54" == i2c.readfrom(MCP, 2)
        i2c.readfrom_mem_into(MCP, 7, memoryview(buf))
        assert buf == b"\x04\x00" == i2c.readfrom_mem(MCP, 7, 2)
        i2c.writeto_mem(MCP, 1, b"\x01\x00")
        assert i2c.readfrom_mem(MCP, 1, 2) == b"\x01\x00"
        assert i2c.writevto(MCP, [b"\x01", b"\x00\x00"]) == 3
        assert i2c.readfrom_mem(MCP, 1, 2) == b"\0\0"
        assert error_of(i2c.readfrom, 0x20, 1) == ENODEV == error_of(i2c.writeto, 0x20, b"")
        return True

    assert on_bed(program, hardware=hardware)


def test_byte_that_is_not_acknowledged_ends_a_write():
    def program(bed, i2c, member):
        member.nack_bytes()
        first = i2c.writeto(MCP, b"\x01\x01\x00")
        member.nack()
        return first, error_of(i2c.writeto, MCP, b"\x01\x01\x00"), i2c.writeto(MCP, b"\x01\x01\x00")

    assert on_bed(program) == (0, ENODEV, 3)


def test_primitives_of_soft_i2c():
    def program(bed, i2c, member):
        i2c.start()
        acks = i2c.write(bytes((MCP << 1, 6)))
        i2c.start()
        i2c.write(bytes((MCP << 1 | 1,)))
        buf = bytearray(2)
        i2c.readinto(buf)
        i2c.stop()
        return acks, bytes(buf)

    assert on_bed(program) == (2, b"\x00\x54")


def test_hardware_has_no_primitives_and_waits_for_an_idle_bus():
    def program(bed, i2c, member):
        with pytest.raises(OSError, match="not supported"):
            i2c.start()
        bed.scl.stick(0)
        begin = bed.now()
        assert error_of(i2c.writeto, MCP, b"") == ETIMEDOUT
        assert bed.now() - begin == pytest.approx(0.001)
        bed.scl.stick(None)
        return i2c.writeto(MCP, b"")

    assert on_bed(program, hardware=True, timeout_us=1000) == 0


def test_soft_i2c_takes_a_low_sda_for_an_acknowledgement():
    def program(bed, i2c, member):
        bed.sda.stick(0)
        return i2c.writeto(0x55, b""), i2c.readfrom(MCP, 2)

    assert on_bed(program) == (0, b"\0\0")


def test_time_of_a_transfer_can_pass_after_it():
    """For a board beside others that block: two of them cannot block each other."""
    world = World(100.0)
    board = Board(world, "client", {}, seed=1)
    wires = BoardSensors(board, ZERO, pins=("Y9", "Y10", "Y11"), owes=True)
    wires.sensors.add("MCP9808")
    seen = []

    async def main():
        i2c = wires.i2c()
        seen.append(wires.now())
        i2c.writeto(MCP, b"\x06", False)
        seen.append(i2c.readfrom(MCP, 2))
        seen.append(wires.now())
        await asyncio.sleep(0)
        seen.append(wires.now())
        world.stop()

    board.power_on(lambda _: ASYNCIO.run(main()))
    world.run()
    board.kill()
    assert seen == [0, b"\x00\x54", 0, pytest.approx((19 + 28 + 1) * 2.5e-6)]


def test_transfer_goes_on_whole_while_others_run():
    bed = SensorBed()
    bed.sensors.add("MCP9808")
    times = []
    for us in range(0, 300, 7):
        bed.world.at(bed.world.begin_s + us / 1e6, lambda: times.append(bed.now()))

    async def main():
        data = bed.i2c().readfrom_mem(MCP, 6, 2)
        return data, len(times)

    data, seen = bed.run(main)
    assert data == b"\x00\x54" and 10 < seen < 43
    assert times == sorted(times)
