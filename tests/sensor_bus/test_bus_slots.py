"""Devices behind multiplexers and power switches, and buses that only these can free, in virtual time."""

import asyncio

import pytest

from tests.sensor_bus.bus_rig import BusRig

MICROPYTHON = False
MICROPYTHON_REASON = "plays the bus on the virtual bed; tests/sim/mpy/test_sensor_bus.py has it in MicroPython"

MUX = {"mux": {"enable": True}}
AHT, MCP, TMP, EXPANDER = 0x38, 0x18, 0x48, 0x20


def slot(number, address):
    return address | number << 8


def all_typed(rig, count):
    return len([name for name in rig.names().values() if name]) == count


def test_devices_of_one_address_in_two_slots_are_two():
    rig = BusRig(MUX)
    rig.sensors.add("PCA9548A")
    rig.sensors.add("MCP9808", slot=1, values={"temperature": 10})
    rig.sensors.add("MCP9808", slot=8, values={"temperature": 20})
    rig.sensors.add("TMP117", values={"temperature": 30})

    async def program(rig):
        await rig.until(lambda: len(rig.names()) == 3, 5)
        await asyncio.sleep(10)

    rig.run(program)
    for address, value in ((slot(1, MCP), 10), (slot(8, MCP), 20), (TMP, 30)):
        assert {rig.value(sample, "temperature") for sample in rig.of(address)} == {value}


def test_slot_64_is_no_other_name_of_the_main_bus():
    rig = BusRig(MUX)
    rig.sensors.add("PCA9548A", 0x77)
    rig.sensors.add("MCP9808", slot=64)

    async def program(rig):
        await rig.until(lambda: rig.of(slot(64, MCP)), 5)

    rig.run(program)
    assert rig.names() == {slot(64, MCP): "MCP9808"}


def test_device_on_the_main_bus_is_not_shown_in_slots():
    rig = BusRig(MUX)
    rig.sensors.add("PCA9548A")
    member = rig.sensors.add("MCP9808", plugged=False)

    async def program(rig):
        for _ in range(10):
            await asyncio.sleep(1.37)
            member.plug()
            await rig.until(lambda: MCP in rig.names(), 3)
            assert list(rig.names()) == [MCP]
            member.unplug()
            await rig.until(lambda: not rig.names(), 12)

    rig.run(program, 200)
    assert {event[2] for event in rig.events} == {MCP}


def test_multiplexer_behind_a_multiplexer_is_opened_through_the_first():
    rig = BusRig(MUX)
    rig.sensors.add("PCA9548A", 0x70)
    rig.sensors.add("PCA9548A", 0x71, slot=3)
    rig.sensors.add("MCP9808", slot=9 + 4, values={"temperature": 11})
    rig.sensors.add("MCP9808", slot=2, values={"temperature": 12})

    async def program(rig):
        await rig.until(lambda: len(rig.names()) == 2, 10)
        await asyncio.sleep(11)

    rig.run(program)
    assert {rig.value(sample, "temperature") for sample in rig.of(slot(13, MCP))} == {11}
    assert {rig.value(sample, "temperature") for sample in rig.of(slot(2, MCP))} == {12}


def test_multiplexer_in_a_slot_is_not_listed_as_a_device():
    rig = BusRig(MUX)
    rig.sensors.add("PCA9548A", 0x70)
    rig.sensors.add("PCA9548A", 0x71, slot=2)
    rig.sensors.add("MCP9808", slot=9)

    async def program(rig):
        await rig.until(lambda: all_typed(rig, 1), 8)
        await asyncio.sleep(2)

    rig.run(program)
    assert rig.names() == {slot(9, MCP): "MCP9808"}


