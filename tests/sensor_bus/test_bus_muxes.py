"""Multiplexers and power switches that fail themselves: no sample is of another slot, and the rest goes on."""

import asyncio

import pytest

from sensor_bus.bus import SensorBus
from sensor_bus.errors import NoAnswer
from sensor_bus.port import MachineI2C
from sensor_bus.records import standard_records
from sensor_bus.slot_access import DOUBT_MS, MUX_ATTEMPTS
from tests.sensor_bus.bus_rig import BusRig

MICROPYTHON = False
MICROPYTHON_REASON = "plays the bus on the virtual bed; tests/sim/mpy/test_sensor_bus.py has it in MicroPython"

MUX = {"mux": {"enable": True}}
RESET = {"mux": {"enable": True, "rstPin": 5}}
MCP, TMP, EXPANDER = 0x18, 0x48, 0x20
FIRST, SECOND = MCP | 1 << 8, MCP | 9 << 8
FOR_EVER = 10**9


def two_slots(reset=False):
    """The same address behind two multiplexers, and a device on the main bus; all are polled fast."""
    rig = BusRig(RESET if reset else MUX, reset=reset)
    rig.sensors.add("PCA9548A", 0x70)
    rig.sensors.add("PCA9548A", 0x71)
    rig.sensors.add("MCP9808", slot=1, values={"temperature": 10})
    rig.sensors.add("MCP9808", slot=9, values={"temperature": 20})
    rig.sensors.add("TMP117", values={"temperature": 30})
    return rig


async def all_polled(rig, addresses=(FIRST, SECOND, TMP)):
    await rig.until(lambda: all(rig.of(one) for one in addresses), 10)
    for address in addresses:
        rig.bus.configure(address, interval_us=20000)
    await asyncio.sleep(1)
    rig.samples.clear()
    rig.events.clear()


def values(rig, address):
    return {rig.value(sample, "temperature") for sample in rig.of(address)}


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("times", [1, MUX_ATTEMPTS, MUX_ATTEMPTS + 1, 3 * MUX_ATTEMPTS])
def test_multiplexer_that_refuses_a_while_has_no_sample_in_another_slot_and_loses_nobody(times, reset):
    rig = two_slots(reset)

    async def program(rig):
        await all_polled(rig)
        for round in range(60):
            rig.sensors[f"PCA9548A@{0x70 + round % 2:x}/0"].nack(times)
            await asyncio.sleep(0.1 + round / 3000)  # at each place in the order of the polls

    rig.run(program)
    assert (values(rig, FIRST), values(rig, SECOND), values(rig, TMP)) == ({10}, {20}, {30})
    assert rig.events == []


def test_multiplexer_that_hangs_open_is_lost_and_what_it_has_open_is_on_the_main_bus():
    rig = two_slots()
    mux = rig.sensors["PCA9548A@70/0"]

    async def program(rig):
        await all_polled(rig)
        await rig.until(lambda: mux.device.channels, 1)
        mux.nack(FOR_EVER)
        assert await rig.until(lambda: "lost" in rig.kinds(0x70), 1) < (DOUBT_MS + 10) / 1000
        begin = rig.bed.now()
        await rig.until(lambda: rig.of(TMP, begin), 0.05)  # the rest goes on
        await rig.until(lambda: rig.of(MCP), 25)
        await asyncio.sleep(1)
        assert sorted(rig.names()) == [MCP, TMP]  # both slots answer at this address now
        mux.nack(0)
        await rig.until(lambda: sorted(rig.names()) == [TMP, FIRST, SECOND], 30)
        await asyncio.sleep(2)

    rig.run(program, 200)
    assert values(rig, FIRST) == {10} and values(rig, SECOND) == {20}
    assert rig.kinds(0x70) == ["lost"]


def test_reset_line_closes_a_multiplexer_that_hangs():
    rig = two_slots(reset=True)
    mux = rig.sensors["PCA9548A@70/0"]

    async def program(rig):
        await all_polled(rig)
        await rig.until(lambda: mux.device.channels, 1)
        mux.nack(FOR_EVER)
        await rig.until(lambda: FIRST not in rig.names(), 1)
        rig.samples.clear()
        await asyncio.sleep(5)
        assert sorted(rig.names()) == [TMP, SECOND]
        assert len(rig.of(SECOND)) > 200 and len(rig.of(TMP)) > 200
        mux.nack(0)
        await rig.until(lambda: FIRST in rig.names(), 25)
        await asyncio.sleep(1)

    rig.run(program, 100)
    assert (values(rig, FIRST), values(rig, SECOND), values(rig, TMP)) == ({10}, {20}, {30})
    assert {event[1] for event in rig.events if event[2] != FIRST} == set()


