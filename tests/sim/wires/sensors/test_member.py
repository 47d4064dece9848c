"""Faults of one device, and the same result whole and bit by bit."""

from errno import ENODEV, ETIMEDOUT

import pytest

from sim.wires.nets import OPEN_DRAIN, BoardPin
from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

MCP = 0x18


def thermometer(bits, **options):
    rig = Rig(bits)
    member = rig.add("MCP9808", **options)
    rig.wait(1)
    return rig, member


@WHOLE_AND_BITS
def test_address_is_refused_as_often_as_asked_for(bits):
    rig, member = thermometer(bits)
    member.nack(2)
    assert [rig.answers(MCP) for _ in range(4)] == [False, False, True, True]
    assert rig.bus.idle()


@WHOLE_AND_BITS
def test_byte_of_a_write_is_refused(bits):
    rig, member = thermometer(bits)
    member.nack_bytes()
    assert rig.write(MCP, b"\x01\x00\x00") == 0
    assert rig.write(MCP, b"\x01\x00\x00") == 3


@WHOLE_AND_BITS
@pytest.mark.parametrize("bit", range(16))
def test_sda_stays_low_from_any_bit_until_it_is_clocked_out(bits, bit):
    rig, member = thermometer(bits)
    member.stick_sda(bit)
    assert rig.registers(MCP, 5, 2) == -ETIMEDOUT
    assert (rig.scl.level, rig.sda.level) == (1, 0)
    assert rig.sensors.stuck() == [member]
    assert clocks_until_high(rig) <= 9
    assert rig.sensors.stuck() == []
    rig.run(rig.controller.line_start())
    rig.run(rig.controller.line_stop())
    assert rig.registers(MCP, 6, 2) == b"\x00\x54"


@WHOLE_AND_BITS
def test_byte_of_zeros_takes_as_many_clocks_as_it_has_bits(bits):
    rig, member = thermometer(bits)
    member.stick_sda(8, value=0)
    assert rig.registers(MCP, 5, 2) == -ETIMEDOUT
    assert clocks_until_high(rig) == 8


def clocks_until_high(rig):
    pin = BoardPin("gpio", rig.scl)
    pin.configure(OPEN_DRAIN, latch=1)
    for clocks in range(20):
        if rig.sda.level:
            return clocks
        pin.write(0)
        pin.write(1)
    return None


@WHOLE_AND_BITS
@pytest.mark.parametrize("cure", ["unplug", "brown_out"])
def test_stuck_device_lets_go_without_power(bits, cure):
    rig, member = thermometer(bits)
    member.stick_sda(3)
    assert rig.registers(MCP, 5, 2) == -ETIMEDOUT
    getattr(member, cure)()
    assert rig.bus.idle()


@WHOLE_AND_BITS
def test_only_an_answer_that_is_long_enough_gets_stuck(bits):
    rig, member = thermometer(bits)
    member.stick_sda(16)
    assert len(rig.registers(MCP, 5, 2)) == 2
    assert rig.registers(MCP, 5, 3) == -ETIMEDOUT


@WHOLE_AND_BITS
def test_brown_out_resets_the_registers(bits):
    rig, member = thermometer(bits)
    rig.put(MCP, 1, 0x01, 0x00)
    assert rig.registers(MCP, 1, 2) == b"\x01\x00"
    member.brown_out()
    assert rig.registers(MCP, 1, 2) == b"\x00\x00"


@WHOLE_AND_BITS
def test_wrong_part_has_another_identification(bits):
    rig, _ = thermometer(bits, identity=0x0500)
    assert rig.registers(MCP, 7, 2) == b"\x05\x00"


@WHOLE_AND_BITS
def test_device_that_is_pulled_in_a_read_gives_ones(bits):
    rig, member = thermometer(bits)
    assert rig.write(MCP, b"\x06", False) == 1
    rig.at_us = [((1 + 9 + 9) * 2.5 - 1, member.unplug)]
    data = rig.read(MCP, 2)
    if bits:
        assert data[1] == 0xFF and len(data) == 2
    assert rig.bus.idle() and not rig.answers(MCP)


@WHOLE_AND_BITS
def test_device_that_is_pulled_in_a_write_acknowledges_no_more(bits):
    rig, member = thermometer(bits)
    rig.at_us = [((1 + 9 + 12) * 2.5, member.unplug)]
    assert rig.write(MCP, b"\x01\x01\x00") < 3
    assert rig.bus.idle()


def test_device_that_is_plugged_in_a_transfer_waits_for_the_next_start():
    rig = Rig(bits=True)
    member = rig.add("MCP9808", plugged=False)
    rig.add("MCP9808", 0x19)
    rig.at_us = [(40, member.plug)]
    assert rig.write(0x19, b"\x01\x18\x00") == 3
    assert rig.bus.idle() and rig.answers(MCP)
    assert rig.registers(MCP, 1, 2) == b"\x00\x00"


def test_where_it_was_with_power_is_remembered():
    rig = Rig()
    rig.add("PCA9548A")
    member = rig.add("AHT20", slot=1)  # at 0.1 s
    rig.wait(1)
    member.unplug()
    rig.wait(1)
    member.plug(slot=2)
    assert [member.place(when) for when in (0.0, 0.15, 1.3, 2.3)] == [None, 1, None, 2]
    assert rig.sensors.present(0.15)[1, 0x38] is member
    assert rig.sensors.present() == {(0, 0x70): rig.sensors["PCA9548A@70/0"], (2, 0x38): member}


@WHOLE_AND_BITS
def test_two_that_answer_at_once_are_joined_by_the_wires(bits):
    rig = Rig(bits)
    rig.add("PCA9548A")
    rig.add("MCP9808", slot=1, values={"temperature": 12.0})
    rig.add("MCP9808", slot=2, values={"temperature": 3.0})
    rig.wait(1)
    rig.put(0x70, 0b11)
    assert rig.registers(MCP, 5, 2) == b"\xc0\x00"  # 0xC0C0 and 0xC030
    rig.put(0x70, 0b10)
    assert rig.registers(MCP, 5, 2) == b"\xc0\x30"


def test_transfer_that_is_refused_is_not_followed_by_bytes():
    rig, member = thermometer(False)
    member.nack()
    assert rig.write(MCP, b"\x01\x01\x00") == -ENODEV
    assert rig.registers(MCP, 1, 2) == b"\x00\x00"
