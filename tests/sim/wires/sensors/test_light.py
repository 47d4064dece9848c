"""VEML7700 and VCNL4040."""

import pytest

from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

VEML, VCNL = 0x10, 0x60


def word(rig, address, register):
    return int.from_bytes(rig.registers(address, register, 2), "little")


@WHOLE_AND_BITS
def test_veml7700_counts_by_gain_and_integration_time(bits):
    rig = Rig(bits)
    rig.add("VEML7700", values={"als": 100.0, "white": 200.0})
    assert rig.registers(VEML, 7, 2) == b"\x81\xc4"
    assert (word(rig, VEML, 0), word(rig, VEML, 4)) == (1, 0)
    rig.put(VEML, 0, 0x00, 0x00)  # gain 1, 100 ms: 0.0672 lx
    rig.wait(0.101)
    assert word(rig, VEML, 4) == 0
    rig.wait(0.0025)
    assert (word(rig, VEML, 4), word(rig, VEML, 5)) == (round(100 / 0.0672), round(200 / 0.0672))
    rig.put(VEML, 0, 0xC0, 0x08)  # gain 2, 800 ms: 0.0042 lx
    rig.wait(0.81)
    assert word(rig, VEML, 4) == round(100 / 0.0042)
    assert word(rig, VEML, 5) == round(200 / 0.0042)


@WHOLE_AND_BITS
def test_veml7700_saturates_and_keeps_its_value_when_it_is_shut_down(bits):
    rig = Rig(bits)
    rig.add("VEML7700", values={"als": [[0, 0.0], [10, 100000.0]]})
    rig.put(VEML, 0, 0x00, 0x00)
    rig.now = 20.0
    assert word(rig, VEML, 4) == 0xFFFF
    rig.put(VEML, 0, 0x01, 0x00)
    rig.now = 30.0
    assert word(rig, VEML, 4) == 0xFFFF and word(rig, VEML, 0) == 1


@WHOLE_AND_BITS
def test_vcnl4040_measures_light_and_proximity(bits):
    rig = Rig(bits)
    rig.add("VCNL4040", values={"als": 123.4, "white": 50.0, "proximity": 5000})
    assert rig.registers(VCNL, 12, 2) == b"\x86\x01"
    assert [word(rig, VCNL, register) for register in (0, 3, 8, 9, 10)] == [1, 1, 0, 0, 0]
    rig.put(VCNL, 0, 0x00, 0x00)
    rig.put(VCNL, 3, 0x00, 0x00)
    rig.wait(0.1)
    assert [word(rig, VCNL, register) for register in (8, 9, 10)] == [4095, 1234, 500]
    rig.put(VCNL, 3, 0x0E, 0x08)  # 16 bits
    rig.put(VCNL, 0, 0x40, 0x00)  # 160 ms
    rig.wait(0.2)
    assert [word(rig, VCNL, register) for register in (8, 9, 10)] == [5000, 2468, 1000]


@pytest.mark.parametrize(("address", "type", "identity"), [(VEML, "VEML7700", 0xD481), (VCNL, "VCNL4040", 0x0286)])
def test_wrong_part(address, type, identity):
    rig = Rig()
    rig.add(type, identity=identity)
    assert word(rig, address, 7 if address == VEML else 12) == identity