def test_multiplexer_that_forgets_its_channel_loses_nobody():
    rig = two_slots()

    async def program(rig):
        await all_polled(rig)
        for round in range(60):
            rig.sensors[f"PCA9548A@{0x70 + round % 2:x}/0"].brown_out()
            await asyncio.sleep(0.1 + round / 3000)

    rig.run(program)
    assert (values(rig, FIRST), values(rig, SECOND), values(rig, TMP)) == ({10}, {20}, {30})
    assert rig.events == []


def test_slot_is_opened_again_in_the_middle_of_a_poll_if_its_device_does_not_answer():
    rig = BusRig(MUX)
    mux = rig.sensors.add("PCA9548A")
    rig.sensors.add("ADS1115", slot=1)
    address = TMP | 1 << 8

    async def program(rig):
        await all_polled(rig, (address,))
        for round in range(20):
            await rig.until(lambda: rig.polls(address), 1)
            await asyncio.sleep(0.005 + round / 1000)
            mux.brown_out()
            await asyncio.sleep(0.2)

    rig.run(program)
    assert rig.events == []


def test_pulled_multiplexer_is_found_again_soon_and_its_devices_with_it():
    rig = two_slots()
    mux = rig.sensors["PCA9548A@70/0"]
    member = rig.sensors["MCP9808@18/1"]

    async def program(rig):
        await all_polled(rig)
        mux.unplug()
        member.unplug()
        await rig.until(lambda: "gone" in rig.kinds(FIRST), 0.2)
        rig.samples.clear()
        await asyncio.sleep(12)  # the fast scan after that is over
        assert len(rig.of(SECOND)) > 500 and len(rig.of(TMP)) > 500
        mux.plug()
        member.plug()
        await rig.until(lambda: "identified" in rig.kinds(FIRST), 10)

    rig.run(program)
    assert rig.kinds(SECOND) == rig.kinds(TMP) == []


def test_hanging_multiplexer_behind_another_one_stops_no_other_slot():
    rig = BusRig(MUX)
    rig.sensors.add("PCA9548A", 0x70)
    inner = rig.sensors.add("PCA9548A", 0x71, slot=3)
    rig.sensors.add("MCP9808", slot=9, values={"temperature": 10})
    rig.sensors.add("MCP9808", slot=2, values={"temperature": 20})
    rig.sensors.add("TMP117", values={"temperature": 30})
    second = MCP | 2 << 8

    async def program(rig):
        await all_polled(rig, (SECOND, second, TMP))
        await rig.until(lambda: inner.device.channels, 1)
        inner.nack(FOR_EVER)
        await rig.until(lambda: SECOND not in rig.names(), 1)
        await asyncio.sleep(5)
        assert len(rig.of(second)) > 200 and len(rig.of(TMP)) > 200

    rig.run(program)
    assert (values(rig, second), values(rig, TMP)) == ({20}, {30})
    assert [event[1:3] for event in rig.events if event[2] in (second, TMP)] == []


def test_device_beside_a_multiplexer_is_shown_there_and_in_no_slot_behind_it():
    rig = BusRig(MUX)
    rig.sensors.add("PCA9548A", 0x70)
    rig.sensors.add("PCA9548A", 0x71, slot=3)
    rig.sensors.add("TMP117", slot=9)
    member = rig.sensors.add("MCP9808", slot=9, plugged=False)
    beside = MCP | 3 << 8

    async def program(rig):
        await rig.until(lambda: rig.of(TMP | 9 << 8), 10)
        for slot in (3, 9, 3):
            member.plug(slot)
            await rig.until(lambda wanted=MCP | slot << 8: wanted in rig.names(), 25)
            await asyncio.sleep(12)
            assert sorted(rig.names()) == sorted((TMP | 9 << 8, MCP | slot << 8))

    rig.run(program, 200)
    assert {event[2] for event in rig.events} == {beside, SECOND, TMP | 9 << 8}


@pytest.mark.parametrize("to_main_bus", [True, False])
def test_multiplexer_that_is_moved_takes_its_devices_along(to_main_bus):
    rig = BusRig(MUX)
    rig.sensors.add("PCA9548A", 0x70)
    inner = rig.sensors.add("PCA9548A", 0x71, slot=3 if to_main_bus else 0)
    rig.sensors.add("MCP9808", slot=9)

    async def program(rig):
        await rig.until(lambda: rig.of(SECOND), 10)
        rig.events.clear()
        inner.plug(0 if to_main_bus else 3)
        await rig.until(lambda: "gone" in rig.kinds(SECOND), 30)
        await rig.until(lambda: SECOND in rig.names(), 30)
        await asyncio.sleep(25)
        assert list(rig.names()) == [SECOND]

    rig.run(program, 200)
    assert {event[2] for event in rig.events} - {SECOND} <= {0x71, 0x371}
    assert {event[1] for event in rig.events if event[2] != SECOND} <= {"lost"}


