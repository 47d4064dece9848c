"""What may be where, and what is true."""

import pytest

from tests.sim.wires.sensors.rig import Rig


def test_names_addresses_and_slots_are_checked():
    rig = Rig()
    add = rig.sensors.add
    with pytest.raises(ValueError, match="no model of 'BMP180'; there are ADS1015"):
        add("BMP180")
    with pytest.raises(ValueError, match="AHT20 cannot have address 0x39: 0x38"):
        add("AHT20", 0x39)
    with pytest.raises(ValueError, match="slot 3 is no channel"):
        add("AHT20", slot=3)
    with pytest.raises(ValueError, match="neither power to switch nor slots"):
        add("AHT20", first_slot=3)
    with pytest.raises(ValueError, match="AHT20: .*unexpected"):
        add("AHT20", gain=3)
    add("AHT20")
    with pytest.raises(ValueError, match="two devices AHT20@38/0"):
        add("AHT20")
    assert len(rig.sensors.members) == 1


def test_slots_follow_from_the_address_of_the_multiplexer_or_are_said():
    rig = Rig()
    rig.add("PCA9548A", 0x77)
    rig.add("AHT20", slot=64)
    with pytest.raises(ValueError, match="slot 57 cannot be its"):
        rig.add("PCA9548A", 0x70, first_slot=57)
    rig.add("PCA9548A", 0x71, first_slot=1)
    rig.put(0x71, 0x04)
    rig.add("SHT40", slot=3)
    assert rig.answers(0x44)
    assert rig.sensors["SHT40@44/3"].slot == 3
    with pytest.raises(KeyError, match="no device 'SHT41'"):
        rig.sensors["SHT41"]


def test_device_that_is_moved_is_there_and_not_here():
    rig = Rig()
    rig.add("PCA9548A")
    member = rig.add("SHT40")
    member.plug(slot=2)
    rig.wait(0.01)
    assert not rig.answers(0x44)
    rig.put(0x70, 2)
    assert rig.answers(0x44)
    assert rig.sensors.present()[2, 0x44] is member


def test_brown_out_of_a_slot_concerns_what_is_in_it():
    rig = Rig()
    rig.add("PCA9548A")
    first, second = rig.add("MCP9808", slot=1), rig.add("MCP9808", slot=2)
    rig.put(0x70, 3)
    rig.put(0x18, 1, 0x01, 0x00)
    rig.sensors.brown_out(2)
    assert [member.device.words[1] for member in (first, second)] == [0x0100, 0]
    member = rig.add("AHT20", plugged=False)
    member.brown_out()
    assert not member.powered


def test_value_is_that_of_its_script():
    rig = Rig()
    member = rig.add("AHT20", values={"temperature": [[0, 0], [10, 100]]})
    assert (member.value("temperature", 5), member.value("humidity", 5)) == (50, 50.0)
