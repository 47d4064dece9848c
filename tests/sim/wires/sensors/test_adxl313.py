"""ADXL313: identification, ranges, rates."""

import pytest

from sim.wires.sensors.device import NotModelled
from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

ADXL = 0x1D


def axes(rig):
    data = rig.registers(ADXL, 0x32, 6)
    return [int.from_bytes(data[i : i + 2], "little", signed=True) for i in (0, 2, 4)]


@WHOLE_AND_BITS
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (0x0B, [512, -512, 4095]),  # 4 g, full resolution
        (0x0A, [512, -512, 2047]),
        (0x03, [64, -64, 511]),  # 4 g, 10 bits
        (0x00, [511, -512, 511]),
        (0x07, [64 << 6, -64 << 6, 511 << 6]),  # to the left
        (0x0F, [512 << 3, -512 << 3, 4095 << 3]),
    ],
)
def test_range_and_resolution(bits, form, expected):
    rig = Rig(bits)
    rig.add("ADXL313", values={"ax": 0.5, "ay": -0.5, "az": 9.0})
    rig.put(ADXL, 0x31, form)
    rig.put(ADXL, 0x2D, 0x08)
    rig.wait(0.02)
    assert axes(rig) == expected


@WHOLE_AND_BITS
def test_it_measures_at_its_rate_when_it_is_told_to(bits):
    rig = Rig(bits)
    rig.add("ADXL313", values={"ax": [[0, 0.0], [100, 0.4]]})
    assert rig.registers(ADXL, 0x00, 3) == b"\xad\x1d\xcb"
    rig.wait(1)
    assert axes(rig) == [0, 0, 0]
    rig.put(ADXL, 0x2C, 0x06)  # 6.25 Hz
    rig.now = 50.0
    rig.put(ADXL, 0x2D, 0x08)
    rig.now = 100.15
    assert rig.registers(ADXL, 0x30, 1)[0] & 0x80
    assert axes(rig)[0] == round(0.4 * 1024 * (50 + 313 * 0.16) / 100)
    assert not rig.registers(ADXL, 0x30, 1)[0] & 0x80
    rig.put(ADXL, 0x18, 0x52)
    assert rig.registers(ADXL, 0x2C, 2) == b"\x0a\0"


def test_fifo_is_not_passed_over():
    rig = Rig()
    rig.add("ADXL313")
    rig.put(ADXL, 0x38, 0x00)
    with pytest.raises(NotModelled):
        rig.put(ADXL, 0x38, 0x80)
