"""A bus of virtual sensors in this process."""

import asyncio
import json
from errno import EIO, ENODEV, ENXIO, ETIMEDOUT

import pytest

from remote_i2c.errors import BUS, BusError
from remote_i2c.messages import read, write
from remote_i2c.providers import make_bus
from remote_i2c.smbus import read_block_data, read_word_data
from sim.remote_bus import SimulatedBus
from sim.wires.sensors.plan import plan_of
from tests.patience import PATIENCE_S

A, B = 0x18, 0x48
MANUFACTURER = [write(A, b"\x06"), read(A, 2)]
PLAN = [
    {"type": "MCP9808", "address": "0x18", "values": {"temperature": 25}},
    {"type": "TMP117", "address": "0x48", "values": {"temperature": 21.5}},
]


def run(scenario, plan=PLAN):
    """Run scenario(bus) on the open bus of a plan. Returns what it returns."""

    async def main():
        bus = SimulatedBus("sim", plan_of(plan).devices["i2c1"])
        await bus.open()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await scenario(bus)
        finally:
            await bus.close()

    return asyncio.run(main())


async def failing(call):
    """Returns the BusError of a call."""
    with pytest.raises(BusError) as caught:
        await call
    return caught.value


def test_registers_are_read_and_written():
    async def scenario(bus):
        word = read_word_data(A, 6)
        await bus.transfer([write(B, b"\x04\x12\x34")])
        return (
            await bus.transfer(MANUFACTURER + [write(B, b"\x04"), read(B, 2)]),
            word.result(await bus.transfer(word.messages)),
        )

    answers, word = run(scenario)
    assert answers == [b"\x00\x54", b"\x12\x34"]
    assert word == 0x5400  # SMBus has the low byte first


def test_addresses_are_probed():
    async def scenario(bus):
        await bus.quick(A, True)
        return [address for address in range(0x08, 0x78) if await bus.probe(address)]

    assert run(scenario) == [A, B]


def test_what_the_target_counts():
    async def scenario(bus):
        call = read_block_data(A, 7)  # the device's register 7: 04 00
        return (await bus.transfer(call.messages))[0]

    assert run(scenario)[:2] == b"\x04\x00"


def test_a_count_that_cannot_be_is_told_and_the_bus_is_free():
    async def scenario(bus):
        await bus.transfer([write(B, b"\x04\xff\xff")])
        call = read_block_data(B, 4)
        return await failing(bus.transfer(call.messages)), await bus.transfer(MANUFACTURER)

    error, answer = run(scenario)
    assert error.errno == EIO and answer == [b"\x00\x54"]


def test_faults_of_devices_have_their_errors():
    async def scenario(bus):
        device = bus.sensors.members[0]
        device.nack()
        found = [await failing(bus.transfer(MANUFACTURER))]
        device.nack_bytes()
        found.append(await failing(bus.transfer(MANUFACTURER)))
        device.stick_sda(2)
        found.append(await failing(bus.transfer(MANUFACTURER)))
        assert await bus.transfer(MANUFACTURER) == [b"\x00\x54"]  # the wires were clocked free
        device.unplug()
        found.append(await failing(bus.transfer(MANUFACTURER)))
        return found

    found = run(scenario)
    assert [(one.errno, one.place) for one in found] == [(ENXIO, BUS), (EIO, BUS), (ETIMEDOUT, BUS), (ENXIO, BUS)]
    assert [one.index for one in found] == [0, 0, None, 0]


@pytest.mark.parametrize("wire", ["scl", "sda"])
def test_a_wire_that_is_held_is_a_time_out(wire):
    async def scenario(bus):
        net = getattr(bus.sensors.bus, wire)
        net.stick(0)
        error = await failing(bus.transfer(MANUFACTURER))
        net.stick(None)
        return error, await bus.transfer(MANUFACTURER)

    error, answer = run(scenario)
    assert (error.errno, error.place) == (ETIMEDOUT, BUS) and answer == [b"\x00\x54"]


def test_what_is_planned_happens_on_the_real_clock():
    async def scenario(bus):
        while await bus.probe(A):
            await asyncio.sleep(0.01)
        return True

    assert run(scenario, [{**PLAN[0], "plug": [[0, True], [0.05, False]]}])


def test_calls_at_once_do_not_tear_each_other():
    async def scenario(bus):
        return await asyncio.gather(*[bus.transfer(MANUFACTURER) for _ in range(20)])

    assert run(scenario) == [[b"\x00\x54"]] * 20


def test_a_closed_bus_is_told():
    async def scenario(bus):
        await bus.close()
        return await failing(bus.transfer(MANUFACTURER))

    assert run(scenario).errno == ENODEV


def test_a_file_names_it(tmp_path):
    file = tmp_path / "plan.json"
    more = {"buses": {"second": {}}, "devices": [*PLAN, {"type": "TMP117", "bus": "second"}]}
    file.write_text(json.dumps(more))

    async def found(spec):
        bus = make_bus(spec, "x")
        await bus.open()
        return [address for address in range(0x08, 0x78) if await bus.probe(address)]

    assert asyncio.run(found(f"sim:{file}")) == [A, B]
    assert asyncio.run(found(f"sim:{file}#second")) == [B]
    with pytest.raises(ValueError, match="there is no bus third, but"):
        make_bus(f"sim:{file}#third", "x")
    with pytest.raises(ValueError, match="No such file"):
        make_bus(f"sim:{tmp_path}/absent.json", "x")
    file.write_text('[{"type": "BMP999"}]')
    with pytest.raises(ValueError, match="BMP999"):
        make_bus(f"sim:{file}", "x")
