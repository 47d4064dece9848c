"""LPS25: rates, one shot, status, and how the register number goes up."""

import pytest

from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

LPS = 0x5C
VALUES = {"pressure": [[0, 900.0], [100, 1000.0]], "temperature": -12.5}


def measured(rig):
    data = rig.registers(LPS, 0x80 | 0x28, 5)
    return int.from_bytes(data[:3], "little") / 4096, int.from_bytes(data[3:], "little", signed=True) / 480 + 42.5


@WHOLE_AND_BITS
def test_it_measures_at_its_rate(bits):
    rig = Rig(bits)
    rig.add("LPS25", values=VALUES)
    assert rig.registers(LPS, 0x0F, 1) == b"\xbd"
    rig.now = 10.0
    rig.put(LPS, 0x20, 0x90)  # 1 Hz
    rig.now = 12.9
    assert rig.registers(LPS, 0x27, 1) == b"\x03"
    assert measured(rig) == pytest.approx((912.0, -12.5), abs=0.01)
    assert rig.registers(LPS, 0x27, 1) == b"\0"


@WHOLE_AND_BITS
def test_status_and_data_in_one_read_and_overrun(bits):
    rig = Rig(bits)
    rig.add("LPS25", values=VALUES)
    rig.put(LPS, 0x20, 0xC0)  # 25 Hz
    rig.wait(0.05)
    assert rig.registers(LPS, 0xA7, 6)[0] == 0x03
    rig.wait(0.05)
    rig.registers(LPS, 0x27, 1)
    rig.wait(0.05)
    assert rig.registers(LPS, 0xA7, 6)[0] == 0x33


@WHOLE_AND_BITS
def test_without_the_highest_bit_the_register_stays(bits):
    rig = Rig(bits)
    rig.add("LPS25", identity=0xB1)
    assert rig.registers(LPS, 0x0F, 2) == b"\xb1\xb1"
    assert rig.registers(LPS, 0x8F, 2) == b"\xb1\x05"


@WHOLE_AND_BITS
def test_one_shot_power_down_and_reset(bits):
    rig = Rig(bits)
    rig.add("LPS25", values=VALUES)
    rig.put(LPS, 0x21, 0x01)
    rig.wait(1)
    assert measured(rig)[0] == 0  # it has no power
    rig.put(LPS, 0x20, 0x80)
    rig.now = 20.0
    rig.put(LPS, 0x21, 0x01)
    rig.now = 30.0
    assert measured(rig)[0] == pytest.approx(920.04, abs=0.01)
    assert rig.registers(LPS, 0x21, 1) == b"\0"
    rig.put(LPS, 0x21, 0x04)
    assert rig.registers(LPS, 0x20, 1) == b"\0"
