"""All types: each can be added, and gives the same whole and bit by bit."""

from random import Random

import pytest

from sim.wires.sensors.catalog import TYPES
from sim.wires.sensors.device import NotModelled
from tests.sim.wires.sensors.rig import Rig

ISSUE_17 = {
    "AHT20", "SHT40", "SHT31", "BME280", "MCP9808", "TMP117", "VEML7700", "VCNL4040", "LPS25", "ADXL313", "LSM6DS",
    "AS5600", "MAX30101", "VL53L4CD", "ADS1115", "INA219", "PCA9548A", "PCA9535",
}  # fmt: skip
RANDOM = 60  # transfers
OF_DRIVERS = {"ADS1015", "PCA9685", "VL53L0X"}  # which tests of Web I2C run


def test_all_types_of_the_issue_are_there():
    assert set(TYPES) == ISSUE_17 | OF_DRIVERS


@pytest.mark.parametrize("type", sorted(TYPES))
def test_values_are_known_and_addresses_can_be_addressed(type):
    kind = TYPES[type]
    assert kind.ADDRESSES and all(0x04 <= address <= 0x77 for address in kind.ADDRESSES)
    rig = Rig()
    for address in kind.ADDRESSES:
        rig.add(type, address, values=dict(kind.VALUES))
    assert all(rig.answers(address) for address in kind.ADDRESSES)


def traffic(type, seed, bits, chunk_bytes=None):
    """Writes and reads at random, with a repeated start now and then. Returns what came back."""
    chance = Random(f"{type} {seed}")
    rig = Rig(bits, chunk_bytes)
    member = rig.add(type)
    results = []
    for _ in range(RANDOM):
        length = chance.randrange(4)
        data = bytes(chance.choice((0, 1, 2, 0x08, 0x27, 0xFF, chance.randrange(256))) for _ in range(length))
        size, stop, pause_s = chance.randrange(9), chance.random() < 0.5, chance.random() / 5
        try:
            results.append(rig.write(member.address, data, stop or not size))
            if size:
                results.append(rig.read(member.address, size))
        except NotModelled:
            results.append("not modelled")
            break
        rig.now = round(rig.now + pause_s, 2)  # not that of the transfers: these differ by a clock
    return results


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("type", sorted(TYPES))
def test_transfers_give_the_same_whole_in_chunks_and_bit_by_bit(type, seed):
    whole = traffic(type, seed, False)
    assert traffic(type, seed, False, chunk_bytes=2) == whole
    assert traffic(type, seed, True) == whole
