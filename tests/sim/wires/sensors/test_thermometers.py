"""MCP9808 and TMP117."""

import pytest

from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

MCP, TMP = 0x18, 0x48


def word(rig, address, register):
    return int.from_bytes(rig.registers(address, register, 2), "big")


@WHOLE_AND_BITS
@pytest.mark.parametrize(
    ("temperature", "sixteenths"),
    [(25.25, 0x0194), (-0.0625, 0x1FFF), (-40, 0x1D80), (125, 0x07D0), (300, 0x07D0), (0, 0)],
)
def test_mcp9808_has_sixteenths_with_sign(bits, temperature, sixteenths):
    rig = Rig(bits)
    rig.add("MCP9808", values={"temperature": temperature})
    assert word(rig, MCP, 5) == 0xC000
    rig.wait(0.25)
    assert word(rig, MCP, 5) & 0x1FFF == sixteenths


@WHOLE_AND_BITS
def test_mcp9808_flags_limits(bits):
    rig = Rig(bits)
    rig.add("MCP9808", values={"temperature": 20.0})
    rig.wait(1)
    assert word(rig, MCP, 5) >> 13 == 0b110  # limits are 0
    for register, celsius in ((2, 30), (3, 25), (4, 40)):
        rig.put(MCP, register, *(celsius * 16).to_bytes(2, "big"))
    assert word(rig, MCP, 3) == 0x0190
    assert word(rig, MCP, 5) >> 13 == 0b001


@WHOLE_AND_BITS
def test_mcp9808_identifies_itself_and_shuts_down(bits):
    rig = Rig(bits)
    rig.add("MCP9808", values={"temperature": [[0, 0.0], [100, 100.0]]})
    assert (word(rig, MCP, 6), word(rig, MCP, 7)) == (0x0054, 0x0400)
    assert rig.registers(MCP, 8, 1) == b"\x03"
    rig.now = 10.1
    rig.put(MCP, 1, 0x01, 0x00)
    rig.now = 50.0
    assert word(rig, MCP, 5) & 0x1FFF == 10 * 16
    rig.put(MCP, 1, 0x00, 0x00)
    rig.now = 50.3
    assert word(rig, MCP, 5) & 0x1FFF == pytest.approx(50.25 * 16, abs=1)


@WHOLE_AND_BITS
def test_mcp9808_converts_faster_with_a_coarse_resolution(bits):
    rig = Rig(bits)
    rig.add("MCP9808", values={"temperature": 20.3125})
    rig.put(MCP, 8, 0)
    rig.wait(0.031)
    assert rig.registers(MCP, 8, 1) == b"\0"
    assert word(rig, MCP, 5) & 0x1FFF == 20.5 * 16


@WHOLE_AND_BITS
@pytest.mark.parametrize(("temperature", "raw"), [(25, 0x0C80), (-0.0078125, 0xFFFF), (-25, 0xF380)])
def test_tmp117_has_128ths_once_a_second(bits, temperature, raw):
    rig = Rig(bits)
    rig.add("TMP117", values={"temperature": temperature})
    assert (word(rig, TMP, 0), word(rig, TMP, 1), word(rig, TMP, 15)) == (0x8000, 0x0220, 0x0117)
    rig.wait(1.1)
    assert word(rig, TMP, 1) == 0x2220
    assert word(rig, TMP, 0) == raw
    assert word(rig, TMP, 1) == 0x0220  # not ready


@WHOLE_AND_BITS
def test_tmp117_converts_at_the_beginning_of_its_cycle(bits):
    rig = Rig(bits)
    rig.add("TMP117", values={"temperature": [[0, 0.0], [100, 100.0]]})
    rig.now = 10.0
    rig.put(TMP, 1, 0x02, 0x20)
    rig.now = 12.2
    assert word(rig, TMP, 0) / 128 == pytest.approx(12.125, abs=0.01)


@WHOLE_AND_BITS
def test_tmp117_one_shot_shutdown_and_reset(bits):
    rig = Rig(bits)
    rig.add("TMP117", values={"temperature": [[0, 0.0], [100, 100.0]]})
    rig.now = 10.0
    rig.put(TMP, 1, 0x0C, 0x00)  # one shot, no averaging
    rig.wait(0.01)
    assert word(rig, TMP, 0) == 0x8000 or word(rig, TMP, 0) / 128 < 10
    rig.now = 20.0
    assert word(rig, TMP, 1) == 0x2400
    assert word(rig, TMP, 0) / 128 == pytest.approx(10.0155, abs=0.01)
    rig.now = 30.0
    assert word(rig, TMP, 0) / 128 == pytest.approx(10.0155, abs=0.01)
    rig.put(TMP, 1, 0x00, 0x02)
    assert (word(rig, TMP, 0), word(rig, TMP, 1)) == (0x8000, 0x0220)
