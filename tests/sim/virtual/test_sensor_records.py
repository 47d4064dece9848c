"""The project's records of types and the device models: both are made from data sheets, independently of each other."""

import asyncio

import pytest

from sim.virtual.sensor_bed import SensorBed
from sim.wires.sensors.catalog import TYPES

types = pytest.importorskip("sensor_bus.records", reason="the package sensor_bus is not there")

# type: {name in the model: value}, {name in the record: (value, tolerance)}
EXPECTED = {
    "ADS1115": ({"a0": 1.5, "a3": -0.25}, {"a0": (1.5, 2e-4), "a1": (0.5, 2e-4), "a3": (-0.25, 2e-4)}),
    "ADXL313": ({"ax": -0.75, "az": 2.0}, {"ax": (-0.75, 1e-3), "ay": (0, 1e-3), "az": (2.0, 1e-3)}),
    "AHT20": ({"temperature": -12.5, "humidity": 31.5}, {"temperature": (-12.5, 1e-3), "humidity": (31.5, 1e-3)}),
    "AS5600": ({"angle": 202.5}, {"angle": (202.5, 0.1)}),
    "BME280": (
        {"temperature": 27.5, "pressure": 987.6, "humidity": 61.0},
        {"temperature": (27.5, 0.01), "pressure": (987.6, 0.01), "humidity": (61.0, 0.02)},
    ),
    "INA219": ({"voltage": 12.0, "current": -0.5}, {"voltage": (12.0, 0.004), "current": (-0.5, 1e-4)}),
    "LPS25": ({"pressure": 782.5, "temperature": 8.5}, {"pressure": (782.5, 1e-3), "temperature": (8.5, 0.01)}),
    "LSM6DS": ({"gx": -38.5, "ax": 0.5}, {"gx": (-38.5, 0.04), "ax": (0.5, 2e-4), "az": (1.0, 2e-4)}),
    "MAX30101": ({"red": 12345, "ir": 200000}, {"Red": (12345, 0), "IR": (200000, 0)}),
    "MCP9808": ({"temperature": -0.0625}, {"temperature": (-0.0625, 0)}),
    "SHT31": ({"temperature": -18.5, "humidity": 76.5}, {"temperature": (-18.5, 2e-3), "humidity": (76.5, 1e-3)}),
    "SHT40": ({"temperature": -18.5, "humidity": 76.5}, {"temperature": (-18.5, 2e-3), "humidity": (76.5, 1e-3)}),
    "TMP117": ({"temperature": -25.5}, {"temperature": (-25.5, 0.004)}),
    "VCNL4040": ({"als": 123.4, "proximity": 40000}, {"als": (123.4, 0.05), "proximity": (40000, 0)}),
    "VEML7700": ({"als": 123.4, "white": 1000.0}, {"als": (123.4, 0.3), "white": (1000.0, 0.3)}),
    "VL53L4CD": ({"distance": 432}, {"distance": (432, 0)}),
}


async def done(i2c, address, program, detects=False):
    """Runs a program of a record. Returns the bytes that were read, or None if it does not fit."""
    from sensor_bus.steps import Steps

    got, steps = bytearray(), Steps(program)
    while steps.next():
        size, data = steps.size(got), b""
        try:
            if len(steps.write) or not size:
                if i2c.writeto(address, steps.write, not size) != len(steps.write):
                    return None
            if size:
                data = i2c.readfrom(address, size)
        except OSError:
            return None
        if detects and not steps.matches(data):
            return None
        got += data
        await asyncio.sleep(steps.pause_ms / 1000)
    return bytes(got)


async def identified(i2c, address, records):
    for number in records.candidates(address):
        if await done(i2c, address, records.field(number, types.DETECTION), True) is not None:
            return records.name(number)
    return None


def test_each_record_has_a_model():
    records = types.standard_records()
    assert {records.name(number) for number in range(len(records))} <= set(TYPES)
    assert set(EXPECTED) == set(TYPES) - {"PCA9548A", "PCA9535", "PCA9685", "ADS1015", "VL53L0X"}  # without a record


@pytest.mark.parametrize("type", sorted(EXPECTED))
def test_model_is_taken_for_what_it_is_at_each_address(type):
    records = types.standard_records()

    def found(address):
        bed = SensorBed()
        bed.sensors.add(type, address)

        async def main():
            await asyncio.sleep(0.5)
            return await identified(bed.i2c(), address, records)

        return bed.run(main)

    assert {found(address) for address in TYPES[type].ADDRESSES} == {type}


@pytest.mark.parametrize("type", sorted(EXPECTED))
def test_what_is_measured_is_what_is_decoded(type):
    from sensor_bus.decode import readings

    values, expected = EXPECTED[type]
    records = types.standard_records()
    number = records.number(type)
    bed = SensorBed()
    address = bed.sensors.add(type, values=values).address

    async def main():
        i2c = bed.i2c()
        await asyncio.sleep(0.5)
        assert await done(i2c, address, records.field(number, types.INIT)) is not None
        constants = await done(i2c, address, records.field(number, types.CONSTANTS))
        for _ in range(2):
            await asyncio.sleep(max(0.1, records.interval_us(number) / 1e6))
            sample = await done(i2c, address, records.field(number, types.POLL))
        return sample + constants

    rows = readings(records.info_by_name(type), bed.run(main))
    assert rows
    for _, row, invalid in rows:
        assert invalid == ()
        for name, (value, tolerance) in expected.items():
            assert row[name] == pytest.approx(value, abs=tolerance + 1e-9)
