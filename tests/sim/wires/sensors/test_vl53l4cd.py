"""VL53L4CD: boot, 16-bit register numbers, measuring in turn with clearing."""

from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

VL = 0x29


def ready(rig):
    return rig.registers(VL, b"\x00\x31", 1)[0] & 1 == 0


@WHOLE_AND_BITS
def test_it_boots_and_identifies_itself(bits):
    rig = Rig(bits)
    rig.add("VL53L4CD", ready=False)
    assert not rig.answers(VL)
    rig.wait(0.0012)
    assert rig.registers(VL, b"\x01\x0f", 2) == b"\xeb\xaa"
    assert rig.registers(VL, b"\x00\xe5", 1) == b"\x03"


@WHOLE_AND_BITS
def test_it_ranges_until_it_is_stopped(bits):
    rig = Rig(bits)
    rig.add("VL53L4CD", values={"distance": [[0, 0], [10, 1000]]})
    rig.now = 1.0
    assert rig.write(VL, b"\x00\x87\x21") == 3
    rig.wait(0.04)
    assert not ready(rig)
    rig.wait(0.02)
    assert ready(rig)
    assert rig.registers(VL, b"\x00\x89", 1) == b"\x09"
    assert rig.registers(VL, b"\x00\x96", 2) == (105).to_bytes(2, "big")
    rig.write(VL, b"\x00\x86\x01")
    assert not ready(rig)
    rig.write(VL, b"\x00\x87\x00")
    rig.wait(1)
    assert not ready(rig)


@WHOLE_AND_BITS
def test_autonomous_mode_has_its_interval(bits):
    rig = Rig(bits)
    rig.add("VL53L4CD", values={"distance": [[0, 0], [10, 1000]], "status": 4})
    ticks = round(500 * (992 & 0x3FF) * 1.055)
    rig.write(VL, b"\x00\x6c" + ticks.to_bytes(4, "big"))
    rig.now = 1.0
    rig.write(VL, b"\x00\x87\x40")
    rig.now = 1.9
    assert rig.registers(VL, b"\x00\x96", 2) == (155).to_bytes(2, "big")
    assert rig.registers(VL, b"\x00\x89", 1) == b"\x04"