@pytest.mark.parametrize("config", [{}, MUX])
def test_request_to_a_slot_that_does_not_exist_has_no_answer(config):
    rig = BusRig(config)
    rig.sensors.add("MCP9808")

    async def program(rig):
        await rig.until(lambda: rig.of(MCP), 5)
        with pytest.raises(NoAnswer):
            await rig.bus.request(FIRST, b"\x06", 2)
        mux = rig.sensors.add("PCA9548A")
        while rig.bus.now() and not mux.starts:
            await asyncio.sleep(0.001)
        with pytest.raises(NoAnswer):
            await rig.bus.request(FIRST, b"\x06", 2)  # it has answered once, and is not yet one
        begin = rig.bed.now()
        await rig.until(lambda: rig.of(MCP, begin), 2)

    rig.run(program)


POWER = {
    "mux": {"enable": True},
    "ioExps": {"exps": [{"dev": "PCA9535", "addr": "0x20", "vPinBase": 200, "numPins": 16}]},
    "pwr": {
        "slotGroups": [
            {"name": "A", "startSlotNum": 1, "numSlots": 8, "defaultLevelIdx": 1,
             "levelsExclOff": [{"vPins": [203] * 8, "on": [1] * 8}]},
        ]
    },
}  # fmt: skip


def powered():
    rig = BusRig(POWER)
    rig.sensors.add("PCA9535", EXPANDER, power=[{"slots": [1, 8], "on": {3: 1}}])
    rig.sensors.add("PCA9548A")
    rig.sensors.add("MCP9808", slot=1)
    rig.sensors.add("TMP117")
    return rig


def test_expander_that_forgets_its_outputs_gets_them_again_and_its_slots_their_power():
    rig = powered()

    async def program(rig):
        await all_polled(rig, (FIRST, TMP))
        rig.sensors["PCA9535@20/0"].brown_out()
        assert not rig.sensors.has_supply(1)
        await rig.until(lambda: rig.kinds(FIRST)[-1:] == ["online"], 10)

    rig.run(program)
    assert rig.kinds(FIRST) == ["offline", "gone", "found", "identified", "online"]
    assert rig.kinds(TMP) == []


def test_device_that_lost_its_power_between_two_polls_is_set_up_anew():
    rig = powered()
    rig.sensors.add("BME280", slot=2, values={"temperature": 20})
    bme = 0x76 | 2 << 8

    async def program(rig):
        await all_polled(rig, (FIRST, bme))
        rig.bus.configure(bme, interval_us=10_000_000)
        await rig.until(lambda: rig.of(bme), 1)
        begin = rig.bed.now()
        rig.sensors["PCA9535@20/0"].brown_out()
        await rig.until(lambda: len(rig.of(bme, begin)) > 2, 30)

    rig.run(program, 100)
    assert {round(rig.value(sample, "temperature")) for sample in rig.of(bme)} == {20}


def test_expander_that_is_pulled_and_plugged_switches_its_slots_on_as_at_the_start():
    rig = powered()

    async def program(rig):
        expander = rig.sensors["PCA9535@20/0"]
        await all_polled(rig, (FIRST, TMP))
        expander.unplug()
        await rig.until(lambda: "gone" in rig.kinds(FIRST), 1)
        await asyncio.sleep(3)
        expander.plug()
        await rig.until(lambda: rig.sensors.has_supply(1), 1)
        assert not rig.bus._access.power.usable(1)  # it settles
        await rig.until(lambda: rig.kinds(FIRST)[-1] == "online", 10)

    rig.run(program)
    assert rig.kinds(TMP) == []


def test_expander_that_refuses_a_while_switches_nothing_off():
    rig = powered()

    async def program(rig):
        await all_polled(rig, (FIRST, TMP))
        for round in range(10):
            rig.sensors["PCA9535@20/0"].nack(1 + round)
            await asyncio.sleep(1.1)

    rig.run(program)
    assert rig.events == []


def test_expander_that_comes_late_has_its_slots_settle_before_they_are_used():
    rig = powered()
    expander = rig.sensors["PCA9535@20/0"]
    expander.unplug()

    async def program(rig):
        await asyncio.sleep(2)
        assert not rig.bus._access.power.usable(1)
        expander.plug()
        await rig.until(lambda: rig.sensors.has_supply(1), 1)
        supplied = rig.bed.now()
        await rig.until(lambda: rig.sensors["MCP9808@18/1"].starts, 20)
        assert rig.bed.now() - supplied >= 0.099

    rig.run(program)