def test_multiplexer_that_is_pulled_takes_its_devices_along_and_comes_back():
    rig = BusRig(MUX)
    mux = rig.sensors.add("PCA9548A")
    member = rig.sensors.add("TMP117", slot=2)
    rig.sensors.add("TMP117", 0x49)

    async def program(rig):
        await rig.until(lambda: len(rig.names()) == 2, 5)
        member.unplug()
        mux.unplug()
        await rig.until(lambda: list(rig.names()) == [0x49], 12)
        mux.plug()
        member.plug()
        await rig.until(lambda: len(rig.names()) == 2, 25)

    rig.run(program, 100)


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("bit", [0, 3, 7, 8, 15])
def test_sda_stuck_in_a_slot_is_freed_and_no_other_device_is_lost(bit, reset):
    rig = BusRig({"mux": {"enable": True, "rstPin": 5}} if reset else MUX, reset=reset)
    rig.sensors.add("PCA9548A")
    stuck = rig.sensors.add("TMP117", slot=2)
    rig.sensors.add("TMP117", 0x49)
    rig.sensors.add("TMP117", 0x49 + 1, slot=3)
    addresses = [slot(2, TMP), 0x49, slot(3, 0x4A)]

    async def program(rig):
        await rig.until(lambda: all(rig.of(one) for one in addresses), 6)
        for address in addresses:
            rig.bus.configure(address, interval_us=20000)
        await asyncio.sleep(1)
        stuck.stick_sda(bit, 0)
        await rig.until(lambda: rig.sensors.stuck() or stuck.stick_at is None, 0.2)
        begin = rig.bed.now()
        await rig.until(lambda: all(rig.of(one, begin + 1e-6) for one in addresses), 0.25)

    rig.run(program)
    assert not [event for event in rig.events if event[1] in ("offline", "gone", "stuck")]


def test_wire_that_stays_low_in_a_slot_costs_that_slot_only():
    rig = BusRig({"mux": {"enable": True, "rstPin": 5}}, reset=True)
    rig.sensors.add("PCA9548A")
    rig.sensors.add("TMP117", slot=2)
    rig.sensors.add("TMP117", 0x49)

    async def program(rig):
        await rig.until(lambda: all_typed(rig, 2), 6)
        rig.bus.configure(0x49, interval_us=50000)
        rig.bus.configure(slot(2, TMP), interval_us=50000)
        await asyncio.sleep(0.5)
        _, sda = rig.sensors.wires(2)
        sda.stick(0)
        await rig.until(lambda: slot(2, TMP) not in rig.names(), 3)
        begin = rig.bed.now()
        await asyncio.sleep(3)
        assert len(rig.of(0x49, begin)) >= 20
        sda.stick(None)
        await rig.until(lambda: slot(2, TMP) in rig.names(), 25)

    rig.run(program, 100)
    assert "gone" not in rig.kinds(0x49)


POWER = {
    "mux": {"enable": True, "rstPin": 5},
    "ioExps": {"exps": [{"dev": "PCA9535", "addr": "0x20", "vPinBase": 200, "numPins": 16}]},
    "pwr": {
        "slotGroups": [
            {"name": "A", "startSlotNum": 1, "numSlots": 8, "defaultLevelIdx": 1,
             "levelsExclOff": [{"vPins": [203] * 8, "on": [1] * 8}]},
        ]
    },
}  # fmt: skip


def powered_rig():
    rig = BusRig(POWER, reset=True)
    rig.sensors.add("PCA9535", EXPANDER, power=[{"slots": [1, 8], "on": {3: 1}}])
    rig.sensors.add("PCA9548A")
    rig.sensors.add("TMP117", slot=2)
    rig.sensors.add("TMP117", 0x49)
    return rig


def test_slots_get_power_and_the_expander_is_no_device():
    rig = powered_rig()

    async def program(rig):
        assert not rig.sensors.has_supply(2)
        await rig.until(lambda: all_typed(rig, 2), 6)

    rig.run(program)
    assert rig.names() == {0x49: "TMP117", slot(2, TMP): "TMP117"}


def test_slot_that_holds_the_bus_again_and_again_is_switched_off_and_on():
    rig = powered_rig()

    async def program(rig):
        await rig.until(lambda: all_typed(rig, 2), 6)
        member = rig.sensors["TMP117@48/2"]
        segment_sda = rig.sensors.wires(2)[1]
        rig.bus.configure(slot(2, TMP), interval_us=50000)
        offs = []
        segment_sda.stick(0)

        def mend():
            if not member.powered and not offs:
                offs.append(rig.bed.now())
                segment_sda.stick(None)
            return offs

        await rig.until(mend, 12)
        await rig.until(lambda: slot(2, TMP) in rig.names(), 30)

    rig.run(program, 100)
    assert "gone" not in rig.kinds(0x49)
