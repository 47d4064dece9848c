"""ADS1115, ADS1015 and INA219."""

import pytest

from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

ADS, INA = 0x48, 0x40


def word(rig, address, register):
    return int.from_bytes(rig.registers(address, register, 2), "big")


@WHOLE_AND_BITS
@pytest.mark.parametrize(
    ("config", "raw"),
    [
        (0xC383, 0x2000),  # a0, 4.096 V
        (0xC583, 0x4000),  # a0, 2.048 V
        (0x8583, 0x2000),  # a0 - a1
        (0xB583, 0x1000),  # a2 - a3
        (0xFB83, 0x8000),  # a3, 0.256 V: below the range
        (0xDD83, 0x7FFF),  # a1, 0.256 V: above it
    ],
)
def test_ads1115_converts_once(bits, config, raw):
    rig = Rig(bits)
    rig.add("ADS1115", values={"a0": 1.024, "a1": 0.512, "a2": 0.0, "a3": -0.256})
    assert word(rig, ADS, 1) == 0x8583
    rig.put(ADS, 1, config >> 8, config & 0xFF)
    assert word(rig, ADS, 1) == config & 0x7FFF
    rig.wait(0.008)
    assert word(rig, ADS, 1) == config
    assert word(rig, ADS, 0) == raw


@WHOLE_AND_BITS
def test_ads1115_converts_on(bits):
    rig = Rig(bits)
    rig.add("ADS1115", values={"a0": [[0, 0.0], [10, 1.0]]})
    rig.now = 1.0
    rig.put(ADS, 1, 0x42, 0x03)  # 8 a second
    rig.now = 2.05
    assert word(rig, ADS, 0) / 32768 * 4.096 == pytest.approx(0.2, abs=0.001)
    assert not word(rig, ADS, 1) & 0x8000
    rig.put(ADS, 1, 0x43, 0x03)
    rig.now = 5.0
    assert word(rig, ADS, 1) & 0x8000
    assert word(rig, ADS, 0) / 32768 * 4.096 == pytest.approx(0.2125, abs=0.001)  # it has completed the one that ran


@WHOLE_AND_BITS
def test_ina219_measures_voltage_and_current(bits):
    rig = Rig(bits)
    rig.add("INA219", values={"voltage": 12.0, "current": -1.5})
    assert word(rig, INA, 0) == 0x399F
    rig.put(INA, 5, 0x10, 0x00)  # 4096: 0.1 mA a bit
    rig.wait(0.01)
    assert word(rig, INA, 1) == -15000 & 0xFFFF
    assert word(rig, INA, 2) == 3000 << 3 | 2
    assert word(rig, INA, 4) == -15000 & 0xFFFF
    assert word(rig, INA, 3) == 15000 * 3000 // 5000


@WHOLE_AND_BITS
def test_ina219_has_ranges_triggers_and_a_reset(bits):
    rig = Rig(bits)
    rig.add("INA219", values={"voltage": 20.0, "current": [[0, 0.0], [10, 10.0]]}, shunt_ohm=0.01)
    rig.now = 2.0
    rig.put(INA, 0, 0x01, 0x9B)  # 16 V, 40 mV, one measurement of both
    rig.now = 5.0
    assert word(rig, INA, 1) == pytest.approx(2000, abs=2)
    assert word(rig, INA, 2) == 4000 << 3 | 2
    word(rig, INA, 3)
    assert word(rig, INA, 2) & 2 == 0  # reading the power clears that it is ready
    rig.put(INA, 0, 0x01, 0x98)  # off
    rig.now = 6.0
    assert word(rig, INA, 1) == pytest.approx(2000, abs=2)
    rig.now = 9.0
    rig.put(INA, 0, 0x01, 0x9F)
    rig.wait(0.01)
    assert word(rig, INA, 1) == 4000  # the end of its range
    rig.put(INA, 0, 0x80, 0x00)
    assert word(rig, INA, 0) == 0x399F


@WHOLE_AND_BITS
def test_ads1015_converts_faster_and_to_twelve_bits(bits):
    rig = Rig(bits)
    rig.add("ADS1015", values={"a0": 1.5})
    rig.put(ADS, 1, 0xC3, 0x00)  # a0, 4.096 V, 128 a second
    rig.wait(0.008)
    assert word(rig, ADS, 0) == 750 << 4
