"""PCA9548A: its register, and what is joined with what."""

from errno import ENODEV, ETIMEDOUT

import pytest

from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

MUX, MCP = 0x70, 0x18


def two_slots(bits=False):
    rig = Rig(bits)
    rig.add("PCA9548A")
    for slot in (1, 2):
        rig.add("MCP9808", slot=slot, values={"temperature": 10.0 * slot})
    rig.wait(1)
    return rig


@WHOLE_AND_BITS
def test_a_channel_is_enabled_at_the_stop(bits):
    rig = two_slots(bits)
    assert rig.read(MUX, 1) == b"\0" and not rig.answers(MCP)
    assert rig.write(MUX, b"\x01", stop=False) == 1
    assert rig.bus.within.get(MCP) is None
    rig.run(rig.controller.line_stop())
    rig.put(MUX, 0x01)
    assert rig.read(MUX, 1) == b"\x01" and rig.answers(MCP)


@WHOLE_AND_BITS
@pytest.mark.parametrize(("mask", "word"), [(1, b"\xc0\xa0"), (2, b"\xc1\x40")])
def test_devices_with_one_address_are_told_apart_by_their_slot(bits, mask, word):
    rig = two_slots(bits)
    rig.put(MUX, mask)
    assert rig.registers(MCP, 5, 2) == word


@WHOLE_AND_BITS
def test_last_byte_of_a_write_counts(bits):
    rig = two_slots(bits)
    rig.put(MUX, 0xFF, 0x02)
    assert rig.read(MUX, 1) == b"\x02"


@WHOLE_AND_BITS
def test_device_stuck_on_a_channel_holds_the_bus_only_while_it_is_enabled(bits):
    rig = two_slots(bits)
    rig.put(MUX, 1)
    stuck = rig.sensors["MCP9808@18/1"]
    stuck.stick_sda(10)
    assert rig.registers(MCP, 5, 2) == -ETIMEDOUT
    assert rig.sda.level == 0
    rig.sensors.hold_reset(True)
    assert rig.sda.level == 1 and not rig.answers(MUX)
    rig.sensors.hold_reset(False)
    rig.put(MUX, 2)
    assert rig.registers(MCP, 5, 2) == b"\xc1\x40"
    assert rig.sensors.stuck() == [stuck]
    rig.put(MUX, 1)
    assert rig.sda.level == 0
    stuck.brown_out()
    assert rig.sda.level == 1 and rig.answers(MCP)


def test_wire_of_a_channel_that_is_shorted_holds_the_bus_while_it_is_enabled():
    rig = two_slots()
    _, sda = rig.sensors.wires(2)
    sda.stick(0)
    rig.put(MUX, 1)
    assert rig.answers(MCP)
    rig.put(MUX, 2)
    assert rig.sda.level == 0
    rig.sensors.hold_reset(True)
    assert rig.sda.level == 1


@WHOLE_AND_BITS
def test_reset_pin_frees_a_multiplexer_that_holds_sda(bits):
    rig = two_slots(bits)
    rig.sensors["PCA9548A@70/0"].stick_sda(0)
    assert rig.read(MUX, 1) == -ETIMEDOUT and rig.sda.level == 0
    rig.sensors.hold_reset(True)
    assert rig.sda.level == 1


@WHOLE_AND_BITS
@pytest.mark.parametrize("loss", ["brown_out", "unplug"])
def test_multiplexer_without_power_parts_its_channels(bits, loss):
    rig = two_slots(bits)
    rig.put(MUX, 1)
    getattr(rig.sensors["PCA9548A@70/0"], loss)()
    assert not rig.answers(MCP)
    assert rig.read(MUX, 1) == (b"\0" if loss == "brown_out" else -ENODEV)


@WHOLE_AND_BITS
def test_cascade_reaches_a_device_through_both(bits):
    rig = Rig(bits)
    rig.add("PCA9548A", 0x70)
    rig.add("PCA9548A", 0x71, slot=3)
    rig.add("MCP9808", slot=9 + 4)
    assert not rig.answers(0x71)
    rig.put(0x70, 1 << 2)
    rig.put(0x71, 1 << 4)
    assert rig.answers(MCP)
    rig.put(0x70, 0)
    assert not rig.answers(MCP) and not rig.answers(0x71)
    rig.put(0x70, 1 << 2)
    assert rig.answers(MCP)  # the inner one has kept its register
    rig.sensors.hold_reset(True)
    rig.sensors.hold_reset(False)
    rig.put(0x70, 1 << 2)
    assert rig.answers(0x71) and not rig.answers(MCP)


def test_reset_pin_that_is_low_at_power_on_counts():
    rig = Rig()
    rig.sensors.hold_reset(True)
    mux = rig.add("PCA9548A", plugged=False)
    mux.plug()
    rig.sensors.hold_reset(True)
    assert not rig.answers(MUX)
    mux.brown_out()
    assert not rig.answers(MUX)
    rig.sensors.hold_reset(False)
    assert rig.answers(MUX)
