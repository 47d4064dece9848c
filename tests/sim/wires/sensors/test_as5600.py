"""AS5600: angles and the register number that goes back."""

import pytest

from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

AS = 0x36


@WHOLE_AND_BITS
@pytest.mark.parametrize(("angle", "raw"), [(0, 0), (90, 1024), (359.99, 0), (359.9, 4095), (-90, 3072), (450, 1024)])
def test_angle_is_a_part_of_4096(bits, angle, raw):
    rig = Rig(bits)
    rig.add("AS5600", values={"angle": angle})
    assert rig.registers(AS, 0x0C, 4) == raw.to_bytes(2, "big") * 2


@WHOLE_AND_BITS
def test_zero_position_is_subtracted(bits):
    rig = Rig(bits)
    rig.add("AS5600", values={"angle": 45.0})
    rig.put(AS, 0x01, 0x04, 0x00)
    assert rig.registers(AS, 0x0E, 2) == (512 - 1024 & 4095).to_bytes(2, "big")
    assert rig.registers(AS, 0x0C, 2) == b"\x02\x00"


@WHOLE_AND_BITS
def test_status_says_whether_there_is_a_magnet(bits):
    rig = Rig(bits)
    rig.add("AS5600", values={"magnet": [[0, 1], [5, 1], [5, 0]]}, identity=2)
    assert (rig.registers(AS, 0x00, 1), rig.registers(AS, 0x0B, 1)) == (b"\x02", b"\x20")
    rig.now = 6.0
    assert rig.registers(AS, 0x0B, 1) == b"\0"
    assert rig.registers(AS, 0x1A, 1) == b"\x40"
