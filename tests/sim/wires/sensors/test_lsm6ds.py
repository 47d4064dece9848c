"""LSM6DS3: outputs, and the FIFO with its pattern and overruns."""

import pytest

from sim.wires.sensors.device import NotModelled
from sim.wires.sensors.lsm6ds import AXES
from tests.sim.wires.sensors.rig import WHOLE_AND_BITS, Rig

LSM = 0x6A
RAMPS = {axis: [[0, 0.0], [100, 1.0 + number / 10]] for number, axis in enumerate(AXES)}


def with_fifo(bits=False, values=None, control5=0x26):
    rig = Rig(bits)
    member = rig.add("LSM6DS", values=values or {})
    for register, value in ((0x0A, 0), (0x12, 0x44), (0x10, 0x48), (0x11, 0x4C), (0x08, 0x09), (0x0A, control5)):
        rig.put(LSM, register, value)
    return rig, member


def status(rig):
    data = rig.registers(LSM, 0x3A, 4)
    return data[0] | (data[1] & 15) << 8, data[1] >> 4, data[2] | data[3] << 8


@WHOLE_AND_BITS
def test_it_identifies_itself(bits):
    rig = Rig(bits)
    rig.add("LSM6DS", identity=0x6C)
    assert rig.registers(LSM, 0x0F, 1) == b"\x6c"


@WHOLE_AND_BITS
def test_outputs_have_the_scale_of_the_range(bits):
    rig = Rig(bits)
    rig.add("LSM6DS", values={"gx": 7.0, "gy": -7.0, "gz": 5000.0, "ax": 0.5, "ay": -0.5, "az": 1.0})
    rig.put(LSM, 0x10, 0x48)  # 104 Hz, 4 g
    rig.put(LSM, 0x11, 0x4C)  # 104 Hz, 2000 deg/s
    assert rig.registers(LSM, 0x1E, 1) == b"\0"
    rig.wait(0.01)
    assert rig.registers(LSM, 0x1E, 1) == b"\x07"
    data = rig.registers(LSM, 0x22, 12)
    raw = [int.from_bytes(data[i : i + 2], "little", signed=True) for i in range(0, 12, 2)]
    assert raw == [100, -100, 32767, 4098, -4098, 8197]
    rig.put(LSM, 0x10, 0x40)
    rig.put(LSM, 0x11, 0x42)
    rig.wait(0.01)
    data = rig.registers(LSM, 0x22, 12)
    raw = [int.from_bytes(data[i : i + 2], "little", signed=True) for i in range(0, 12, 2)]
    assert raw == [1600, -1600, 32767, 8197, -8197, 16393]


@WHOLE_AND_BITS
def test_fifo_has_gyroscope_and_accelerometer_in_turn(bits):
    rig, member = with_fifo(bits, RAMPS)
    begin = rig.now
    rig.wait(0.1)  # 10 samples at 104 Hz
    words, flags, pattern = status(rig)
    assert (words, flags, pattern) == (60, 0, 0)
    data = rig.registers(LSM, 0x3E, 24)
    for number in range(12):
        when = begin + (number // 6 + 1) / 104
        word = int.from_bytes(data[2 * number : 2 * number + 2], "little")
        assert abs(word - int.from_bytes(member.device.raw(AXES[number % 6], when), "little")) <= 1
    assert status(rig)[0] in (48, 54)


@WHOLE_AND_BITS
def test_fifo_says_with_which_axis_it_goes_on(bits):
    rig, _ = with_fifo(bits)
    rig.wait(0.1)
    rig.registers(LSM, 0x3E, 2 * 8)
    assert status(rig)[2] == 2
    rig.registers(LSM, 0x3E, 2 * 4)
    assert status(rig)[2] == 0


def test_empty_fifo_says_so_and_repeats_its_last_word():
    rig, _ = with_fifo(values={"gx": 7.0})
    assert status(rig) == (0, 1, 0)
    rig.wait(0.01)
    rig.registers(LSM, 0x3E, 12)
    assert status(rig)[:2] == (0, 1)
    assert rig.registers(LSM, 0x3E, 4)[:2] == rig.registers(LSM, 0x3E, 4)[:2]


def test_fifo_that_is_full_loses_its_oldest_words():
    rig, _ = with_fifo()
    rig.wait(10)  # 1040 samples, 6240 words
    words, flags, pattern = status(rig)
    assert words == 4095 and flags & 6 == 6
    assert pattern == (6240 - 4096) % 6
    rig.registers(LSM, 0x3E, 240)
    assert status(rig)[0] == 4096 - 120 and not status(rig)[1] & 4


def test_fifo_that_stops_when_it_is_full_keeps_its_oldest_words():
    rig, _ = with_fifo(control5=0x21)
    rig.wait(10)
    assert status(rig)[::2] == (4095, 0)


@pytest.mark.parametrize(("register", "value"), [(0x0A, 0x23), (0x08, 0x12)])
def test_what_the_model_lacks_is_not_passed_over(register, value):
    rig = Rig()
    rig.add("LSM6DS")
    with pytest.raises(NotModelled):
        rig.put(LSM, register, value)


@WHOLE_AND_BITS
def test_software_reset_and_no_increment(bits):
    rig, _ = with_fifo(bits)
    rig.put(LSM, 0x12, 0x05)
    assert rig.registers(LSM, 0x10, 3) == b"\0\0\x04"
    rig.put(LSM, 0x12, 0x00)
    assert rig.registers(LSM, 0x0F, 2) == b"\x69\x69"
