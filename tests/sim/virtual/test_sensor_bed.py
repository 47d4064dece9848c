"""A program and sensors on the virtual bed: time, plugging within a transfer, recovery by pins, power."""

import asyncio
import json
from errno import ENODEV, ETIMEDOUT
from pathlib import Path

import pytest

from sim.virtual.sensor_bed import SensorBed
from sim.virtual.world import Deadlock
from sim.wires.sensors.plan import plan_of, populate

MCP, MUX, EXPANDER = 0x18, 0x70, 0x20


def errno_of(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return error.errno
    return 0


def test_transfer_lasts_as_long_as_on_the_wire_however_it_is_computed():
    def lasts(bits):
        bed = SensorBed()
        bed.sensors.add("MCP9808")
        bed.bus.expand_bits = bits

        async def main():
            i2c = bed.i2c()
            begin = bed.now()
            data = i2c.readfrom_mem(MCP, 6, 2)
            return data, round((bed.now() - begin) * 1e6, 1)

        return bed.run(main)

    assert lasts(False) == (b"\x00\x54", pytest.approx(((10 + 9) + (10 + 18) + 1) * 2.5))
    assert lasts(True)[0] == lasts(False)[0]
    assert lasts(True)[1] == pytest.approx(lasts(False)[1], abs=5)


def test_value_of_its_time_is_read():
    bed = SensorBed()
    bed.sensors.add("MCP9808", values={"temperature": [[0, 0.0], [10, 100.0]]})

    async def main():
        i2c = bed.i2c()
        await asyncio.sleep(5.1)
        return int.from_bytes(i2c.readfrom_mem(MCP, 5, 2), "big") & 0x1FFF

    assert bed.run(main) == 50 * 16


@pytest.mark.parametrize("us", range(0, 120, 10))
def test_device_that_is_pulled_at_any_time_of_a_read_is_gone_afterwards(us):
    bed = SensorBed()
    member = bed.sensors.add("MCP9808")

    async def main():
        i2c = bed.i2c()
        await asyncio.sleep(1)
        bed.at(bed.now() + us / 1e6, member.unplug)
        first = errno_of(i2c.readfrom_mem, MCP, 6, 2)
        return first, errno_of(i2c.readfrom_mem, MCP, 6, 2), bed.bus.idle()

    first, second, idle = bed.run(main)
    assert first in (0, ENODEV) and second == ENODEV and idle


@pytest.mark.parametrize("hardware", [False, True])
def test_program_frees_sda_with_its_pins(hardware):
    bed = SensorBed()
    member = bed.sensors.add("MCP9808")

    async def main():
        i2c = bed.i2c(hardware=hardware, timeout_us=1000)
        member.stick_sda(0, value=0)
        assert errno_of(i2c.readfrom_mem, MCP, 5, 2) == ETIMEDOUT
        if hardware:
            assert errno_of(i2c.writeto, MCP, b"") == ETIMEDOUT
        Pin = bed.pin_class
        scl, sda = (Pin(name, Pin.OPEN_DRAIN, value=1) for name in ("scl", "sda"))
        clocks = 0
        while not sda():
            clocks += 1
            scl(0)
            scl(1)
        sda(0)
        sda(1)
        return clocks, i2c.readfrom_mem(MCP, 6, 2)

    assert bed.run(main) == (8, b"\x00\x54")


def test_reset_pin_of_the_multiplexers():
    bed = SensorBed()
    bed.sensors.add("PCA9548A")
    bed.sensors.add("MCP9808", slot=1)

    async def main():
        i2c = bed.i2c()
        i2c.writeto(MUX, b"\x01")
        assert i2c.scan() == [MCP, MUX]
        Pin = bed.pin_class
        reset = Pin("rst", Pin.OUT, value=0)
        held = i2c.scan()
        reset(1)
        return held, i2c.scan()

    assert bed.run(main) == ([], [MUX])


def test_expander_switches_the_supply_of_slots():
    bed = SensorBed()
    bed.sensors.add("PCA9548A")
    bed.sensors.add("PCA9535", EXPANDER, power=[{"slots": [1, 8], "on": {"0": 1}}])
    member = bed.sensors.add("MCP9808", slot=1)

    async def main():
        i2c = bed.i2c()
        i2c.writeto(MUX, b"\x01")
        states = [member.powered]
        i2c.writeto(EXPANDER, b"\x06\xfe")  # pin 0 is an output, high
        states += [member.powered, errno_of(i2c.writeto, MCP, b"")]
        i2c.writeto(EXPANDER, b"\x02\xfe")
        return [*states, member.powered, errno_of(i2c.writeto, MCP, b"")]

    assert bed.run(main) == [False, True, 0, False, ENODEV]


def test_program_that_waits_for_ever_is_found():
    async def main():
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        SensorBed().run(main)


def test_failure_of_the_program_is_raised():
    async def main():
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        SensorBed().run(main)


def test_run_ends_after_its_time():
    bed = SensorBed()

    async def main():
        while True:
            await asyncio.sleep(1)

    assert bed.run(main, seconds=10) is None
    assert bed.now() == pytest.approx(10)


def blocks_of_the_document(language):
    text = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")
    sensors = text.partition("\n## Sensors\n")[2].partition("\n## ")[0]
    return [part.partition("\n```")[0] for part in sensors.split(f"```{language}\n")[1:]]


def test_file_in_the_document_is_one():
    (block,) = blocks_of_the_document("json")
    bed = SensorBed()
    populate(bed.sensors, plan_of(json.loads(block)).devices["i2c1"])

    async def main():
        await asyncio.sleep(11)
        return sorted(bed.sensors.present())

    # The multiplexer's slots have no power before the expander is told.
    assert bed.run(main) == [(0, 0x19), (0, EXPANDER), (0, MUX), (0, 0x76)]


def test_program_in_the_document_runs():
    (block,) = blocks_of_the_document("python")
    names = {"SensorBed": SensorBed, "asyncio": asyncio}
    exec(block.replace("bed.run(main)", "result = bed.run(main)"), names)
    assert int.from_bytes(names["result"], "big") & 0x1FFF == 50 * 16
