"""Segments: who is within reach."""

from sim.wires.wire import Port
from tests.sim.wires.sensors.rig import Rig

MCP, MUX = 0x18, 0x70


def test_what_is_behind_a_channel_is_within_reach_while_it_is_enabled():
    rig = Rig()
    rig.add("PCA9548A")
    member = rig.add("MCP9808", slot=8)
    assert rig.bus.find(MCP) is None and rig.bus.find(MUX) is not None
    rig.put(MUX, 0x80)
    assert rig.bus.find(MCP) is member.port
    assert rig.sensors.wires(8)[0] is not rig.scl
    member.unplug()
    assert rig.bus.find(MCP) is None
    member.plug()
    assert rig.bus.find(MCP) is member.port
    rig.put(MUX, 0)
    assert rig.bus.find(MCP) is None


def test_devices_at_one_address_go_bit_by_bit():
    rig = Rig()
    rig.add("MCP9808")
    assert not rig.bus.by_bits(MCP)
    rig.add("MCP9808", name="its twin")
    assert rig.bus.by_bits(MCP) and not rig.bus.by_bits(MUX)


def test_board_that_is_a_target_on_the_same_bus():
    rig = Rig()
    rig.add("MCP9808")
    rig.bus.attach(Port("board", 0x12))
    assert rig.bus.find(0x12).owner == "board" and not rig.bus.by_bits(MCP)
    rig.bus.attach(Port("board", MCP))
    assert rig.bus.by_bits(MCP)


def test_segment_parted_in_a_transfer_goes_quiet():
    rig = Rig(bits=True)
    rig.add("PCA9548A")
    rig.add("MCP9808", slot=1)
    rig.wait(1)
    rig.put(MUX, 1)
    assert rig.write(MCP, b"\x06", False) == 1
    rig.at_us = [(35, lambda: rig.sensors.hold_reset(True))]
    assert rig.read(MCP, 2)[1:] == b"\xff"
    assert rig.bus.idle()