PER_SLOT = {
    "mux": {"enable": True},
    "ioExps": {"exps": [{"addr": "0x20", "vPinBase": 100}]},
    "pwr": {
        "voltageLevels": ["off", "3V3", "5V"],
        "slotGroups": [
            {"startSlotNum": 1, "numSlots": 2,
             "levelsExclOff": [{"vPins": [100, 101], "on": [0, 0]}, {"vPins": [108, 109], "on": [1, 1]}]},
        ],
    },
}  # fmt: skip


def test_each_slot_is_switched_by_its_own_pin_and_those_of_other_voltages_are_off():
    rig = BusRig(PER_SLOT)
    switches = [{"slots": [slot, slot], "on": {slot - 1: 0, slot + 7: 0}} for slot in (1, 2)]
    expander = rig.sensors.add("PCA9535", EXPANDER, power=switches, floating=0xFFFF)
    rig.sensors.add("PCA9548A")
    rig.sensors.add("MCP9808", slot=1)
    rig.sensors.add("MCP9808", slot=2)

    async def program(rig):
        addresses = (FIRST, MCP | 2 << 8)
        await all_polled(rig, addresses)
        assert expander.device.pins() & 0x0303 == 0
        rig.bus._access.power.cycle(1, rig.bus.now())
        await rig.until(lambda: "gone" in rig.kinds(FIRST), 1)
        assert expander.device.pins() & 0x0303 == 1
        await rig.until(lambda: rig.kinds(FIRST)[-1] == "online", 10)
        assert rig.kinds(addresses[1]) == []

    rig.run(program)


def test_expander_on_a_main_bus_that_it_switches_is_reached_and_switches_it_on():
    config = {
        "ioExps": {"exps": [{"addr": "0x20", "vPinBase": 100}]},
        "pwr": {"slotGroups": [{"startSlotNum": 0, "levelsExclOff": [{"vPins": [100], "on": [1]}]}]},
    }
    rig = BusRig(config)
    rig.sensors.add("PCA9535", EXPANDER, power=[{"slots": [0, 0], "on": {0: 1}}])
    rig.sensors.add("TMP117")

    async def program(rig):
        assert not rig.sensors.has_supply(0)
        await rig.until(lambda: rig.of(TMP), 5)

    rig.run(program)


def test_slot_that_is_serial_is_left_alone():
    slots = [{}, {"serEnPin": 100, "serEnLevel": 1, "rxPin": 4, "txPin": 5, "defaultMode": "serial-full"}]
    rig = BusRig({"mux": {"enable": True}, "ioExps": PER_SLOT["ioExps"], "slotControl": {"slots": slots}})
    expander = rig.sensors.add("PCA9535", EXPANDER)
    rig.sensors.add("PCA9548A")
    rig.sensors.add("MCP9808", slot=1)
    serial = rig.sensors.add("MCP9808", slot=2)

    async def program(rig):
        await rig.until(lambda: rig.of(FIRST), 5)
        await asyncio.sleep(25)
        with pytest.raises(NoAnswer):
            await rig.bus.request(MCP | 2 << 8, b"\x06", 2)

    rig.run(program)
    assert rig.names() == {FIRST: "MCP9808"} and serial.starts == 0 and expander.device.pins() & 1


@pytest.mark.parametrize("reset", [False, True])
def test_device_at_the_address_of_a_multiplexer_is_none(reset):
    rig = BusRig(RESET if reset else MUX, reset=reset)
    rig.sensors.add("PCA9548A", 0x70)
    rig.sensors.add("BME280", 0x76)
    rig.sensors.add("BME280", 0x77, slot=1)
    rig.sensors.add("MCP9808", slot=8)
    addresses = (0x76, 0x77 | 1 << 8, MCP | 8 << 8)

    async def program(rig):
        await rig.until(lambda: all(rig.of(one) for one in addresses), 10)
        assert [rig.bus.is_mux(one) for one in (0x70, *addresses)] == [True, False, False, False]
        rig.sensors["BME280@76/0"].unplug()
        await rig.until(lambda: rig.kinds(0x76)[-1] == "gone", 10)

    rig.run(program)
    assert rig.kinds(0x76) == ["found", "identified", "online", "offline", "gone"]


def test_multiplexer_that_holds_the_bus_when_it_is_looked_at_is_closed_and_used():
    rig = BusRig(RESET, reset=True)
    rig.sensors.add("PCA9548A", 0x70)
    rig.sensors.add("MCP9808", slot=2)
    rig.sensors.add("TMP117")
    rig.hold_sda(1, True)  # the first channel, which is opened for the look

    async def program(rig):
        await rig.until(lambda: rig.of(TMP) and rig.of(MCP | 2 << 8), 20)

    rig.run(program)
    assert rig.bus.is_mux(0x70)


def test_reset_line_is_used_at_the_start():
    resets = []
    config = {"mux": {"enable": True, "rstPins": [3]}}
    SensorBus(MachineI2C(None), standard_records(), config, reset=lambda: resets.append(1))
    assert resets == [1]
