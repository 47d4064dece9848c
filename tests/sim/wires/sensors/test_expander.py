"""PCA9535: registers in pairs, pins, and the supply of slots."""

from errno import ENODEV

import pytest

from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

EXPANDER, MUX, MCP = 0x20, 0x70, 0x18


@WHOLE_AND_BITS
def test_bytes_alternate_within_a_pair(bits):
    rig = Rig(bits)
    member = rig.add("PCA9535", floating=0xA5F0)
    assert rig.registers(EXPANDER, 0, 4) == b"\xf0\xa5\xf0\xa5"
    rig.put(EXPANDER, 2, 0x12, 0x34, 0x56)
    assert rig.registers(EXPANDER, 2, 2) == b"\x56\x34"
    assert rig.registers(EXPANDER, 7, 2) == b"\xff\xff"
    rig.put(EXPANDER, 6, 0x00, 0xF0)
    assert member.device.pins() == 0xA456
    rig.put(EXPANDER, 4, 0xFF)
    assert rig.registers(EXPANDER, 0, 2) == b"\xa9\xa4"


def powered_slots(bits=False):
    rig = Rig(bits)
    rig.add("PCA9548A")
    power = [{"slots": [1, 4], "on": {"0": 1, "1": 0}}, {"slots": [1, 4], "on": {"2": 1}}]
    rig.add("PCA9535", power=power)
    return rig, rig.add("MCP9808", slot=1), rig.add("MCP9808", slot=5)


@WHOLE_AND_BITS
def test_slots_have_power_while_the_pins_of_an_entry_are_as_it_says(bits):
    rig, switched, other = powered_slots(bits)
    assert (switched.powered, other.powered) == (False, True)
    rig.put(EXPANDER, 2, 0x01)
    rig.put(EXPANDER, 6, 0xF8)
    assert switched.powered
    rig.put(EXPANDER, 2, 0x03)
    assert not switched.powered
    rig.put(EXPANDER, 2, 0x07)
    assert switched.powered and other.powered


@WHOLE_AND_BITS
def test_power_that_is_switched_resets_what_is_in_the_slot(bits):
    rig, switched, _ = powered_slots(bits)
    rig.put(EXPANDER, 2, 0x04)
    rig.put(EXPANDER, 6, 0xF8)
    rig.put(MUX, 1)
    rig.put(MCP, 1, 0x01, 0x00)
    switched.stick_sda(2)
    rig.registers(MCP, 5, 2)
    assert rig.sda.level == 0
    rig.sensors["PCA9535@20/0"].brown_out()
    assert rig.sda.level == 1 and not switched.powered
    rig.put(EXPANDER, 2, 0x04)
    rig.put(EXPANDER, 6, 0xF8)
    assert rig.registers(MCP, 1, 2) == b"\0\0"


def test_without_the_expander_there_is_no_power():
    rig, switched, _ = powered_slots()
    rig.put(EXPANDER, 6, 0xF8)
    assert switched.powered  # outputs are high after power-on: pin 2 is
    rig.sensors["PCA9535@20/0"].unplug()
    assert not switched.powered
    assert rig.write(EXPANDER, b"") == -ENODEV


@pytest.mark.parametrize("power", [[{}], [{"slots": [1], "on": {"0": 1}}], [{"slots": [1, 2], "on": {"16": 1}}], [3]])
def test_power_that_says_nothing_is_refused(power):
    rig = Rig()
    with pytest.raises(ValueError, match="power is"):
        rig.add("PCA9535", power=power)
    assert rig.sensors.members == []
