"""What tells one type from another, also later: devices that lost their settings, or that were replaced."""

import asyncio
import json
from pathlib import Path

import pytest

import sensor_bus
from sensor_bus.decode import readings
from sensor_bus.identify import can_look
from sensor_bus.loader import load
from sensor_bus.records import INIT, standard_records
from sensor_bus.steps import Steps
from sim.wires.sensors import humidity
from tests.sensor_bus.bus_rig import BusRig

MICROPYTHON = False
MICROPYTHON_REASON = "the virtual bed is of CPython"

RECORDS = standard_records()
AS_READ = json.loads((Path(sensor_bus.__file__).parent / "types.json").read_text())["devTypes"]
CHECK_MS = 1000
SHT = 0x44


def keeps(number):
    """Returns whether a record says what its device must have kept."""
    steps = Steps(RECORDS.field(number, INIT))
    return any(steps.compares() for _ in iter(steps.next, False))


KEPT = [RECORDS.name(number) for number in range(len(RECORDS)) if keeps(number)]


def last_values(rig, address):
    sample = rig.of(address)[-1]
    return readings(rig.records.info(sample.type), sample.data)[-1][1:]


def browned_out(name, config):
    """A device loses its power for a moment between two polls. Returns (rig, address, values before)."""
    rig = BusRig(config)
    member = rig.sensors.add(name)
    address, before = member.address, []

    async def program(rig):
        await rig.until(lambda: len(rig.of(address)) > 3, 10)
        device = rig.bus.device(address)
        await rig.until(lambda: device.job is None and device.due - rig.bus.now() > device.interval // 3, 5)
        before.append(last_values(rig, address))
        member.brown_out()
        await asyncio.sleep(5)

    rig.run(program)
    return rig, address, before[0]


def test_all_that_are_set_up_and_have_a_register_that_tells_are_kept():
    assert KEPT == ["INA219", "BME280", "VEML7700", "VCNL4040", "LPS25", "ADXL313", "LSM6DS", "MAX30101", "VL53L4CD"]


@pytest.mark.parametrize("name", [name for name in KEPT if name != "INA219"])  # which needs no settings
def test_what_lost_its_settings_between_two_polls_is_set_up_anew(name):
    rig, address, values = browned_out(name, {"identCheckMs": CHECK_MS})
    again = ["found", "identified", "online"]
    assert rig.kinds(address) == again + ["offline", "gone"] + again
    assert last_values(rig, address) == values and not values[1]


def test_without_looks_it_is_not_noticed():
    rig, address, values = browned_out("LPS25", {"identCheckMs": 0})
    assert "gone" not in rig.kinds(address) and last_values(rig, address) != values


def test_what_a_program_has_set_otherwise_stays():
    """VEML7700: 0x00 is its configuration, here with gain 1/4 in place of 1/8."""
    rig = BusRig({"identCheckMs": CHECK_MS})
    rig.sensors.add("VEML7700")

    async def program(rig):
        await rig.until(lambda: rig.of(0x10), 5)
        await rig.bus.request(0x10, b"\x00\x00\x18")
        await asyncio.sleep(5)
        assert await rig.bus.request(0x10, b"\x00", 2) == b"\x00\x18"

    rig.run(program)
    assert rig.kinds(0x10) == ["found", "identified", "online"]


def test_ina219_is_known_whatever_its_configuration_is():
    for config in (0x0000, 0x399F, 0x3FFF, 0x019F):
        rig = BusRig()
        member = rig.sensors.add("INA219")

        async def program(rig):
            member.device.words[member.device.CONFIG] = config  # noqa: B023
            await rig.until(lambda: rig.names(), 5)
            await rig.until(lambda: rig.of(0x40), 5)

        rig.run(program)
        assert rig.names() == {0x40: "INA219"} and member.device.words[member.device.CONFIG] == 0x399F


def test_another_device_at_its_address_is_not_written_to():
    rig = BusRig()
    member = rig.sensors.add("PCA9685")

    async def program(rig):
        before = bytes(member.device.memory)
        await rig.until(lambda: "online" in rig.kinds(member.address), 10)
        assert bytes(member.device.memory) == before

    rig.run(program)
    assert rig.names() == {member.address: None}


def test_what_acknowledges_all_is_no_sht40():
    rig = BusRig()
    rig.records = load({"devTypes": {"SHT40": AS_READ["SHT40"]}})
    rig.sensors.add("INA219", SHT)

    async def program(rig):
        await rig.until(lambda: "online" in rig.kinds(SHT), 10)

    rig.run(program)
    assert rig.names() == {SHT: None} and "identified" not in rig.kinds(SHT)


@pytest.mark.parametrize("name", ("SHT40", "SHT31"))
def test_what_replaces_a_device_known_by_commands_is_told_by_checksums(name):
    rig = BusRig()
    first = rig.sensors.add(name, SHT)
    second = rig.sensors.add("INA219", SHT, plugged=False)

    async def program(rig):
        await rig.until(lambda: len(rig.of(SHT)) > 2, 5)
        await asyncio.sleep(0.5)
        first.unplug()
        second.plug()
        await rig.until(lambda: rig.names() == {SHT: "INA219"}, 3)

    rig.run(program)


def test_device_whose_checksums_are_wrong_for_a_time_stays(monkeypatch):
    rig = BusRig()
    rig.sensors.add("SHT40", SHT)
    right = humidity.crc8

    async def program(rig):
        await rig.until(lambda: len(rig.of(SHT)) > 2, 5)
        monkeypatch.setattr(humidity, "crc8", lambda data: right(data) ^ 1)
        await asyncio.sleep(5)
        assert set(last_values(rig, SHT)[1]) == {"temperature", "humidity"}  # both are marked
        monkeypatch.setattr(humidity, "crc8", right)
        await asyncio.sleep(3)
        assert not last_values(rig, SHT)[1] and rig.bus.device(SHT).missed == 0

    rig.run(program)
    assert rig.kinds(SHT) == ["found", "identified", "online"]


def test_only_what_is_known_by_registers_is_looked_at():
    names = {RECORDS.name(number) for number in range(len(RECORDS)) if not can_look(RECORDS, number)}
    assert names == {"AHT20", "SHT40", "SHT31"}
