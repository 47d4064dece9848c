"""A function that has the bus between two transactions: `SensorBus.exclusive`."""

import asyncio
from errno import EAGAIN, ETIMEDOUT

import pytest

from sensor_bus.errors import BusStuck, QueueFull, TimedOut
from tests.sensor_bus.bus_rig import BusRig

MICROPYTHON = False
MICROPYTHON_REASON = "plays the bus on the virtual bed; tests/peers/test_remote_i2c.py has it in MicroPython"

MUX = {"mux": {"enable": True}}
MCP, TMP = 0x18, 0x48


def read(i2c, address, register, size):
    i2c.writeto(address, bytes((register,)), False)
    found = bytearray(size)
    i2c.readfrom_into(address, found)
    return bytes(found)


def test_it_has_the_bus_alone_while_polls_go_on():
    rig = BusRig()
    rig.sensors.add("TMP117", values={"temperature": 21})
    rig.sensors.add("MCP9808", values={"temperature": 20})
    found = []

    async def program(rig):
        await rig.until(lambda: rig.of(TMP) and rig.of(MCP), 5)
        since = rig.bed.now()
        while rig.bed.now() < since + 10:
            await rig.bus.exclusive(lambda i2c: found.append(read(i2c, MCP, 6, 2) + read(i2c, TMP, 15, 2)))
        return since

    since = rig.run(program)
    assert len(found) > 500 and set(found) == {b"\x00\x54\x01\x17"}
    for address, value in ((MCP, 20), (TMP, 21)):
        assert len(rig.of(address, since)) > 5
        assert {rig.value(sample, "temperature") for sample in rig.of(address, since)} == {value}


def test_slots_are_closed_before_it():
    rig = BusRig(MUX)
    mux = rig.sensors.add("PCA9548A")
    rig.sensors.add("MCP9808", slot=3)
    open_channels = []

    async def program(rig):
        await rig.until(lambda: rig.of(MCP | 3 << 8), 5)
        for _ in range(50):
            await rig.bus.exclusive(lambda i2c: open_channels.append(mux.device.channels))
            await asyncio.sleep(0.0137)

    rig.run(program)
    assert open_channels == [0] * 50


def test_a_bus_that_is_stuck_is_told_before_and_behind_it():
    rig = BusRig(timeout_us=1000)
    member = rig.sensors.add("TMP117")
    ran = []

    async def program(rig):
        await rig.until(lambda: rig.of(TMP), 5)

        def stick(i2c):
            ran.append("stick")
            rig.sensors.wires(0)[1].stick(0)

        with pytest.raises(BusStuck):
            await rig.bus.exclusive(stick)
        with pytest.raises((BusStuck, TimedOut)):
            await rig.bus.exclusive(lambda i2c: ran.append("not on a stuck bus"), 300)
        rig.sensors.wires(0)[1].stick(None)
        await rig.until(lambda: "freed" in [kind for _, kind, _, _ in rig.events], 10)
        await rig.bus.exclusive(lambda i2c: ran.append("again"))
        return member

    rig.run(program)
    assert ran == ["stick", "again"]


def test_a_held_clock_is_its_own_error():
    rig = BusRig()
    rig.sensors.add("TMP117")

    def held(i2c):
        raise OSError(ETIMEDOUT, "held")

    async def program(rig):
        await rig.until(lambda: rig.of(TMP), 5)
        with pytest.raises(OSError) as raised:
            await rig.bus.exclusive(held)
        assert raised.value.errno == ETIMEDOUT
        await rig.bus.exclusive(lambda i2c: None)

    rig.run(program)


def test_it_waits_in_the_queue_of_requests():
    rig = BusRig({"lowLoad": True})
    rig.sensors.add("TMP117")
    order = []

    async def program(rig):
        await rig.until(lambda: rig.of(TMP), 5)
        rig.bus.hiatus(200)
        waiting = [asyncio.create_task(rig.bus.exclusive(lambda i2c, n=n: order.append(n))) for n in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull) as raised:
            await rig.bus.exclusive(lambda i2c: order.append("too many"))
        assert raised.value.errno == EAGAIN
        await asyncio.gather(*waiting)
        rig.bus.hiatus(500)
        with pytest.raises(TimedOut):
            await rig.bus.exclusive(lambda i2c: order.append("late"), 100)
        await asyncio.sleep(1)

    rig.run(program)
    assert order == [0, 1, 2]
