"""VL53L0X: boot, pages, calibration, and single measurements."""

import pytest

from sim.wires.sensors.device import NotModelled
from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

VL = 0x29


def ready(rig):
    return rig.registers(VL, 0x13, 1)[0] & 7


@WHOLE_AND_BITS
def test_it_boots_and_identifies_itself(bits):
    rig = Rig(bits)
    rig.add("VL53L0X", ready=False)
    assert not rig.answers(VL)
    rig.wait(0.0012)
    assert rig.registers(VL, 0xC0, 3) == b"\xee\xaa\x10"


@WHOLE_AND_BITS
def test_registers_of_a_page_are_its_own(bits):
    rig = Rig(bits)
    rig.add("VL53L0X")
    rig.put(VL, 0x46, 0x25)
    rig.put(VL, 0xFF, 0x01)
    rig.put(VL, 0x46, 0x05)
    assert rig.registers(VL, 0x91, 1) == b"\x3c"
    rig.put(VL, 0xFF, 0x00)
    assert rig.registers(VL, 0x46, 1) == b"\x25"


@WHOLE_AND_BITS
def test_reference_spads_stand_behind_a_strobe(bits):
    rig = Rig(bits)
    rig.add("VL53L0X")
    rig.put(VL, 0xFF, 0x07)
    assert rig.registers(VL, 0x92, 1) == b"\0"
    rig.put(VL, 0x83, 0x00)
    assert rig.registers(VL, 0x83, 1) == b"\1" and rig.registers(VL, 0x92, 1) == b"\x85"


@WHOLE_AND_BITS
def test_it_ranges_once(bits):
    rig = Rig(bits)
    rig.add("VL53L0X", values={"distance": [[0, 0], [10, 1000]]})
    rig.now = 1.0
    rig.put(VL, 0x00, 0x01)
    rig.wait(0.03)
    assert not ready(rig)
    rig.wait(0.01)
    assert ready(rig) == 4
    assert rig.registers(VL, 0x14, 1) == b"\x58"
    assert rig.registers(VL, 0x1E, 2) == (103).to_bytes(2, "big")
    rig.put(VL, 0x0B, 0x01)
    rig.wait(1)
    assert not ready(rig)


@WHOLE_AND_BITS
def test_a_calibration_measures_no_distance(bits):
    rig = Rig(bits)
    rig.add("VL53L0X")
    rig.put(VL, 0x01, 0x02)
    rig.put(VL, 0x00, 0x01)
    rig.wait(0.006)
    assert ready(rig) and rig.registers(VL, 0x1E, 2) == b"\0\0"


def test_far_is_out_of_range():
    rig = Rig()
    rig.add("VL53L0X", values={"distance": 10000, "status": 4})
    rig.put(VL, 0x00, 0x01)
    rig.wait(0.04)
    assert rig.registers(VL, 0x1E, 2) == (8190).to_bytes(2, "big") and rig.registers(VL, 0x14, 1) == b"\x20"


@pytest.mark.parametrize("data", [(0x00, 0x02), (0x8A, 0x30)])
def test_what_is_not_modelled_says_so(data):
    rig = Rig()
    rig.add("VL53L0X")
    with pytest.raises(NotModelled):
        rig.put(VL, *data)
